// Package dashboard holds the local web page over run logs: live curves, samples and
// the comparison of runs, with everything that the page needs inside the program.
package dashboard

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"olmo/page"
	"olmo/runlog"
	"olmo/store"
)

//go:embed assets
var assets embed.FS

// Handler serves the page and the data of the runs: folders of runs, of quickstarts and of
// releases, folders with such folders below them, in which runs may still appear, or logs. source
// may be nil. Only requests by a local name are answered, so that no other web page can
// read the runs through a visitor's browser.
func Handler(paths []string, source Source) (http.Handler, error) {
	d := &server{roots: paths, source: source}
	for _, path := range paths {
		logs, err := find(path)
		if err != nil {
			return nil, err
		}
		if len(logs) == 0 && len(findResults(path)) == 0 {
			return nil, fmt.Errorf("%s holds no run: there is no metrics.jsonl, no config.yaml of a run, no release.json and no results.json in it or below", path)
		}
		d.add(logs)
	}
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/runs", d.list)
	mux.HandleFunc("GET /api/runs/{run}/series", d.series)
	mux.HandleFunc("GET /api/runs/{run}/samples", d.samples)
	mux.HandleFunc("GET /api/runs/{run}/steps/{step}", d.step)
	mux.HandleFunc("GET /api/runs/{run}/report", d.report)
	mux.HandleFunc("GET /api/runs/{run}/release", d.release)
	mux.HandleFunc("GET /api/runs/{run}/rollouts", d.sampled)
	mux.HandleFunc("GET /api/runs/{run}/rollouts/{line}", d.sample)
	mux.HandleFunc("GET /api/runs/{run}/prompts", d.prompts)
	mux.HandleFunc("GET /api/runs/{run}/prompts/{prompt}", d.answers)
	mux.HandleFunc("GET /api/evaluations", d.evaluations)
	mux.HandleFunc("GET /page.css", text("text/css; charset=utf-8", page.CSS()))
	mux.HandleFunc("GET /chart.js", text("text/javascript; charset=utf-8", page.Script()))
	mux.Handle("GET /", http.FileServerFS(static))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host) {
			http.Error(w, "this page answers only under a local name", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}), nil
}

func text(kind, s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(s))
	}
}

// isLocal tells whether a Host header names this machine: by an address, which no other
// site can claim, or as localhost.
func isLocal(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || net.ParseIP(host) != nil
}

type server struct {
	roots  []string
	source Source

	mu     sync.Mutex
	runs   []*run
	looked time.Time // when the roots were last searched for runs

	results       map[string]*resultsFile // by path
	lookedResults time.Time
	texts         map[string]knownText // by path
}

// add takes up the runs that are not known yet. A run keeps its number.
func (d *server) add(logs []string) {
	for _, log := range logs {
		if !slices.ContainsFunc(d.runs, func(r *run) bool { return same(r.log, log) }) {
			d.runs = append(d.runs, newRun(len(d.runs), log))
		}
	}
	d.looked = time.Now()
}

func same(a, b string) bool {
	x, err := filepath.Abs(a)
	if err != nil {
		return a == b
	}
	y, err := filepath.Abs(b)
	return err == nil && x == y
}

// all are the runs; new ones are looked for every few seconds.
func (d *server) all() []*run {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.looked) > 5*time.Second {
		for _, root := range d.roots {
			if logs, err := find(root); err == nil {
				d.add(logs)
			}
		}
	}
	return slices.Clone(d.runs)
}

func (d *server) list(w http.ResponseWriter, _ *http.Request) {
	runs := d.all()
	list := []about{}
	var logs []string
	for _, r := range runs {
		r.mu.Lock()
		err := r.update()
		if d.source != nil && r.weights == 0 && len(r.settings) > 0 {
			if r.weights, _ = d.source.Parameters(r.folder); r.weights == 0 {
				r.weights = -1 // not to ask again
			}
		}
		a := r.about(time.Now())
		r.mu.Unlock()
		if err != nil {
			a.Says = err.Error()
		}
		a.Weights = max(a.Weights, 0)
		list, logs = append(list, a), append(logs, r.log)
	}
	for i, name := range names(logs) {
		list[i].Name = name
	}
	answer(w, list)
}

// of returns the run that a request names.
func (d *server) of(w http.ResponseWriter, r *http.Request) *run {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := strconv.Atoi(r.PathValue("run"))
	if err != nil || i < 0 || i >= len(d.runs) {
		http.NotFound(w, r)
		return nil
	}
	return d.runs[i]
}

// whole reads a whole number of a request, or says what is wrong with it.
func whole(q *http.Request, name string, otherwise, most int) (int, error) {
	s := q.FormValue(name)
	if s == "" {
		return otherwise, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= math.MaxInt32) {
		return 0, fmt.Errorf("%s is no number from 0 to %d", name, math.MaxInt32)
	}
	return min(int(f), most), nil
}

// series answers with curves. after=N asks for what came behind step N, from=N and to=N
// for a part, places=N for no more places than that, smooth=N for means over N steps.
func (d *server) series(w http.ResponseWriter, q *http.Request) {
	r := d.of(w, q)
	if r == nil {
		return
	}
	var want wanted
	var after int
	var errs [5]error
	after, errs[0] = whole(q, "after", 0, math.MaxInt32)
	want.from, errs[1] = whole(q, "from", 0, math.MaxInt32)
	want.to, errs[2] = whole(q, "to", math.MaxInt32-1, math.MaxInt32-1)
	want.places, errs[3] = whole(q, "places", maxPlaces, maxPlaces)
	want.window, errs[4] = whole(q, "smooth", 0, 1<<20)
	if err := errors.Join(errs[:]...); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	want.places = max(want.places, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.update(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	last := 0
	if n := r.columns.Len(); n > 0 {
		last = r.columns.Step(n - 1)
	}
	gone := last < after // the run went back, and what the page has of it is no longer true
	if after > 0 && !gone {
		want.from = max(want.from, after+1)
	}
	p := curves(r.columns, want)
	p.Reset = gone
	answer(w, p)
}

// The texts that samples answers with: those of a few steps, spread over the run, and
// not more.
const sampleSteps, maxSamples = 8, 200

// samples answers with texts that the run has written, at steps spread over it, the
// latest first.
func (d *server) samples(w http.ResponseWriter, q *http.Request) {
	r := d.of(w, q)
	if r == nil {
		return
	}
	records, err := runlog.Read(filepath.Join(r.folder, "samples.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var steps []int
	for _, rec := range records {
		if n, ok := rec.Step(); ok && !slices.Contains(steps, n) {
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	steps = spread(steps, sampleSteps)
	list := []runlog.Record{}
	for _, rec := range slices.Backward(records) {
		if n, ok := rec.Step(); ok && slices.Contains(steps, n) && len(list) < maxSamples {
			list = append(list, rec)
		}
	}
	answer(w, list)
}

// shownInstances is how many sequences of a step are shown at a time.
const shownInstances = 32

// step answers with the values of a step and with what it trains on.
func (d *server) step(w http.ResponseWriter, q *http.Request) {
	r := d.of(w, q)
	if r == nil {
		return
	}
	n, err := strconv.Atoi(q.PathValue("step"))
	from, bad := whole(q, "from", 0, math.MaxInt32)
	if err != nil || n < 1 || n > math.MaxInt32-1 || bad != nil {
		http.Error(w, "there is no such step", http.StatusBadRequest)
		return
	}
	a := stepAnswer{Step: n, Values: map[string]any{}}
	r.mu.Lock()
	err = r.update()
	row := r.columns.Row(n)
	for _, key := range r.columns.Keys() {
		for at, v := range r.columns.Column(key).Between(row, row+1) {
			if r.columns.Step(at) == n {
				a.Values[key] = figure(v)
				if !finite(v) {
					a.Values[key] = nil
				}
			}
		}
	}
	r.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if d.source == nil {
		a.Problem = "the data of runs is not known here"
	} else if a.Data, err = d.source.Data(r.folder, n, from, shownInstances); err != nil {
		a.Data, a.Problem = nil, err.Error()
	}
	answer(w, a)
}

// report answers with the report card of the run's quickstart, which may run nothing.
func (d *server) report(w http.ResponseWriter, q *http.Request) {
	r := d.of(w, q)
	if r == nil {
		return
	}
	text, err := store.ReadFile(r.report())
	if err != nil {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(text)
}

func answer(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}
