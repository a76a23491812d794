// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

// The first argument that makes this program one end of a forwarded connection: run through the
// wrapper it is where the pod is, and copies between a port there and its own input and output.
const connectCommand = "connect-to-port"

const (
	connectTimeout  = 10 * time.Second
	creationTimeout = 30 * time.Second // as the kubelet's, of streams
)

type forwarding struct {
	pods *pods
	at   place
}

func (p *pods) servePortForward(w http.ResponseWriter, r *http.Request) {
	ports, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	at := placeOf(r)
	portforward.ServePortForward(w, r, &forwarding{p, at}, at.pod, r.PathValue("uid"), ports,
		idleTimeout, creationTimeout, portforward.SupportedProtocols)
}

// PortForward returns when one of the two sides has closed.
func (f *forwarding) PortForward(ctx context.Context, _, _ string, port int32,
	stream io.ReadWriteCloser) error {
	var said bytes.Buffer

	defer stream.Close()
	cmd := f.pods.command(ctx, f.at, f.pods.program, connectCommand, strconv.Itoa(int(port)))
	cmd.Stdout = stream
	cmd.Stderr = &said
	err := runWithInput(cmd, stream)
	if _, ok := err.(*exec.ExitError); ok {
		return fmt.Errorf("port %d: %s", port, strings.TrimSpace(said.String()))
	}
	return err
}

// As container runtimes do: localhost, first IPv4, then IPv6.
func dial(port string) (*net.TCPConn, error) {
	conn, err := net.DialTimeout("tcp4", net.JoinHostPort("127.0.0.1", port), connectTimeout)
	if err != nil {
		six, err6 := net.DialTimeout("tcp6", net.JoinHostPort("::1", port), connectTimeout)
		if err6 != nil {
			return nil, err
		}
		conn = six
	}
	return conn.(*net.TCPConn), nil
}

func connect(port string) error {
	conn, err := dial(port)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(conn, os.Stdin)
		conn.CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, conn)
	return err
}
