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
	"strings"
	"time"

	"olmo/data"
	"olmo/device/cpu"
	"olmo/internal/pyjson"
	"olmo/numeric"
	"olmo/store"
)

// DefaultMinutes is the time that Run takes where neither a time nor a number of steps is
// given.
const DefaultMinutes = 5

// Options say what Run makes. What is not given is that of the folder, where Run was there
// before.
type Options struct {
	Out     string  // folder of everything
	Minutes float64 // from start to report; 0: DefaultMinutes
	Steps   int     // of training; 0 fits them to Minutes
	// Precision names the arithmetic of training; empty: amp_bf16 for a number of Steps, so that the
	// bits are the same everywhere, and for Minutes the fastest on this machine.
	Precision string
	Depth     int      // the one dial of the model's size; 0: DefaultDepth
	Docs      []string // the user's own files and folders; none: the Go installation's prose
	Chat      bool     // adapt the model to conversations, too
	Version   string   // of this program, for the report
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
	Step, Steps int // of training; 0 in other stages
}

// quick is one run of the chain.
type quick struct {
	Options
	settings  settings
	precision numeric.Precision // of training, once the plan has it
	began     time.Time
	chain     string // hash of everything that the next stage builds on
	times     []StageTime
}

// settings are the options that shape the result. A folder belongs to one text and one
// size of model; the time and the steps may grow.
type settings struct {
	Minutes float64  `json:"minutes,omitempty"` // 0 with Steps
	Steps   int      `json:"steps,omitempty"`
	Depth   int      `json:"depth"`
	Docs    []string `json:"docs,omitempty"`
	Chat    bool     `json:"chat,omitempty"`

	Precision string `json:"precision,omitempty"` // that was asked for
}

// Run makes a corpus, curates it, trains a tokenizer and a model, judges them, and
// writes a release and a report into o.Out; with o.Chat it adapts the model to conversations
// before the report. What an earlier run finished is not
// repeated; training goes on from its last checkpoint, to the same bits, and with more
// steps from where a run of so many is the same.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Depth < 0 || o.Depth > 64 {
		return nil, fmt.Errorf("a depth of %d is not possible\nhint: 1 to 64; 2 is the default", o.Depth)
	}
	if o.Steps < 0 || !(o.Minutes >= 0) || o.Minutes > mostMinutes {
		return nil, errors.New("neither a time nor a number of steps to train for\nhint: --minutes 5")
	}
	if o.Precision != "" {
		p, err := numeric.ParseTrainingPrecision(o.Precision)
		if err != nil {
			return nil, fmt.Errorf("the precision %w", err)
		}
		o.Precision = p.String()
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
	there, errThere := os.ReadDir(o.Out)
	if err := foreign(o, there); err != nil {
		return nil, err
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
	r, err := q.run(ctx)
	var text textError
	if errors.As(err, &text) && len(there) == 0 {
		// No model comes of this text: nothing half made stays behind.
		for _, name := range []string{"config", "data", "stages", "tokenizer"} {
			err = errors.Join(err, store.RemoveFolder(q.path(name)))
		}
		err = errors.Join(err, store.Remove(q.path(funnelPage)))
		lock.Release()
		if errThere != nil {
			_ = os.Remove(o.Out) // which is empty, or somebody has put something there
		}
	}
	return r, err
}

// made are the names that Run gives below its folder.
var made = []string{"chat", "config", "data", "earlier", "eval", "release", "run", "stages", "tokenizer", "report.html", "report.json", "report.md", funnelPage}

// foreign refuses a folder of somebody else's whose files would be replaced, and one in which
// the text lies that is to be read.
func foreign(o Options, there []os.DirEntry) error {
	out, err := filepath.Abs(o.Out)
	if err != nil {
		return err
	}
	for _, d := range o.Docs {
		text, err := filepath.Abs(d)
		if err != nil {
			return err
		}
		if rel, err := filepath.Rel(out, text); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("--docs %s lies in the folder %s that is to be made of it\nhint: choose another folder with --out", d, o.Out)
		}
	}
	if fileExists(filepath.Join(o.Out, "stages", "settings.json")) {
		return nil
	}
	for _, e := range there {
		if slices.Contains(made, e.Name()) {
			return fmt.Errorf("%s holds %s already, and is no folder of quickstart's\nhint: choose another folder with --out", o.Out, e.Name())
		}
	}
	return nil
}

// mostMinutes is a year.
const mostMinutes = 366 * 24 * 60

// textError says why no model can be made of the text that was given.
type textError struct{ error }

func (e textError) Unwrap() error { return e.error }

// claim writes the settings into a new folder. Of one that an earlier run made it takes
// those that are not given, and compares the others.
func (q *quick) claim() error {
	s := settings{Minutes: q.Minutes, Steps: q.Steps, Depth: q.Depth, Chat: q.Chat, Precision: q.Precision}
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
	text, err := store.ReadFile(file)
	// A run that made nothing, for want of a corpus, claims nothing.
	fresh := errors.Is(err, fs.ErrNotExist) || !fileExists(q.path("stages", "corpus.json"))
	if !fresh {
		if err != nil {
			return err
		}
		var old settings
		if err := pyjson.Unmarshal(text, &old); err != nil {
			return fmt.Errorf("reading %s: %w\nhint: remove %s, or choose another folder with --out", file, err, q.Out)
		}
		if err := q.agree(&s, old); err != nil {
			return err
		}
		if len(s.Docs) > 0 {
			if err := q.sameText(s.Docs); err != nil {
				return err
			}
		}
	}
	if s.Minutes == 0 && s.Steps == 0 {
		s.Minutes = DefaultMinutes
	}
	if s.Depth == 0 {
		s.Depth = DefaultDepth
	}
	q.settings, q.Minutes, q.Steps, q.Depth = s, s.Minutes, s.Steps, s.Depth
	q.Chat, q.Precision = s.Chat, s.Precision
	if len(q.Docs) == 0 {
		q.Docs = s.Docs
	}
	q.chain = fingerprint("", s.Docs)
	if fresh {
		return writeJSON(file, s)
	}
	return nil // the plan writes what has changed
}

// agree fills what is not given with the settings of the folder, and says in flags what
// cannot be another in it.
func (q *quick) agree(s *settings, old settings) error {
	if s.Minutes == 0 && s.Steps == 0 {
		s.Minutes, s.Steps = old.Minutes, old.Steps
	}
	if s.Depth == 0 {
		s.Depth = old.Depth
	}
	if len(s.Docs) == 0 {
		s.Docs = old.Docs
	}
	if s.Precision == "" {
		s.Precision = old.Precision
	}
	s.Chat = s.Chat || old.Chat
	var was, now string
	switch {
	case s.Depth != old.Depth:
		was, now = fmt.Sprintf("--depth %d", old.Depth), fmt.Sprintf("--depth %d", s.Depth)
	case old.Precision != "" && s.Precision != old.Precision:
		was, now = "--precision "+old.Precision, "--precision "+s.Precision
	case !slices.Equal(s.Docs, old.Docs):
		was, now = "the Go installation's text", docsFlag(s.Docs)
		if len(old.Docs) > 0 {
			was = docsFlag(old.Docs)
		}
	case s.Minutes > 0 && s.Minutes < old.Minutes && fileExists(q.path("stages", "plan.json")):
		return fmt.Errorf("--minutes %g made %s, and --minutes %g is less: a run only becomes longer\nhint: choose another folder with --out, or give more --minutes", old.Minutes, q.Out, s.Minutes)
	default:
		return nil
	}
	return fmt.Errorf("%s made %s, %s is for another folder\nhint: choose one with --out; more --minutes or --steps go on in this one", was, q.Out, now)
}

func docsFlag(paths []string) string {
	words := []string{"--docs"}
	for _, p := range paths {
		words = append(words, shellWord(p))
	}
	return strings.Join(words, " ")
}

func (q *quick) path(elem ...string) string {
	return filepath.Join(append([]string{q.Out}, elem...)...)
}

// record is what is kept of a finished stage.
type record struct {
	Inputs  string          `json:"inputs"` // hash of the settings and of the stages before
	Seconds float64         `json:"seconds"`
	Result  json.RawMessage `json:"result"`
	// Unfinished is in the place of Inputs while a stage has been interrupted.
	Unfinished string `json:"unfinished,omitempty"`
}

// stage runs one stage, unless an earlier run finished it with the same inputs;
// then its result is read again.
func stage[T any](ctx context.Context, q *quick, name string, inputs any, run func(ctx context.Context) (T, error)) (T, error) {
	var result T
	q.chain = fingerprint(q.chain+name, inputs)
	chain := q.chain
	file := q.path("stages", name+".json")
	before := 0.0 // seconds of the calls that were interrupted
	if text, err := store.ReadFile(file); err == nil {
		var r record
		if json.Unmarshal(text, &r) == nil {
			if r.Inputs == chain && json.Unmarshal(r.Result, &result) == nil {
				q.times = append(q.times, StageTime{name, r.Seconds})
				return result, nil
			}
			if r.Unfinished == chain {
				before = r.Seconds
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return result, err
	}
	q.Progress(Progress{Stage: name})
	begin := time.Now()
	result, err := run(ctx)
	r := record{Inputs: chain, Seconds: before + time.Since(begin).Seconds()}
	if err != nil && ctx.Err() != nil {
		if name == "train" { // the only one of which an interrupted call leaves something
			r.Inputs, r.Unfinished = "", chain
			if err := writeJSON(file, r); err != nil {
				return result, err
			}
		}
		return result, ctx.Err()
	}
	if err != nil {
		return result, fmt.Errorf("%s: %w", name, err)
	}
	if r.Result, err = json.Marshal(result); err != nil {
		return result, err
	}
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
