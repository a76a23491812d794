// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

// openTerminal returns both ends of a new pseudoterminal.
func openTerminal() (ours, theirs *os.File, err error) {
	ours, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number),
			os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

func follow(terminal *os.File, sizes <-chan remotecommand.TerminalSize) {
	for size := range sizes {
		unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ,
			&unix.Winsize{Row: size.Height, Col: size.Width})
	}
}

func runOnTerminal(cmd *exec.Cmd, in io.Reader, out io.Writer,
	sizes <-chan remotecommand.TerminalSize) error {
	ours, theirs, err := openTerminal()
	if err != nil {
		return err
	}
	defer ours.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	go follow(ours, sizes)
	if in != nil {
		go io.Copy(ours, in)
	}
	// Reading ends with an error when nobody has the other end open any more.
	if out != nil {
		io.Copy(out, ours)
	}
	return cmd.Wait()
}
