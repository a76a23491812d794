// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strconv"
	"sync"
	"time"
)

const logEvents = 8192 // of a kind; who asks for older ones gets 410

// object is one version of something; it never changes once it is put in.
type object interface {
	key() int
	render(b []byte, version uint64) []byte
	at() uint64 // its resourceVersion
}

type event struct {
	version uint64
	data    []byte
	mark    *mark
}

// kind holds the objects of one resource and what happened to them lately.
type kind struct {
	path, plural     string // "/apis/g/v1", "pods"
	apiVersion, name string
	mu               sync.Mutex
	more             *sync.Cond
	objects          []object
	place            map[int]int // key -> index in objects
	log              []event
	first            uint64 // number of log[0], counted from the beginning
	dropped          uint64 // version of the newest event that was forgotten
	sent             counter
}

type counter struct{ events, bytes uint64 }

func newKind(path, apiVersion, plural, name string) *kind {
	k := &kind{path: path, apiVersion: apiVersion, plural: plural, name: name, place: map[int]int{}}
	k.more = sync.NewCond(&k.mu)
	return k
}

func (k *kind) url() string { return k.path + "/" + k.plural }

func (k *kind) snapshot() []object {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]object(nil), k.objects...)
}

// head opens an object: what every one of its kind has.
func (k *kind) head(b []byte) []byte {
	b = append(b, `{"apiVersion":"`...)
	b = append(b, k.apiVersion...)
	b = append(b, `","kind":"`...)
	b = append(b, k.name...)
	return append(b, `",`...)
}

func (k *kind) line(kind string, o object, version uint64) []byte {
	b := make([]byte, 0, 8192)
	b = append(b, `{"type":"`...)
	b = append(b, kind...)
	b = append(b, `","object":`...)
	b = k.head(b)
	b = o.render(b, version)
	return append(b, '}', '\n')
}

// add is for the beginning, when nobody watches yet.
func (k *kind) add(o object) {
	k.place[o.key()] = len(k.objects)
	k.objects = append(k.objects, o)
}

func (k *kind) tell(e event) {
	if len(k.log) >= logEvents {
		half := len(k.log) / 2
		k.dropped = k.log[half-1].version
		k.first += uint64(half)
		k.log = append([]event(nil), k.log[half:]...)
	}
	k.log = append(k.log, e)
	k.more.Broadcast()
}

// put makes or changes an object and tells who watches.
func (k *kind) put(o object, m *mark) {
	k.mu.Lock()
	defer k.mu.Unlock()
	what := "MODIFIED"
	if i, ok := k.place[o.key()]; ok {
		k.objects[i] = o
	} else {
		what = "ADDED"
		k.add(o)
	}
	k.tell(event{o.at(), k.line(what, o, o.at()), m})
}

func (k *kind) remove(key int, version uint64, m *mark) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i, ok := k.place[key]
	if !ok {
		return
	}
	o, last := k.objects[i], k.objects[len(k.objects)-1]
	k.objects[i] = last
	k.place[last.key()] = i
	k.objects = k.objects[:len(k.objects)-1]
	delete(k.place, key)
	k.tell(event{version, k.line("DELETED", o, version), m})
}

func (k *kind) bookmark(version uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tell(event{version, k.bookmarkLine(version, ""), nil})
}

func (k *kind) bookmarkLine(version uint64, annotations string) []byte {
	b := append([]byte(nil), `{"type":"BOOKMARK","object":`...)
	b = k.head(b)
	b = append(b, `"metadata":{"resourceVersion":"`...)
	b = strconv.AppendUint(b, version, 10)
	b = append(b, `","creationTimestamp":null`...)
	b = append(b, annotations...)
	return append(b, "}}}\n"...)
}

// after finds the number of the first event that is newer than version; false: forgotten.
func (k *kind) after(version uint64) (uint64, bool) {
	if version < k.dropped {
		return 0, false
	}
	n := k.first
	for _, e := range k.log {
		if e.version > version {
			break
		}
		n++
	}
	return n, true
}

// next waits for events from number n on; false: they are forgotten, or the watch is over.
func (k *kind) next(ctx context.Context, n uint64) ([]event, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for n == k.first+uint64(len(k.log)) && ctx.Err() == nil {
		k.more.Wait()
	}
	if n < k.first || ctx.Err() != nil {
		return nil, false
	}
	return append([]event(nil), k.log[n-k.first:]...), true
}

// wakeWhenDone lets next() return when ctx ends.
func (k *kind) wakeWhenDone(ctx context.Context) {
	<-ctx.Done()
	k.mu.Lock()
	k.more.Broadcast()
	k.mu.Unlock()
}

func (k *kind) count(events, bytes int) {
	k.mu.Lock()
	k.sent.events += uint64(events)
	k.sent.bytes += uint64(bytes)
	k.mu.Unlock()
}

func every(ctx context.Context, d time.Duration, f func()) {
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f()
		}
	}
}
