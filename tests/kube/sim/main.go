// SPDX-License-Identifier: Apache-2.0

// Command kube-sim answers one agent like the API server of a large cluster: lists, streaming
// lists and watches over HTTP/2 and TLS, then changes at a given rate, the same ones for the
// same seed. Nothing behind it is real but the connection. Pods called "mark" appear each
// second; with the agent's pinned map it measures when the kernel knows them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type options struct {
	dir, listen, bpffs, trustDomain        string
	seed                                   int64
	nodes, pods, namespaces, apps, ownPods int
	services, networkPolicies, identities  int
	records, streaming                     bool
	rate                                   rates
	keyLifetime                            time.Duration
}

// rates are per second; what is 0 does not happen.
type rates struct {
	Pods      float64 `json:"pods"`      // events of pods
	Policies  float64 `json:"policies"`  // changed policies
	Beats     float64 `json:"beats"`     // Nodes whose status was written
	Records   float64 `json:"records"`   // NodeIdentities written anew
	Marks     float64 `json:"marks"`     // pods whose way into the kernel is timed
	Bookmarks float64 `json:"bookmarks"` // of each watch
}

func parse() *options {
	o := &options{}
	flag.StringVar(&o.dir, "dir", "", "where kubeconfig, credential files and own-pods are written")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "loopback address")
	flag.StringVar(&o.bpffs, "bpffs", "", "the agent's pins; without it marks are not timed")
	flag.StringVar(&o.trustDomain, "trust-domain", "cluster.local", "of node records")
	flag.Int64Var(&o.seed, "seed", 1, "of everything that is chosen by chance")
	flag.IntVar(&o.nodes, "nodes", 50, "Nodes; the first is the agent's, "+ownNode)
	flag.IntVar(&o.pods, "pods", 2000, "Pods")
	flag.IntVar(&o.namespaces, "namespaces", 20, "Namespaces")
	flag.IntVar(&o.apps, "apps", 200, "kinds of pods: labels and service accounts")
	flag.IntVar(&o.ownPods, "own-pods", 30, "Pods of the agent's own node")
	flag.IntVar(&o.services, "services", 150, "Services, each with an EndpointSlice; at most one per app")
	flag.IntVar(&o.networkPolicies, "network-policies", 160, "NetworkPolicies")
	flag.IntVar(&o.identities, "identity-policies", 40, "IdentityPolicies")
	flag.BoolVar(&o.records, "records", true, "serve signed NodeIdentities of all other nodes")
	flag.BoolVar(&o.streaming, "streaming", true, "streaming lists; else pages only")
	flag.DurationVar(&o.keyLifetime, "key-lifetime", 24*time.Hour, "of the nodes' keys")
	flag.Float64Var(&o.rate.Pods, "pod-rate", 0, "events of pods per second")
	flag.Float64Var(&o.rate.Policies, "policy-rate", 0, "changed policies per second")
	flag.Float64Var(&o.rate.Beats, "beat-rate", 0, "written Nodes per second")
	flag.Float64Var(&o.rate.Records, "record-rate", 0, "written NodeIdentities per second")
	flag.Float64Var(&o.rate.Marks, "mark-rate", 0, "marks per second")
	flag.Float64Var(&o.rate.Bookmarks, "bookmark-rate", 1.0/60, "bookmarks per second and watch")
	flag.Parse()
	return o
}

func (o *options) check() error {
	if o.dir == "" {
		return errors.New("--dir is missing")
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return errors.New("--listen: not a loopback address")
	}
	if o.nodes < 2 || o.nodes > 8000 || o.namespaces < 1 || o.apps < o.namespaces ||
		o.ownPods > o.pods || o.services > o.apps || o.pods > 200*o.nodes || o.ownPods > hostsPerNode {
		return errors.New("these sizes do not fit each other")
	}
	return nil
}

func writeFile(dir, name string, data []byte) error {
	return os.WriteFile(filepath.Join(dir, name), data, 0o600)
}

func writeOwnPods(o *options, w *world) error {
	var text strings.Builder
	for _, p := range w.pods.snapshot() {
		if p := p.(*pod); p.node == 0 {
			fmt.Fprintln(&text, p.uid())
		}
	}
	return writeFile(o.dir, "own-pods", []byte(text.String()))
}

func run(o *options) error {
	if err := o.check(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	pki, err := newPKI(o.trustDomain)
	if err != nil {
		return err
	}
	w, err := newWorld(o, pki)
	if err != nil {
		return err
	}
	s := newServer(o, w)
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	if err := pki.writeFiles(o.dir, listener.Addr().String()); err != nil {
		return err
	}
	if err := writeOwnPods(o, w); err != nil {
		return err
	}
	config, err := pki.serverTLS()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s, TLSConfig: config, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	go w.run(ctx)
	go s.bookmarks(ctx)
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := writeFile(o.dir, "ready", nil); err != nil {
		return err
	}
	log.Printf("serving %s: %d objects", listener.Addr(), w.total())
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func main() {
	if err := run(parse()); err != nil {
		log.Fatal(err)
	}
}
