// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"time"
)

const ownNode = "node-00000"

type podState int

const (
	pending podState = iota
	scheduled
	running
	ready
	terminating
	ended
)

var tiers = []string{"web", "api", "worker", "cache", "db"}

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }
func nodeIP(i int) string   { return fmt.Sprintf("10.%d.%d.%d", 32+i>>16, i>>8&255, i&255) }
func nsName(i int) string   { return fmt.Sprintf("team-%03d", i) }
func appName(i int) string  { return fmt.Sprintf("app-%05d", i) }
func uid(kind, i int) string {
	return fmt.Sprintf("%08x-5eed-4%03x-8000-%012x", uint32(i)*2654435761, kind, i)
}
func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ---- pods ------------------------------------------------------------------------------

type pod struct {
	id, app, node, host int
	mark                int // 0: none
	namespaces          int
	variant             int // of its labels
	state               podState
	version             uint64
	made                time.Time
}

func (p *pod) key() int    { return p.id }
func (p *pod) at() uint64  { return p.version }
func (p *pod) uid() string { return uid(1, p.id) }

func (p *pod) ip() [4]byte {
	if p.mark != 0 {
		return [4]byte{10, 112, byte(p.mark >> 8), byte(p.mark)}
	}
	return [4]byte{10, byte(64 + p.node>>8), byte(p.node), byte(p.host)}
}

// address as the kernel's map has it: an IPv4 address in IPv6.
func (p *pod) address() [16]byte {
	a := p.ip()
	return [16]byte{10: 255, 11: 255, 12: a[0], 13: a[1], 14: a[2], 15: a[3]}
}

func (p *pod) ipText() string {
	a := p.ip()
	return fmt.Sprintf("%d.%d.%d.%d", a[0], a[1], a[2], a[3])
}

func (p *pod) containers() int { return 1 + p.app%4/2 }

func sortPods(pods []*pod) {
	slices.SortFunc(pods, func(a, b *pod) int { return a.id - b.id })
}

func (p *pod) labels(b []byte) []byte {
	if p.mark != 0 {
		return fmt.Appendf(b, `{"app":"mark","mark":"m-%d"}`, p.mark)
	}
	return fmt.Appendf(b, `{"app":"%s","app.kubernetes.io/managed-by":"Helm","app.kubernetes.io/part-of":"suite-%d",`+
		`"pod-template-hash":"%x","tier":"%s","version":"v%d"}`,
		appName(p.app), p.app%40, uint32(p.app+1)*2246822519, tiers[p.app%len(tiers)], 1+p.app%3+3*p.variant)
}

func (p *pod) render(b []byte, version uint64) []byte {
	made := timeText(p.made)
	name, account := appName(p.app), "sa-"+appName(p.app)
	if p.mark != 0 {
		name, account = "mark", "default"
	}
	b = fmt.Appendf(b, `"metadata":{"name":"%s-%06x","generateName":"%[1]s-","namespace":"%[3]s","uid":"%[4]s",`+
		`"resourceVersion":"%[5]d","generation":1,"creationTimestamp":"%[6]s","labels":`,
		name, p.id, nsName(p.app%p.namespaces), p.uid(), version, made)
	b = p.labels(b)
	b = fmt.Appendf(b, `,"annotations":{"prometheus.io/scrape":"true","prometheus.io/port":"8080",`+
		`"checksum/config":"%064x","kubectl.kubernetes.io/restartedAt":"%s"},"ownerReferences":[{"apiVersion":"apps/v1",`+
		`"kind":"ReplicaSet","name":"%s","uid":"%s","controller":true,"blockOwnerDeletion":true}],`,
		p.app, made, name, uid(2, p.app))
	if p.state >= terminating {
		b = fmt.Appendf(b, `"deletionTimestamp":"%s","deletionGracePeriodSeconds":30,`, made)
	}
	b = append(b, managedFields...)
	b = append(b, `},"spec":{`...)
	b = append(b, podVolumes...)
	b = append(b, `"containers":[`...)
	for i := range p.containers() {
		b = p.container(b, i)
	}
	b = fmt.Appendf(b, `],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst",`+
		`"serviceAccountName":"%s","serviceAccount":"%[1]s",`, account)
	if p.state >= scheduled {
		b = fmt.Appendf(b, `"nodeName":"%s",`, nodeName(p.node))
	}
	b = append(b, podTail...)
	return append(p.status(append(b, `},"status":{`...), made), '}', '}')
}

func (p *pod) container(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = fmt.Appendf(b, `{"name":"c%d","image":"registry.example.org/suite-%d/%s:1.%d.7@sha256:%064x","ports":[`+
		`{"name":"%s","containerPort":%d,"protocol":"TCP"}],`, i, p.app%40, appName(p.app), p.app%17, p.app,
		[]string{"http", "metrics", "grpc"}[i], 8080+i*10)
	return append(b, containerTail...)
}

func (p *pod) status(b []byte, made string) []byte {
	phase, is := "Running", "False"
	if p.state < running {
		phase = "Pending"
	}
	if p.state == ended {
		phase = "Succeeded"
	}
	if p.state == ready || p.state == terminating {
		is = "True"
	}
	b = fmt.Appendf(b, `"phase":"%s","conditions":[`, phase)
	for i, name := range []string{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"type":"%s","observedGeneration":1,"status":"%s","lastProbeTime":null,"lastTransitionTime":"%s"}`,
			name, is, made)
	}
	b = append(b, ']')
	if p.state >= scheduled {
		b = fmt.Appendf(b, `,"hostIP":"%s","hostIPs":[{"ip":"%[1]s"}],"startTime":"%[2]s"`, nodeIP(p.node), made)
	}
	if p.state >= running {
		b = fmt.Appendf(b, `,"podIP":"%s","podIPs":[{"ip":"%[1]s"}]`, p.ipText())
	}
	b = append(b, `,"containerStatuses":[`...)
	for i := range p.containers() {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"name":"c%d","state":{"running":{"startedAt":"%s"}},"lastState":{},"ready":%t,"restartCount":0,`+
			`"image":"registry.example.org/suite-%d/%s:1.%d.7","imageID":"registry.example.org/suite-%[4]d/%[5]s@sha256:%064[7]x",`+
			`"containerID":"containerd://%064[8]x","started":true}`, i, made, is == "True", p.app%40, appName(p.app), p.app%17,
			p.app, p.id)
	}
	return append(b, `],"qosClass":"Burstable"`...)
}

// ---- the others ------------------------------------------------------------------------

type namespace struct {
	i       int
	version uint64
}

func (n *namespace) key() int   { return n.i }
func (n *namespace) at() uint64 { return n.version }
func (n *namespace) render(b []byte, version uint64) []byte {
	return fmt.Appendf(b, `"metadata":{"name":"%s","uid":"%s","resourceVersion":"%d","creationTimestamp":"2026-01-01T00:00:00Z",`+
		`"labels":{"kubernetes.io/metadata.name":"%[1]s","team":"t%[4]d","env":"%[5]s"}},"spec":{"finalizers":["kubernetes"]},`+
		`"status":{"phase":"Active"}}`, nsName(n.i), uid(3, n.i), version, n.i%20, []string{"prod", "stage", "dev"}[n.i%3])
}

type node struct {
	i       int
	version uint64
	beats   int
}

func (n *node) key() int   { return n.i }
func (n *node) at() uint64 { return n.version }
func (n *node) render(b []byte, version uint64) []byte {
	name := nodeName(n.i)
	cidr := fmt.Sprintf("10.%d.%d.0/24", 64+n.i>>8, n.i&255)
	b = fmt.Appendf(b, `"metadata":{"name":"%s","uid":"%s","resourceVersion":"%d","creationTimestamp":"2026-01-01T00:00:00Z",`+
		`"labels":{"beta.kubernetes.io/arch":"amd64","kubernetes.io/arch":"amd64","kubernetes.io/hostname":"%[1]s","kubernetes.io/os":"linux",`+
		`"node.kubernetes.io/instance-type":"m.large","topology.kubernetes.io/zone":"zone-%[4]d"},`+
		`"annotations":{"node.alpha.kubernetes.io/ttl":"300","volumes.kubernetes.io/controller-managed-attach-detach":"true"},`,
		name, uid(4, n.i), version, n.i%3)
	b = append(b, managedFields...)
	b = fmt.Appendf(b, `},"spec":{"podCIDR":"%s","podCIDRs":["%[1]s"],"providerID":"cloud:///%[2]s"},"status":{`+
		`"addresses":[{"type":"InternalIP","address":"%[3]s"},{"type":"Hostname","address":"%[2]s"}],"conditions":[`,
		cidr, name, nodeIP(n.i))
	for i, name := range []string{"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"} {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"type":"%s","status":"%s","lastHeartbeatTime":"%s","lastTransitionTime":"2026-01-01T00:00:00Z",`+
			`"reason":"Kubelet%[1]s","message":"kubelet is as it should be"}`, name, map[bool]string{true: "True", false: "False"}[i == 3],
			timeText(time.Unix(1790000000+int64(n.beats)*300, 0)))
	}
	b = append(b, `],"images":[`...)
	for i := range 25 {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"names":["registry.example.org/suite-%d/image-%d@sha256:%064x","registry.example.org/suite-%[1]d/image-%[2]d:1.%[2]d"],`+
			`"sizeBytes":%[4]d}`, i, n.i%50, i*n.i, 10000000+i)
	}
	return append(b, `],"capacity":{"cpu":"32","memory":"131072Mi","pods":"110"}}}`...)
}

type service struct {
	app, namespaces int
	version         uint64
}

func (s *service) key() int   { return s.app }
func (s *service) at() uint64 { return s.version }
func (s *service) render(b []byte, version uint64) []byte {
	ip := fmt.Sprintf("10.%d.%d.%d", 128+s.app>>16, s.app>>8&255, s.app&255)
	b = fmt.Appendf(b, `"metadata":{"name":"%s","namespace":"%s","uid":"%s","resourceVersion":"%d","creationTimestamp":"2026-01-01T00:00:00Z",`+
		`"labels":{"app":"%[1]s"},`, appName(s.app), nsName(s.app%s.namespaces), uid(5, s.app), version)
	b = append(b, managedFields...)
	return fmt.Appendf(b, `},"spec":{"ports":[{"name":"http","protocol":"TCP","port":80,"targetPort":"http"}],"selector":{"app":"%s"},`+
		`"clusterIP":"%s","clusterIPs":["%[2]s"],"type":"ClusterIP","sessionAffinity":"None","ipFamilies":["IPv4"],`+
		`"ipFamilyPolicy":"SingleStack","internalTrafficPolicy":"Cluster"},"status":{"loadBalancer":{}}}`, appName(s.app), ip)
}

type slice struct {
	app, namespaces int
	version         uint64
	pods            []*pod
}

func (s *slice) key() int   { return s.app }
func (s *slice) at() uint64 { return s.version }
func (s *slice) render(b []byte, version uint64) []byte {
	ns := nsName(s.app % s.namespaces)
	b = fmt.Appendf(b, `"metadata":{"name":"%s-x1","generateName":"%[1]s-","namespace":"%[2]s","uid":"%[3]s","resourceVersion":"%[4]d",`+
		`"generation":%[4]d,"creationTimestamp":"2026-01-01T00:00:00Z","labels":{"kubernetes.io/service-name":"%[1]s",`+
		`"endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"},`, appName(s.app), ns, uid(6, s.app), version)
	b = append(b, managedFields...)
	b = append(b, `},"addressType":"IPv4","endpoints":[`...)
	for i, p := range s.pods {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"addresses":["%s"],"conditions":{"ready":%t,"serving":true,"terminating":%t},"targetRef":{"kind":"Pod",`+
			`"namespace":"%s","name":"%s-%06x","uid":"%s"},"nodeName":"%s","zone":"zone-1"}`, p.ipText(), p.state == ready,
			p.state == terminating, ns, appName(s.app), p.id, p.uid(), nodeName(p.node))
	}
	return append(b, `],"ports":[{"name":"http","port":8080,"protocol":"TCP"}]}`...)
}

func (r *record) key() int   { return r.number }
func (r *record) at() uint64 { return r.version }
func (r *record) render(b []byte, version uint64) []byte {
	return fmt.Appendf(b, `"metadata":{"name":"%d","uid":"%s","resourceVersion":"%d","generation":1,`+
		`"creationTimestamp":"2026-01-01T00:00:00Z"},"spec":%s}`, r.number, uid(7, r.number), version, r.spec)
}
