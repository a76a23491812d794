// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const idleTimeout = 4 * time.Hour // as the kubelet's

// pods runs commands where pods are.
type pods struct {
	wrapper []string
	program string // this one, by path
}

// place says of which pod and container a command is.
type place struct {
	namespace, pod, container string
}

func placeOf(r *http.Request) place {
	return place{r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container")}
}

func (p *pods) command(ctx context.Context, at place, argv ...string) *exec.Cmd {
	argv = append(append([]string{}, p.wrapper...), argv...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "POD_NAMESPACE="+at.namespace, "POD_NAME="+at.pod,
		"CONTAINER_NAME="+at.container)
	return cmd
}

// execution is one request; remotecommand.Executor is what the streaming code calls.
type execution struct {
	pods *pods
	at   place
}

func (p *pods) serveExec(w http.ResponseWriter, r *http.Request) {
	streams, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	command := r.URL.Query()["command"]
	if len(command) == 0 {
		http.Error(w, "no command", http.StatusBadRequest)
		return
	}
	at := placeOf(r)
	remotecommand.ServeExec(w, r, &execution{p, at}, at.pod, r.PathValue("uid"), at.container,
		command, streams, idleTimeout, remotecommand.DefaultStreamCreationTimeout,
		remotecommand.SupportedStreamingProtocols)
}

// ExecInContainer returns when the command has ended and its output is written.
func (e *execution) ExecInContainer(ctx context.Context, _, _, _ string, argv []string,
	in io.Reader, out, errOut io.WriteCloser, tty bool,
	resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := e.pods.command(ctx, e.at, argv...)
	if tty {
		return exitStatus(runOnTerminal(cmd, in, out, resize))
	}
	if out != nil {
		cmd.Stdout = out
	}
	if errOut != nil {
		cmd.Stderr = errOut
	}
	return exitStatus(runWithInput(cmd, in))
}

// The client may keep its end open after the command has ended, so nobody waits for that copy.
func runWithInput(cmd *exec.Cmd, in io.Reader) error {
	if in == nil {
		return cmd.Run()
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		io.Copy(stdin, in)
		stdin.Close()
	}()
	return cmd.Wait()
}

// What kubectl shows of a command's end. Signals and missing programs have
// the codes that shells give them.
func exitStatus(err error) error {
	var exit *exec.ExitError

	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return utilexec.CodeExitError{Err: err, Code: 127}
	}
	if !errors.As(err, &exit) {
		return err
	}
	code := exit.ExitCode()
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return utilexec.CodeExitError{Err: err, Code: code}
}
