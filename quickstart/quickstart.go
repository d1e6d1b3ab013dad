// Package quickstart is the whole chain as one call: corpus, stages and report card.
package quickstart

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"olmo/data"
	"olmo/device/cpu"
	"olmo/store"
)

// Options say what Run makes.
type Options struct {
	Out     string   // folder of everything
	Minutes float64  // from start to report
	Steps   int      // of training; 0 fits them to Minutes
	Depth   int      // the one dial of the model's size
	Docs    []string // the user's own files and folders; none: the Go installation's prose
	Version string   // of this program, for the report
	// Progress and Print, when set, tell how far the work is, and what happened.
	Progress func(Progress)
	Print    func(line string)
}

// Progress is how far a stage is.
type Progress struct {
	Stage       string
	Done, Total float64 // in Unit
	Unit        string
	Rate        float64 // Units a second, 0 when unknown
	Loss        float64 // nats a token, 0 for none
	Left        time.Duration
	Note        string
}

// quick is one run of the chain.
type quick struct {
	Options
	began time.Time
	chain string // hash of everything that the next stage builds on
	times []StageTime
}

// settings are the options that shape the result. A folder belongs to one set of
// them.
type settings struct {
	Minutes float64  `json:"minutes,omitempty"` // 0 with Steps
	Steps   int      `json:"steps,omitempty"`
	Depth   int      `json:"depth"`
	Docs    []string `json:"docs,omitempty"`
}

// Run makes a corpus, curates it, trains a tokenizer and a model, judges them, and
// writes a release and a report into o.Out. What an earlier run finished is not
// repeated; training goes on from its last checkpoint, to the same bits.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Depth < 1 || o.Depth > 64 {
		return nil, fmt.Errorf("a depth of %d is not possible\nhint: 1 to 64; 2 is the default", o.Depth)
	}
	if o.Steps < 0 || o.Steps == 0 && !(o.Minutes > 0) {
		return nil, errors.New("neither a time nor a number of steps to train for\nhint: --minutes 5")
	}
	if err := cpu.Check(); err != nil { // before any work, not at the first step
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Print == nil {
		o.Print = func(string) {}
	}
	lock, err := store.AcquireIn(o.Out)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if err := lock.Unlocked(); err != nil {
		o.Print("warning: " + err.Error())
	}
	q := &quick{Options: o, began: time.Now()}
	if err := q.claim(); err != nil {
		return nil, err
	}
	return q.run(ctx)
}

// claim writes the settings into the folder, or compares them with those of the
// earlier run that is there.
func (q *quick) claim() error {
	s := settings{Minutes: q.Minutes, Steps: q.Steps, Depth: q.Depth}
	if s.Steps > 0 {
		s.Minutes = 0
	}
	for _, d := range q.Docs {
		abs, err := filepath.Abs(d)
		if err != nil {
			return err
		}
		s.Docs = append(s.Docs, abs)
	}
	for _, d := range []string{"stages", "config"} {
		if err := os.MkdirAll(q.path(d), 0o755); err != nil {
			return fmt.Errorf("making the output folder: %w", err)
		}
	}
	file := q.path("stages", "settings.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || !fileExists(q.path("stages", "corpus.json")) {
		// A run that made nothing, for want of a corpus, claims nothing.
		q.chain = fingerprint("", s)
		return writeJSON(file, s)
	}
	if err != nil {
		return err
	}
	var old settings
	if err := json.Unmarshal(text, &old); err != nil {
		return fmt.Errorf("reading %s: %w\nhint: remove %s, or choose another folder with --out", file, err, q.Out)
	}
	if old.Minutes != s.Minutes || old.Steps != s.Steps || old.Depth != s.Depth || !slices.Equal(old.Docs, s.Docs) {
		now, _ := json.Marshal(s)
		was, _ := json.Marshal(old)
		return fmt.Errorf("%s holds a run with other settings: %s, not %s\nhint: choose another folder with --out, or remove that one", q.Out, was, now)
	}
	q.chain = fingerprint("", s)
	return nil
}

func (q *quick) path(elem ...string) string {
	return filepath.Join(append([]string{q.Out}, elem...)...)
}

// record is what is kept of a finished stage.
type record struct {
	Inputs  string          `json:"inputs"` // hash of the settings and of the stages before
	Seconds float64         `json:"seconds"`
	Result  json.RawMessage `json:"result"`
}

// stage runs one stage, unless an earlier run finished it with the same inputs;
// then its result is read again.
func stage[T any](ctx context.Context, q *quick, name string, inputs any, run func(ctx context.Context) (T, error)) (T, error) {
	var result T
	q.chain = fingerprint(q.chain+name, inputs)
	file := q.path("stages", name+".json")
	if text, err := os.ReadFile(file); err == nil {
		var r record
		if json.Unmarshal(text, &r) == nil && r.Inputs == q.chain && json.Unmarshal(r.Result, &result) == nil {
			q.times = append(q.times, StageTime{name, r.Seconds})
			return result, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return result, err
	}
	q.Progress(Progress{Stage: name})
	begin := time.Now()
	result, err := run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		return result, fmt.Errorf("%s: %w", name, err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return result, err
	}
	r := record{Inputs: q.chain, Seconds: time.Since(begin).Seconds(), Result: text}
	q.times = append(q.times, StageTime{name, r.Seconds})
	return result, writeJSON(file, r)
}

func fingerprint(before string, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // settings are plain data
	}
	sum := sha256.Sum256(append([]byte(before), text...))
	return hex.EncodeToString(sum[:])
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	w, err := data.CreateWriter(path)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(append(text, '\n')); err != nil {
		return err
	}
	return w.Close()
}
