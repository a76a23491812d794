// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	bodyMax   = 1 << 20
	pagesOpen = 64
	chunk     = 64 << 10
)

type server struct {
	o       *options
	w       *world
	mu      sync.Mutex
	lists   map[string][]object // lists of which pages were given
	written map[string]map[string]any
	writes  map[string]int // "POST nodereports" -> times
	absent  map[string]int
}

func newServer(o *options, w *world) *server {
	return &server{o: o, w: w, lists: map[string][]object{}, written: map[string]map[string]any{},
		writes: map[string]int{}, absent: map[string]int{}}
}

func status(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1",
		"status": "Failure", "reason": reason, "message": message, "code": code})
}

func answer(w http.ResponseWriter, code int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(what)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/sim/") {
		s.own(w, r)
		return
	}
	k := s.w.kinds[r.URL.Path]
	switch {
	case r.Method != http.MethodGet:
		s.write(w, r)
	case k == nil:
		s.read(w, r)
	case r.URL.Query().Get("watch") == "true":
		s.watch(w, r, k)
	default:
		s.page(w, r, k)
	}
}

// ---- lists -----------------------------------------------------------------------------

// page: the objects of one list are those of its first page.
func (s *server) page(w http.ResponseWriter, r *http.Request, k *kind) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	var version uint64
	var from int
	var objects []object
	if token := q.Get("continue"); token != "" {
		if _, err := fmt.Sscanf(token, "%d.%d", &version, &from); err != nil {
			status(w, http.StatusBadRequest, "BadRequest", "continue")
			return
		}
		s.mu.Lock()
		objects = s.lists[fmt.Sprint(k.plural, version)]
		s.mu.Unlock()
		if objects == nil || from > len(objects) {
			status(w, http.StatusGone, "Expired", "the list is no longer known")
			return
		}
	} else {
		version = s.w.version.Load()
		objects = k.snapshot()
	}
	to, next := len(objects), ""
	if limit > 0 && from+limit < to {
		to = from + limit
		next = fmt.Sprintf("%d.%d", version, to)
		s.mu.Lock()
		if len(s.lists) > pagesOpen {
			clear(s.lists)
		}
		s.lists[fmt.Sprint(k.plural, version)] = objects
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	b := fmt.Appendf(nil, `{"kind":"%sList","apiVersion":"%s","metadata":{"resourceVersion":"%d","continue":"%s"},"items":[`,
		k.name, k.apiVersion, version, next)
	for i, o := range objects[from:to] {
		if i > 0 {
			b = append(b, ',')
		}
		b = o.render(append(b, '{'), o.at())
		if len(b) > chunk {
			w.Write(b)
			b = b[:0]
		}
	}
	w.Write(append(b, "]}"...))
	k.count(to-from, 0)
}

// ---- watches ---------------------------------------------------------------------------

// watcher is one watch that runs.
type watcher struct {
	k     *kind
	w     http.ResponseWriter
	flush *http.ResponseController
}

func (s *server) watch(w http.ResponseWriter, r *http.Request, k *kind) {
	q := r.URL.Query()
	seconds, _ := strconv.Atoi(q.Get("timeoutSeconds"))
	if seconds <= 0 {
		seconds = 1800
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(seconds)*time.Second)
	defer cancel()
	go k.wakeWhenDone(ctx)
	run := &watcher{k, w, http.NewResponseController(w)}
	initial := q.Get("sendInitialEvents") == "true"
	if initial && !s.o.streaming {
		status(w, http.StatusUnprocessableEntity, "Invalid", "sendInitialEvents is forbidden")
		return
	}
	version, err := strconv.ParseUint(q.Get("resourceVersion"), 10, 64)
	if !initial && err != nil {
		status(w, http.StatusBadRequest, "BadRequest", "resourceVersion")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	run.flush.Flush()
	var n uint64
	if initial {
		n, err = run.initial(s.w)
	} else {
		n, err = run.from(version)
	}
	for err == nil {
		n, err = run.follow(ctx, n)
	}
}

// initial: all that is there, then the mark that this was all.
func (run *watcher) initial(w *world) (uint64, error) {
	k := run.k
	k.mu.Lock()
	objects := append([]object(nil), k.objects...)
	n := k.first + uint64(len(k.log))
	k.mu.Unlock()
	version := w.version.Load()
	var b []byte
	bytes := 0
	for _, o := range objects {
		b = append(b, k.line("ADDED", o, o.at())...)
		if len(b) > chunk {
			if _, err := run.w.Write(b); err != nil {
				return 0, err
			}
			bytes += len(b)
			b = b[:0]
		}
	}
	b = append(b, k.bookmarkLine(version, `,"annotations":{"k8s.io/initial-events-end":"true"}`)...)
	k.count(len(objects), bytes+len(b))
	if _, err := run.w.Write(b); err != nil {
		return 0, err
	}
	return n, run.flush.Flush()
}

func (run *watcher) from(version uint64) (uint64, error) {
	run.k.mu.Lock()
	n, known := run.k.after(version)
	run.k.mu.Unlock()
	if !known {
		return 0, run.expired()
	}
	return n, nil
}

func (run *watcher) expired() error {
	io.WriteString(run.w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure",`+
		`"message":"too old resource version","reason":"Expired","code":410}}`+"\n")
	run.flush.Flush()
	return io.EOF
}

func (run *watcher) follow(ctx context.Context, n uint64) (uint64, error) {
	events, known := run.k.next(ctx, n)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if !known {
		return 0, run.expired()
	}
	bytes := 0
	for _, e := range events {
		if _, err := run.w.Write(e.data); err != nil {
			return 0, err
		}
		bytes += len(e.data)
	}
	err := run.flush.Flush()
	now := time.Now()
	for _, e := range events {
		if e.mark != nil {
			e.mark.wasSent(now)
		}
	}
	run.k.count(len(events), bytes)
	return n + uint64(len(events)), err
}

func (s *server) bookmarks(ctx context.Context) {
	due := 0.0
	every(ctx, time.Second, func() {
		due += s.w.rates().Bookmarks
		if due < 1 {
			return
		}
		due = 0
		for _, k := range s.w.kinds {
			k.bookmark(s.w.version.Load())
		}
	})
}

// ---- what the agent writes -------------------------------------------------------------

// read: an object that the agent wrote, or the Lease that another node holds.
func (s *server) read(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if object := s.written[r.URL.Path]; object != nil {
		answer(w, http.StatusOK, object)
		return
	}
	if strings.Contains(r.URL.Path, "/leases/") {
		s.writes["GET leases"]++
		answer(w, http.StatusOK, map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
			"metadata": map[string]any{"name": name, "resourceVersion": strconv.FormatInt(time.Now().Unix()/5, 10)},
			"spec": map[string]any{"holderIdentity": nodeName(1), "leaseDurationSeconds": 15,
				"renewTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), "leaseTransitions": 1}})
		return
	}
	if object := s.w.find(r.URL.Path); object != nil {
		w.Header().Set("Content-Type", "application/json")
		w.Write(object)
		return
	}
	s.absent[r.URL.Path]++
	status(w, http.StatusNotFound, "NotFound", "not found")
}

// target: the resource that is written and the path of the object.
func target(r *http.Request, object map[string]any) (string, string) {
	path := strings.TrimSuffix(r.URL.Path, "/status")
	if r.Method == http.MethodPost {
		metadata, _ := object["metadata"].(map[string]any)
		name, _ := metadata["name"].(string)
		return path[strings.LastIndexByte(path, '/')+1:], path + "/" + name
	}
	parts := strings.Split(path, "/")
	return parts[len(parts)-2], path
}

// write accepts everything; a patch of what is not there is refused unless it is an apply.
func (s *server) write(w http.ResponseWriter, r *http.Request) {
	var object map[string]any
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &object)
	}
	if err != nil {
		status(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	plural, path := target(r, object)
	s.writes[r.Method+" "+plural]++
	known := s.written[path]
	apply := strings.Contains(r.Header.Get("Content-Type"), "apply-patch")
	code := http.StatusOK
	switch {
	case r.Method == http.MethodDelete:
		delete(s.written, path)
		answer(w, code, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Success"})
		return
	case r.Method == http.MethodPost && known != nil:
		status(w, http.StatusConflict, "AlreadyExists", "it exists")
		return
	case r.Method != http.MethodPost && known == nil && !apply:
		status(w, http.StatusNotFound, "NotFound", "not found")
		return
	case known == nil:
		known, code = map[string]any{}, http.StatusCreated
	}
	merge(known, object)
	metadata, _ := known["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		known["metadata"] = metadata
	}
	metadata["resourceVersion"] = strconv.FormatUint(s.w.version.Add(1), 10)
	metadata["uid"] = "11111111-2222-4333-8444-555555555555"
	s.written[path] = known
	if plural == "nodeidentities" {
		s.w.publish(path, known)
	}
	answer(w, code, known)
}

// merge: a JSON merge patch.
func merge(to, from map[string]any) {
	for key, value := range from {
		inner, _ := value.(map[string]any)
		old, _ := to[key].(map[string]any)
		switch {
		case value == nil:
			delete(to, key)
		case inner != nil && old != nil:
			merge(old, inner)
		default:
			to[key] = value
		}
	}
}

// ---- what the script asks --------------------------------------------------------------

// own: /sim/state, /sim/rates?pods=N..., which also begins the marks' figures anew.
func (s *server) own(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/sim/rates":
		rate := s.w.rates()
		if err := rate.set(r.URL.Query()); err != nil {
			status(w, http.StatusBadRequest, "BadRequest", err.Error())
			return
		}
		s.w.setRates(rate)
		answer(w, http.StatusOK, rate)
	case "/sim/state":
		s.mu.Lock()
		defer s.mu.Unlock()
		answer(w, http.StatusOK, map[string]any{"kinds": s.w.counts(), "marks": s.w.marks.state(),
			"rates": s.w.rates(), "writes": s.writes, "absent": s.absent})
	default:
		status(w, http.StatusNotFound, "NotFound", "not found")
	}
}
