// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

const recordLabel = "countersign node record 1" // docs/wire.md
const day = 24 * time.Hour

type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// pki is a root and an intermediate authority, which signs the nodes, as SPIRE has them.
type pki struct {
	domain   string
	begun    time.Time
	serial   int64
	root, ca authority
}

func (p *pki) template(name string) *x509.Certificate {
	p.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(p.serial), Subject: pkix.Name{CommonName: name},
		NotBefore: p.begun.Add(-day), NotAfter: p.begun.Add(2 * day), BasicConstraintsValid: true,
	}
}

func (p *pki) make(template *x509.Certificate, issuer *authority) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	if issuer == nil {
		issuer = &authority{key, template}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, &key.PublicKey, issuer.key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return authority{key, cert}, err
}

func (p *pki) authority(name string, issuer *authority) (authority, error) {
	template := p.template(name)
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.URIs = []*url.URL{{Scheme: "spiffe", Host: p.domain}}
	return p.make(template, issuer)
}

func (p *pki) node(name string) (authority, error) {
	template := p.template(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.URIs = []*url.URL{{Scheme: "spiffe", Host: p.domain, Path: "/countersign/node/" + name}}
	return p.make(template, &p.ca)
}

func newPKI(domain string) (*pki, error) {
	p := &pki{domain: domain, begun: time.Now()}
	var err error
	if p.root, err = p.authority("root", nil); err == nil {
		p.ca, err = p.authority("intermediate", &p.root)
	}
	return p, err
}

func pemOf(kind string, der ...[]byte) (text []byte) {
	for _, d := range der {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: d})...)
	}
	return text
}

func (p *pki) serverTLS() (*tls.Config, error) {
	template := p.template("kube-sim")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	made, err := p.make(template, &p.ca)
	return &tls.Config{NextProtos: []string{"h2"}, Certificates: []tls.Certificate{{
		Certificate: [][]byte{made.cert.Raw, p.ca.cert.Raw}, PrivateKey: made.key}}}, err
}

// writeFiles: a kubeconfig, and the agent's own certificate as files:DIR takes it.
func (p *pki) writeFiles(dir, address string) error {
	own, err := p.node(ownNode)
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(own.key)
	if err != nil {
		return err
	}
	root := pemOf("CERTIFICATE", p.root.cert.Raw)
	kubeconfig := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"sim",
"contexts":[{"name":"sim","context":{"cluster":"sim","user":"sim"}}],
"users":[{"name":"sim","user":{"token":"sim"}}],
"clusters":[{"name":"sim","cluster":{"server":"https://%s","certificate-authority-data":"%s"}}]}
`, address, base64.StdEncoding.EncodeToString(root))
	for name, data := range map[string][]byte{
		"kubeconfig": []byte(kubeconfig), "ca.crt": root, "tls.key": pemOf("PRIVATE KEY", key),
		"tls.crt": pemOf("CERTIFICATE", own.cert.Raw, p.ca.cert.Raw),
	} {
		if err := writeFile(dir, name, data); err != nil {
			return err
		}
	}
	return nil
}

// record is a NodeIdentity, signed as docs/wire.md says.
type record struct {
	number  int
	version uint64
	spec    string
}

func (p *pki) record(number int, name string, issued time.Time, lifetime time.Duration) (*record, error) {
	made, err := p.node(name)
	if err != nil {
		return nil, err
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	issued = issued.Truncate(time.Millisecond).UTC()
	until := issued.Add(lifetime)
	b := []byte(recordLabel)
	for _, text := range []string{p.domain, name} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
		b = append(b, text...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(number))
	b = binary.BigEndian.AppendUint64(b, uint64(issued.UnixMilli()))
	b = append(b, 1, 0) // one key, of parity 0
	b = append(b, key.PublicKey().Bytes()...)
	for _, at := range []time.Time{issued, issued, until} {
		b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMilli()))
	}
	b = append(b, 2)
	for _, cert := range []*x509.Certificate{made.cert, p.ca.cert} {
		sum := sha256.Sum256(cert.Raw)
		b = append(b, sum[:]...)
	}
	sum := sha256.Sum256(b)
	signature, err := ecdsa.SignASN1(rand.Reader, made.key, sum[:])
	if err != nil {
		return nil, err
	}
	text := base64.StdEncoding.EncodeToString
	at := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }
	return &record{number: number, spec: fmt.Sprintf(`{"certificates":["%s","%s"],"issued":"%s",`+
		`"keys":[{"active":"%[3]s","notAfter":"%[4]s","notBefore":"%[3]s","parity":0,"publicKey":"%[5]s"}],`+
		`"node":"%[6]s","number":%[7]d,"signature":"%[8]s","trustDomain":"%[9]s"}`,
		text(made.cert.Raw), text(p.ca.cert.Raw), at(issued), at(until),
		text(key.PublicKey().Bytes()), name, number, text(signature), p.domain)}, nil
}
