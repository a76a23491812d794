// SPDX-License-Identifier: Apache-2.0

// Command lab-kubelet is the part of a kubelet that `kubectl exec` and `kubectl port-forward`
// need: it serves /exec and /portForward with Kubernetes' own streaming code and runs the
// commands on this machine, each through a wrapper command that puts it where its pod is. On
// request it also writes its address into its Node, as kubelets do.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const headerTimeout = 10 * time.Second

type options struct {
	listen   string
	cert     string
	key      string
	clientCA string
	client   string
	wrapper  string
	register registration
}

func parseOptions() *options {
	o := &options{}

	flag.StringVar(&o.listen, "listen", "127.0.0.1:10250", "address and port to serve on")
	flag.StringVar(&o.cert, "tls-cert-file", "", "certificate to serve with")
	flag.StringVar(&o.key, "tls-private-key-file", "", "its key")
	flag.StringVar(&o.clientCA, "client-ca-file", "", "authorities of clients' certificates")
	flag.StringVar(&o.client, "client-name", "kube-apiserver-kubelet-client",
		"common name of the only client that is served")
	flag.StringVar(&o.wrapper, "exec-wrapper", "",
		"command, split at spaces, that runs what follows it where the pod is; it finds the "+
			"pod in POD_NAMESPACE, POD_NAME and CONTAINER_NAME")
	flag.StringVar(&o.register.kubeconfig, "register", "",
		"kubeconfig file: write address and port into the Node, which is made when missing")
	flag.StringVar(&o.register.node, "node-name", "", "the Node's name, for --register")
	flag.Parse()
	return o
}

func tlsConfig(o *options) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(o.clientCA)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", o.clientCA)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authorities,
		MinVersion:   tls.VersionTLS12,
		// The streams are upgraded HTTP/1.1 connections.
		NextProtos: []string{"http/1.1"},
	}, nil
}

// A kubelet asks the API server whether the client may; here there is just one that may.
func onlyFor(client string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.TLS.PeerCertificates[0].Subject.CommonName; name != client {
			log.Printf("refused %s %s for %q", r.Method, r.URL.Path, name)
			http.Error(w, fmt.Sprintf("%q is not served, only %q is", name, client),
				http.StatusForbidden)
			return
		}
		log.Printf("%s %s", r.Method, r.URL.Path)
		next.ServeHTTP(w, r)
	})
}

func routes(p *pods) http.Handler {
	mux := http.NewServeMux()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		mux.HandleFunc(method+" /exec/{namespace}/{pod}/{container}", p.serveExec)
		mux.HandleFunc(method+" /exec/{namespace}/{pod}/{uid}/{container}", p.serveExec)
		mux.HandleFunc(method+" /portForward/{namespace}/{pod}", p.servePortForward)
		mux.HandleFunc(method+" /portForward/{namespace}/{pod}/{uid}", p.servePortForward)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	return mux
}

func run(ctx context.Context, o *options) error {
	config, err := tlsConfig(o)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           onlyFor(o.client, routes(&pods{strings.Fields(o.wrapper), program})),
		TLSConfig:         config,
		ReadHeaderTimeout: headerTimeout,
		// An HTTP/2 handler cannot be upgraded.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	if o.register.kubeconfig != "" {
		if err := o.register.write(ctx, listener.Addr().(*net.TCPAddr)); err != nil {
			return err
		}
	}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	log.Printf("serving on %s", listener.Addr())
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func main() {
	log.SetPrefix("lab-kubelet: ")
	log.SetFlags(log.Lmicroseconds)
	if len(os.Args) == 3 && os.Args[1] == connectCommand {
		if err := connect(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, parseOptions()); err != nil {
		log.Fatal(err)
	}
}
