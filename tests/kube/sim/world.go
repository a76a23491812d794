// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tick         = 5 * time.Millisecond
	slicesEvery  = 100 * time.Millisecond // as the controller gathers changes
	lifeSpread   = 0.5                    // seconds between the steps of one pod's life
	labelsOneIn  = 20                     // changes are new labels of a pod that stays
	firstMark    = 1 << 30                // keys of marks
	hostsPerNode = 250                    // addresses of a node's /24
)

// world is what the cluster consists of. Only run() changes it.
type world struct {
	o       *options
	pki     *pki
	version atomic.Uint64
	kinds   map[string]*kind // by URL

	pods, namespaces, nodes, services, slices *kind
	networkPolicies, identityPolicies, nids   *kind

	apps    []map[int]*pod // the pods of each
	hosts   [][4]uint64    // addresses in use, by node
	nextPod int
	busy    map[int]bool // pods that a life is about
	lives   []*life
	dirty   map[int]bool // apps whose EndpointSlice is out of date
	flushed time.Time
	marks   *marks
	alive   []*pod // marks, the oldest first
	nMarks  int

	chance struct{ pods, policies, beats, records, marks *rand.Rand }
	mu     sync.Mutex
	rate   rates
	due    rates // fractions that are not done yet
}

// life is the way from one pod of an app to the next.
type life struct {
	step     int
	old, new *pod
}

func newWorld(o *options, p *pki) (*world, error) {
	w := &world{o: o, pki: p, kinds: map[string]*kind{}, busy: map[int]bool{}, dirty: map[int]bool{},
		apps: make([]map[int]*pod, o.apps), hosts: make([][4]uint64, o.nodes), rate: o.rate,
		marks: &marks{addresses: -1}}
	for i, r := range []**rand.Rand{&w.chance.pods, &w.chance.policies, &w.chance.beats,
		&w.chance.records, &w.chance.marks} {
		*r = rand.New(rand.NewSource(o.seed + int64(i)))
	}
	w.version.Store(1000)
	w.makeKinds()
	w.fill()
	return w, w.fillRecords()
}

func (w *world) kind(path, apiVersion, plural, name string) *kind {
	k := newKind(path, apiVersion, plural, name)
	w.kinds[k.url()] = k
	return k
}

// makeKinds: those of the project's own that stay empty are served as well.
func (w *world) makeKinds() {
	const own = "countersign.dev/v1alpha1"
	w.pods = w.kind("/api/v1", "v1", "pods", "Pod")
	w.namespaces = w.kind("/api/v1", "v1", "namespaces", "Namespace")
	w.nodes = w.kind("/api/v1", "v1", "nodes", "Node")
	w.services = w.kind("/api/v1", "v1", "services", "Service")
	w.slices = w.kind("/apis/discovery.k8s.io/v1", "discovery.k8s.io/v1", "endpointslices", "EndpointSlice")
	w.networkPolicies = w.kind("/apis/networking.k8s.io/v1", "networking.k8s.io/v1", "networkpolicies", "NetworkPolicy")
	w.identityPolicies = w.kind("/apis/"+own, own, "identitypolicies", "IdentityPolicy")
	w.nids = w.kind("/apis/"+own, own, "nodeidentities", "NodeIdentity")
	w.kind("/apis/"+own, own, "clusteridentitypolicies", "ClusterIdentityPolicy")
	w.kind("/apis/"+own, own, "workloads", "Workload")
	w.kind("/apis/"+own, own, "revocations", "Revocation")
}

func (w *world) next() uint64 { return w.version.Add(1) }

// hostOf takes a free address of a node.
func (w *world) hostOf(node int) (int, bool) {
	used := &w.hosts[node]
	for host := 2; host < 2+hostsPerNode; host++ {
		if used[host/64]&(1<<(host%64)) == 0 {
			used[host/64] |= 1 << (host % 64)
			return host, true
		}
	}
	return 0, false
}

func (w *world) freeHost(p *pod) { w.hosts[p.node][p.host/64] &^= 1 << (p.host % 64) }

func (w *world) fill() {
	o := w.o
	for i := range o.namespaces {
		w.namespaces.add(&namespace{i, w.next()})
	}
	for i := range o.nodes {
		w.nodes.add(&node{i, w.next(), 0})
	}
	for i := range w.apps {
		w.apps[i] = map[int]*pod{}
	}
	for i := range o.pods {
		at := 1 + i%(o.nodes-1)
		if i < o.ownPods {
			at = 0
		}
		host, _ := w.hostOf(at)
		p := &pod{id: i, app: i * 7919 % o.apps, node: at, host: host, state: ready, namespaces: o.namespaces,
			version: w.next(), made: w.pki.begun.Add(-time.Hour)}
		w.apps[p.app][p.id] = p
		w.pods.add(p)
	}
	w.nextPod = o.pods
	for i := range o.services {
		w.services.add(&service{i, o.namespaces, w.next()})
		w.slices.add(w.sliceOf(i))
	}
	for i := range o.networkPolicies {
		w.networkPolicies.add(&networkPolicy{policy{i, 0, o.namespaces, o.apps, w.next()}})
	}
	for i := range o.identities {
		w.identityPolicies.add(&identityPolicy{policy{i, 0, o.namespaces, o.apps, w.next()}})
	}
}

func (w *world) fillRecords() error {
	for i := 1; i < w.o.nodes && w.o.records; i++ {
		r, err := w.pki.record(i+1, nodeName(i), w.pki.begun.Add(-time.Hour), w.o.keyLifetime)
		if err != nil {
			return err
		}
		r.version = w.next()
		w.nids.add(r)
	}
	return nil
}

func (w *world) total() (n int) {
	for _, k := range w.kinds {
		n += len(k.objects)
	}
	return n
}

// ---- what changes ----------------------------------------------------------------------

func (w *world) rates() rates {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rate
}

// setRates also begins the figures anew.
func (w *world) setRates(r rates) {
	w.mu.Lock()
	w.rate, w.due = r, rates{}
	w.mu.Unlock()
	w.marks.reset()
	for _, k := range w.kinds {
		k.mu.Lock()
		k.sent = counter{}
		k.mu.Unlock()
	}
}

func (r *rates) set(values url.Values) error {
	fields := map[string]*float64{"pods": &r.Pods, "policies": &r.Policies, "beats": &r.Beats,
		"records": &r.Records, "marks": &r.Marks, "bookmarks": &r.Bookmarks}
	for name, value := range values {
		field := fields[name]
		if field == nil {
			return fmt.Errorf("no such rate: %s", name)
		}
		v, err := strconv.ParseFloat(value[0], 64)
		if err != nil || v < 0 {
			return fmt.Errorf("%s: not a rate", name)
		}
		*field = v
	}
	return nil
}

func (w *world) run(ctx context.Context) {
	go w.marks.probe(ctx, w.o.bpffs)
	last := time.Now()
	every(ctx, tick, func() {
		now := time.Now()
		w.advance(min(now.Sub(last), time.Second).Seconds())
		last = now
		if now.Sub(w.flushed) >= slicesEvery {
			w.flushSlices()
			w.flushed = now
		}
		w.endMarks(now)
	})
}

func (w *world) advance(seconds float64) {
	rate := w.rates()
	steps := []struct {
		rate float64
		due  *float64
		do   func()
	}{
		{rate.Pods, &w.due.Pods, func() { w.changePod(int(rate.Pods * lifeSpread)) }},
		{rate.Policies, &w.due.Policies, w.changePolicy},
		{rate.Beats, &w.due.Beats, w.beat},
		{rate.Records, &w.due.Records, w.rotate},
		{rate.Marks, &w.due.Marks, w.mark},
	}
	for _, s := range steps {
		w.mu.Lock()
		*s.due += s.rate * seconds
		n := int(*s.due)
		*s.due -= float64(n)
		w.mu.Unlock()
		for range n {
			s.do()
		}
	}
}

func (w *world) show(p *pod) {
	p.version = w.next()
	if w.apps[p.app][p.id] != nil || p.state == pending {
		w.apps[p.app][p.id] = p
	}
	w.pods.put(p, nil)
}

func (w *world) becomes(p *pod, state podState) *pod {
	changed := *p
	changed.state = state
	if state == ready || state == terminating {
		w.dirty[p.app] = true
	}
	w.show(&changed)
	return &changed
}

// pick: any pod but the own node's, marks, and those that change already.
func (w *world) pick() *pod {
	for range 100 {
		p := w.pods.objects[w.chance.pods.Intn(len(w.pods.objects))].(*pod)
		if p.node != 0 && p.mark == 0 && !w.busy[p.id] {
			return p
		}
	}
	return nil
}

// changePod makes one event of a pod happen, in a life that began or in a new one.
func (w *world) changePod(lives int) {
	if len(w.lives) > 0 && len(w.lives) >= lives {
		l := w.lives[0]
		w.lives = w.lives[1:]
		if w.live(l) {
			w.lives = append(w.lives, l)
		}
		return
	}
	p := w.pick()
	if p == nil {
		return
	}
	if w.chance.pods.Intn(labelsOneIn) == 0 {
		changed := *p
		changed.variant ^= 1
		w.show(&changed)
		return
	}
	w.busy[p.id] = true
	w.lives = append(w.lives, &life{1, w.becomes(p, terminating), nil})
}

// live takes a life one step further; false: it is over.
func (w *world) live(l *life) bool {
	switch l.step {
	case 1:
		l.new = &pod{id: w.nextPod, app: l.old.app, namespaces: l.old.namespaces, variant: l.old.variant,
			state: pending, made: time.Now()}
		w.nextPod++
		w.busy[l.new.id] = true
		w.show(l.new)
	case 2:
		changed := *l.new
		changed.node = 1 + w.chance.pods.Intn(w.o.nodes-1)
		host, ok := w.hostOf(changed.node)
		if !ok {
			return true // another node, next time
		}
		changed.host = host
		l.new = w.becomes(&changed, scheduled)
	case 3:
		l.old = w.becomes(l.old, ended)
	case 4:
		l.new = w.becomes(l.new, running)
	case 5:
		delete(w.apps[l.old.app], l.old.id)
		delete(w.busy, l.old.id)
		w.freeHost(l.old)
		w.pods.remove(l.old.id, w.next(), nil)
	case 6:
		l.new = w.becomes(l.new, ready)
		delete(w.busy, l.new.id)
		return false
	}
	l.step++
	return true
}

func (w *world) sliceOf(app int) *slice {
	s := &slice{app: app, namespaces: w.o.namespaces, version: w.next()}
	for _, p := range w.apps[app] {
		if p.host != 0 && (p.state == ready || p.state == terminating) {
			s.pods = append(s.pods, p)
		}
	}
	sortPods(s.pods)
	return s
}

func (w *world) flushSlices() {
	for app := range w.dirty {
		if app < w.o.services {
			w.slices.put(w.sliceOf(app), nil)
		}
	}
	clear(w.dirty)
}

func (w *world) changePolicy() {
	i := w.chance.policies.Intn(w.o.networkPolicies + w.o.identities)
	if i < w.o.networkPolicies {
		p := *w.networkPolicies.objects[i].(*networkPolicy)
		p.revision++
		p.version = w.next()
		w.networkPolicies.put(&p, nil)
		return
	}
	p := *w.identityPolicies.objects[i-w.o.networkPolicies].(*identityPolicy)
	p.revision++
	p.version = w.next()
	w.identityPolicies.put(&p, nil)
}

// beat: a kubelet writes its Node's status, in which nothing changed but times.
func (w *world) beat() {
	n := *w.nodes.objects[w.chance.beats.Intn(w.o.nodes)].(*node)
	n.beats++
	n.version = w.next()
	w.nodes.put(&n, nil)
}

func (w *world) rotate() {
	i := 1 + w.chance.records.Intn(w.o.nodes-1)
	r, err := w.pki.record(i+1, nodeName(i), time.Now(), w.o.keyLifetime)
	if err != nil || !w.o.records {
		return
	}
	r.version = w.next()
	w.nids.put(r, nil)
}

// publish: the record that the agent wrote of itself comes back to it.
func (w *world) publish(path string, object map[string]any) {
	number, err := strconv.Atoi(path[strings.LastIndexByte(path, '/')+1:])
	spec, specErr := json.Marshal(object["spec"])
	if err == nil && specErr == nil {
		w.nids.put(&record{number, w.next(), string(spec)}, nil)
	}
}

func (w *world) mark() {
	w.nMarks++
	p := &pod{id: firstMark + w.nMarks, mark: w.nMarks, node: 1 + w.chance.marks.Intn(w.o.nodes-1),
		host: 1, state: ready, namespaces: w.o.namespaces, version: w.next(), made: time.Now()}
	m := &mark{pod: p, made: time.Now()}
	w.marks.add(m)
	w.pods.put(p, m)
	w.alive = append(w.alive, p)
}

func (w *world) endMarks(now time.Time) {
	for len(w.alive) > 0 && now.Sub(w.alive[0].made) > markLife {
		m := &mark{pod: w.alive[0], gone: true, made: time.Now()}
		w.alive = w.alive[1:]
		w.marks.add(m)
		w.pods.remove(m.pod.id, w.next(), m)
	}
}

// counts: what there is of each kind, and what was sent of it; kept pods are those that a
// node has and that have not ended.
func (w *world) counts() map[string]any {
	all := map[string]any{}
	for _, k := range w.kinds {
		k.mu.Lock()
		n := len(k.objects)
		for _, o := range k.objects {
			if p, ok := o.(*pod); ok && (p.state == pending || p.state == ended) {
				n--
			}
		}
		all[k.name] = map[string]any{"objects": n, "events": k.sent.events, "bytes": k.sent.bytes}
		k.mu.Unlock()
	}
	return all
}

// find renders one Node.
func (w *world) find(path string) []byte {
	k := w.nodes
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.objects {
		if path == k.url()+"/"+nodeName(o.key()) {
			return append(o.render(k.head([]byte("{")), o.at()), '\n')
		}
	}
	return nil
}
