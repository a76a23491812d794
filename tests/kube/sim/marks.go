// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	probeEvery = time.Millisecond
	markGiveUp = 30 * time.Second
	markLife   = 10 * time.Second
	bpfLookup  = 1 // BPF_MAP_LOOKUP_ELEM
	bpfGet     = 7 // BPF_OBJ_GET
)

// mark is a pod that comes or goes, and when the kernel knew.
type mark struct {
	pod        *pod
	gone       bool // it is to vanish
	made, sent time.Time
	mu         sync.Mutex
}

func (m *mark) wasSent(at time.Time) {
	m.mu.Lock()
	m.sent = at
	m.mu.Unlock()
}

// marks waits for the agent's kernel side to know them.
type marks struct {
	mu              sync.Mutex
	open            []*mark
	come, wire, go_ []float64 // ms: from made, from sent, and made to vanished
	sent, lost      int
	addresses       int // file descriptor of the map; -1: none yet
}

// lookUp asks the pinned map of addresses.
func (ms *marks) lookUp(address [16]byte) (bool, error) {
	var slot uint32
	attr := struct {
		fd         uint32
		_          uint32
		key, value uint64
		flags      uint64
	}{fd: uint32(ms.addresses), key: uint64(uintptr(unsafe.Pointer(&address))),
		value: uint64(uintptr(unsafe.Pointer(&slot)))}
	_, _, errno := unix.Syscall(unix.SYS_BPF, bpfLookup, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	switch errno {
	case 0:
		return true, nil
	case unix.ENOENT:
		return false, nil
	}
	return false, errno
}

func openPinned(pattern string) (int, error) {
	found, _ := filepath.Glob(pattern)
	if len(found) != 1 {
		return -1, fmt.Errorf("%s: %d pins", pattern, len(found))
	}
	path, err := unix.BytePtrFromString(found[0])
	if err != nil {
		return -1, err
	}
	attr := struct {
		path  uint64
		fd    uint32
		flags uint32
	}{path: uint64(uintptr(unsafe.Pointer(path)))}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, bpfGet, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func (ms *marks) add(m *mark) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.open = append(ms.open, m)
	ms.sent++
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// settle says whether the mark is done with.
func (ms *marks) settle(m *mark, now time.Time) bool {
	known, err := ms.lookUp(m.pod.address())
	if err == nil && known != m.gone {
		m.mu.Lock()
		sent := m.sent
		m.mu.Unlock()
		if m.gone {
			ms.go_ = append(ms.go_, millis(now.Sub(m.made)))
			return true
		}
		ms.come = append(ms.come, millis(now.Sub(m.made)))
		if !sent.IsZero() {
			ms.wire = append(ms.wire, max(0, millis(now.Sub(sent))))
		}
		return true
	}
	if now.Sub(m.made) < markGiveUp {
		return false
	}
	ms.lost++
	return true
}

// probe runs until ctx ends.
func (ms *marks) probe(ctx context.Context, bpffs string) {
	every(ctx, probeEvery, func() {
		ms.mu.Lock()
		defer ms.mu.Unlock()
		if len(ms.open) == 0 {
			return
		}
		if ms.addresses < 0 {
			fd, err := openPinned(filepath.Join(bpffs, "cs_addresses_v*"))
			if err != nil {
				return
			}
			ms.addresses = fd
		}
		ms.open = slices.DeleteFunc(ms.open, func(m *mark) bool { return ms.settle(m, time.Now()) })
	})
}

func (ms *marks) reset() {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.come, ms.wire, ms.go_, ms.sent, ms.lost = nil, nil, nil, len(ms.open), 0
}

func quantiles(v []float64) map[string]any {
	if len(v) == 0 {
		return map[string]any{"n": 0}
	}
	v = slices.Clone(v)
	slices.Sort(v)
	at := func(q float64) float64 { return v[min(len(v)-1, int(q*float64(len(v))))] }
	return map[string]any{"n": len(v), "p50": at(0.5), "p99": at(0.99), "max": v[len(v)-1]}
}

func (ms *marks) state() map[string]any {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return map[string]any{"sent": ms.sent, "open": len(ms.open), "lost": ms.lost,
		"made_to_kernel_ms": quantiles(ms.come), "written_to_kernel_ms": quantiles(ms.wire),
		"gone_from_kernel_ms": quantiles(ms.go_)}
}
