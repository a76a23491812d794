// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// policy is the i-th; its number chooses what it looks like, its revision a port.
type policy struct {
	i, revision, namespaces, apps int
	version                       uint64
}

func (p *policy) key() int   { return p.i }
func (p *policy) at() uint64 { return p.version }
func (p *policy) port() int  { return 8080 + p.revision%10 }

// app: one of the policy's own namespace, as apps go round by namespace.
func (p *policy) app(step int) string {
	perNamespace := p.apps / p.namespaces
	return appName((p.i/p.namespaces+step)%perNamespace*p.namespaces + p.i%p.namespaces)
}

func (p *policy) head(b []byte, kind int, name string, version uint64) []byte {
	b = fmt.Appendf(b, `"metadata":{"name":"%s-%d","namespace":"%s","uid":"%s","resourceVersion":"%d","generation":%d,`+
		`"creationTimestamp":"2026-01-01T00:00:00Z",`, name, p.i, nsName(p.i%p.namespaces), uid(kind, p.i), version, p.revision+1)
	b = append(b, managedFields...)
	return append(b, `},"spec":`...)
}

type networkPolicy struct{ policy }

// The first of each namespace isolates it; the others let something through.
func (p *networkPolicy) render(b []byte, version uint64) []byte {
	b = p.head(b, 8, "np", version)
	if p.i < p.namespaces {
		return append(b, `{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{"from":[{"podSelector":{}}]}]}}`...)
	}
	switch p.i % 5 {
	case 0:
		b = fmt.Appendf(b, `{"podSelector":{"matchLabels":{"app":"%s"}},"policyTypes":["Ingress"],"ingress":[`+
			`{"from":[{"podSelector":{"matchLabels":{"app":"%s"}}}],"ports":[{"protocol":"TCP","port":%d}]}]}}`,
			p.app(0), p.app(1), p.port())
	case 1:
		b = fmt.Appendf(b, `{"podSelector":{"matchLabels":{"app":"%s"}},"policyTypes":["Ingress"],"ingress":[`+
			`{"from":[{"namespaceSelector":{"matchLabels":{"team":"t%d"}},"podSelector":{"matchLabels":{"tier":"web"}}}],`+
			`"ports":[{"protocol":"TCP","port":"http"},{"protocol":"TCP","port":%d}]}]}}`, p.app(2), p.i%20, p.port())
	case 2:
		b = fmt.Appendf(b, `{"podSelector":{"matchLabels":{"tier":"%s"}},"policyTypes":["Egress"],"egress":[`+
			`{"to":[{"ipBlock":{"cidr":"192.0.2.0/24","except":["192.0.2.64/26"]}}],"ports":[{"protocol":"TCP","port":443}]},`+
			`{"to":[{"podSelector":{}}],"ports":[{"protocol":"TCP","port":%d}]},`+
			`{"ports":[{"protocol":"UDP","port":53},{"protocol":"TCP","port":53}]}]}}`, tiers[p.i/5%len(tiers)], p.port())
	case 3:
		b = fmt.Appendf(b, `{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["%s","%s"]}]},`+
			`"policyTypes":["Ingress"],"ingress":[{"from":[{"podSelector":{"matchExpressions":[{"key":"version","operator":"NotIn",`+
			`"values":["v1"]}]}}],"ports":[{"protocol":"TCP","port":%d,"endPort":%d}]}]}}`, p.app(0), p.app(3), p.port(), p.port()+20)
	default:
		b = fmt.Appendf(b, `{"podSelector":{"matchLabels":{"tier":"db"}},"policyTypes":["Ingress"],"ingress":[`+
			`{"from":[{"podSelector":{"matchLabels":{"tier":"api"}}},{"namespaceSelector":{"matchLabels":{"env":"prod"}}}],`+
			`"ports":[{"protocol":"TCP","port":%d}]}]}}`, p.port())
	}
	return b
}

type identityPolicy struct{ policy }

func (p *identityPolicy) render(b []byte, version uint64) []byte {
	b = p.head(b, 9, "ip", version)
	b = fmt.Appendf(b, `{"subject":{"selector":{"matchLabels":{"app":"%s"}}},`, p.app(0))
	switch p.i % 3 {
	case 0:
		b = fmt.Appendf(b, `"ingress":[{"name":"from-next","authentication":"Required","from":[{"serviceAccounts":[`+
			`{"namespace":"%s","name":"sa-%s"}]}],"ports":[{"port":%d}]}]}}`, nsName(p.i%p.namespaces), p.app(1), p.port())
	case 1:
		b = fmt.Appendf(b, `"ingress":[{"name":"tier","from":[{"selector":{"matchLabels":{"tier":"web"}}}],"ports":[{"port":"http"},`+
			`{"port":%d}]},{"name":"world","from":[{"cidrs":[{"cidr":"198.51.100.0/24"}]}],"ports":[{"port":443}]}]}}`, p.port())
	default:
		b = fmt.Appendf(b, `"mode":"Audit","egress":[{"name":"out","to":[{"namespaceSelector":{"matchLabels":{"team":"t%d"}},`+
			`"selector":{"matchLabels":{"tier":"api"}}},{"entities":["World"]}],"ports":[{"port":%d}]},`+
			`{"name":"dns","ports":[{"port":53,"protocol":"UDP"},{"port":53}]}]}}`, p.i%20, p.port())
	}
	return b
}
