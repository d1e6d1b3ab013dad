// Package dashboard holds the local web page over run logs: live curves, samples and
// the comparison of runs, with everything that the page needs inside the program.
package dashboard

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/config"
	"olmo/runlog"
)

//go:embed assets
var assets embed.FS

// Handler serves the page and the data of the runs, which are folders with a
// metrics.jsonl, or such files. Only requests by a local name are answered, so that no
// other web page can read the runs through a visitor's browser.
func Handler(runs []string) (http.Handler, error) {
	d := &server{}
	for _, path := range runs {
		r, err := openRun(path)
		if err != nil {
			return nil, err
		}
		d.runs = append(d.runs, r)
	}
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/runs", d.list)
	mux.HandleFunc("GET /api/runs/{run}/series", d.series)
	mux.HandleFunc("GET /api/runs/{run}/samples", d.samples)
	mux.Handle("GET /", http.FileServerFS(static))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host) {
			http.Error(w, "this page answers only under a local name", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}), nil
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

type server struct{ runs []*run }

// run is one log, read as it grows.
type run struct {
	name, log string

	mu      sync.Mutex
	read    int64 // bytes of the log that records holds
	records []runlog.Record
}

func openRun(path string) (*run, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening run: %w", err)
	}
	r := &run{name: filepath.Base(filepath.Clean(path)), log: path}
	if st.IsDir() {
		r.log = filepath.Join(path, "metrics.jsonl")
		if _, err := os.Stat(r.log); errors.Is(err, fs.ErrNotExist) {
			inner := filepath.Join(path, "run", "metrics.jsonl") // a quickstart folder
			if _, err := os.Stat(inner); err == nil {
				r.log = inner
			} else if _, err := os.Stat(filepath.Join(path, "config.yaml")); err != nil {
				return nil, fmt.Errorf("%s is no run: it has no metrics.jsonl", path)
			}
		}
	}
	return r, nil
}

// update reads what the log has got since the last time. A log that became shorter, as
// of a run that went back to a checkpoint, is read anew.
func (r *run) update() error {
	f, err := os.Open(r.log)
	if errors.Is(err, fs.ErrNotExist) {
		r.records, r.read = nil, 0
		return nil // the run has not begun
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() < r.read {
		r.records, r.read = nil, 0
	}
	text, err := io.ReadAll(io.NewSectionReader(f, r.read, st.Size()-r.read))
	if err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return nil
		}
		text = rest
		r.read += int64(len(line)) + 1
		var rec runlog.Record
		if json.Unmarshal(line, &rec) != nil {
			continue
		}
		n, ok := rec.Step()
		if !ok {
			continue
		}
		// A step that comes again replaces what was there.
		for len(r.records) > 0 {
			if last, _ := r.records[len(r.records)-1].Step(); last < n {
				break
			}
			r.records = r.records[:len(r.records)-1]
		}
		r.records = append(r.records, rec)
	}
}

// shown tells whether the page has a curve for a key: all but text, and of the figures
// of single parameters none.
func shown(key string, v any) bool {
	if _, ok := v.(float64); !ok || key == "step" {
		return false
	}
	for _, kind := range []string{"optim/grad/", "optim/param/", "optim/exp_avg", "optim/momentum/"} {
		if strings.HasPrefix(key, kind) {
			return false
		}
	}
	return true
}

// points is the answer about a run's curves: columns as long as Steps, with null where a
// step has no value.
type points struct {
	Reset  bool                  `json:"reset"` // what the page has is no longer true
	Last   int                   `json:"last"`
	Steps  []int                 `json:"steps"`
	Series map[string][]*float64 `json:"series"`
}

// maxPoints is how many steps one answer holds at most.
const maxPoints = 4000

// after returns the curves from a step on, thinned out evenly when they are long. Steps
// with an evaluation always stay.
func (r *run) after(step int) points {
	p := points{Steps: []int{}, Series: map[string][]*float64{}}
	if n := len(r.records); n > 0 {
		p.Last, _ = r.records[n-1].Step()
	}
	if p.Last < step {
		p.Reset, step = true, 0
	}
	var some []runlog.Record
	for _, rec := range r.records {
		if n, _ := rec.Step(); n > step {
			some = append(some, rec)
		}
	}
	stride := (len(some) + maxPoints - 1) / maxPoints
	for i, rec := range some {
		evaluated := false
		for k := range rec {
			evaluated = evaluated || strings.HasPrefix(k, "eval/")
		}
		if stride > 1 && i%stride != 0 && i != len(some)-1 && !evaluated {
			continue
		}
		n, _ := rec.Step()
		p.Steps = append(p.Steps, n)
		for k, v := range rec {
			if !shown(k, v) {
				continue
			}
			column := p.Series[k]
			for len(column) < len(p.Steps)-1 {
				column = append(column, nil)
			}
			f := v.(float64)
			p.Series[k] = append(column, &f)
		}
	}
	for k, column := range p.Series {
		for len(column) < len(p.Steps) {
			column = append(column, nil)
		}
		p.Series[k] = column
	}
	return p
}

// about is what the page says of a run.
type about struct {
	ID     int               `json:"id"`
	Name   string            `json:"name"`
	Path   string            `json:"path"`
	Config map[string]string `json:"config"` // by dotted key
}

func (d *server) list(w http.ResponseWriter, _ *http.Request) {
	list := []about{}
	for i, r := range d.runs {
		a := about{ID: i, Name: r.name, Path: r.log, Config: map[string]string{}}
		var c struct {
			All any `yaml:"all"`
		}
		if text, err := os.ReadFile(filepath.Join(filepath.Dir(r.log), "config.yaml")); err == nil {
			if config.Parse("config.yaml", []byte("all:\n  "+strings.ReplaceAll(string(text), "\n", "\n  ")), nil, &c) == nil {
				flatten(a.Config, "", c.All)
			}
		}
		if name := a.Config["run_name"]; name != "" {
			a.Name = name
		}
		list = append(list, a)
	}
	// Runs of one name are told apart by their folders.
	for i := range list {
		if slices.ContainsFunc(list, func(b about) bool { return b.Name == list[i].Name && b.ID != i }) {
			list[i].Name += " (" + filepath.Base(filepath.Dir(list[i].Path)) + ")"
		}
	}
	answer(w, list)
}

// flatten lists the values of a config under dotted keys; long lists only by length.
func flatten(into map[string]string, key string, v any) {
	join := func(k string) string {
		if key == "" {
			return k
		}
		return key + "." + k
	}
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for k, x := range v {
			flatten(into, join(k), x)
		}
	case []any:
		if len(v) > 8 {
			into[key] = fmt.Sprintf("%d elements", len(v))
			return
		}
		into[key] = fmt.Sprint(v)
	default:
		into[key] = fmt.Sprint(v)
	}
}

// of returns the run that a request names.
func (d *server) of(w http.ResponseWriter, r *http.Request) *run {
	i, err := strconv.Atoi(r.PathValue("run"))
	if err != nil || i < 0 || i >= len(d.runs) {
		http.NotFound(w, r)
		return nil
	}
	return d.runs[i]
}

func (d *server) series(w http.ResponseWriter, q *http.Request) {
	r := d.of(w, q)
	if r == nil {
		return
	}
	step := 0
	if s := q.FormValue("after"); s != "" {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f < 0 || f > math.MaxInt32 {
			http.Error(w, "after is no step", http.StatusBadRequest)
			return
		}
		step = int(f)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.update(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, r.after(step))
}

// samples answers with the last texts that the run has written.
func (d *server) samples(w http.ResponseWriter, q *http.Request) {
	r := d.of(w, q)
	if r == nil {
		return
	}
	records, err := runlog.Read(filepath.Join(filepath.Dir(r.log), "samples.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	list := append([]runlog.Record{}, records[max(0, len(records)-30):]...)
	slices.Reverse(list)
	answer(w, list)
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
