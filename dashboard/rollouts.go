package dashboard

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"olmo/runlog"
)

// rolloutsName is the file in which a run of reinforcement learning leaves the answers that it sampled.
const rolloutsName = "rollouts.jsonl"

// rollouts follows a rollouts.jsonl as it grows. Of each line it keeps where it lies and what the page
// counts by; texts are read from the file when they are shown, since it has hundreds of megabytes.
type rollouts struct {
	path string

	mu        sync.Mutex
	opened    os.FileInfo // of the file that was read
	read      int64       // bytes of it
	began     int         // how often it was read from its beginning
	bad       int         // lines that are no rollouts
	lines     []rollout   // by step
	verifiers []string    // their names, as they came
	known     map[string]int32
}

// rollout is a line.
type rollout struct {
	at        int64
	size      int32 // bytes
	step      int32
	prompt    int // index in the data set
	sample    int32
	tokens    int32 // of the answer
	score     float32
	advantage float32
	verifier  int32 // index
	stopped   bool  // ended by itself, not for its length
}

// longestRollout is how many bytes a line may have: an answer of a million tokens.
const longestRollout = 64 << 20

// update reads what has come to the file. One that became shorter or another, as when a run goes on from
// a checkpoint, is read anew. A torn line at the end is read once it is whole.
func (r *rollouts) update() error {
	f, st, anew, err := runlog.Reopen(r.path, r.opened, r.read)
	if err != nil {
		return err
	}
	if anew {
		r.reset()
	}
	if f == nil {
		return nil
	}
	defer f.Close()
	r.opened = st
	in := bufio.NewReaderSize(io.NewSectionReader(f, r.read, st.Size()-r.read), 1<<20)
	var long []byte // the line so far, where it is longer than the reader's buffer
	size := int64(0)
	for {
		part, err := in.ReadSlice('\n')
		size += int64(len(part))
		if errors.Is(err, bufio.ErrBufferFull) {
			if size <= longestRollout {
				long = append(long, part...)
			}
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		line := part
		if len(long) > 0 {
			line = append(long, part...)
		}
		atEnd := err != nil
		if added := size <= longestRollout && r.add(line, r.read); !added && atEnd {
			return nil
		} else if !added && len(bytes.TrimSpace(line)) > 0 {
			r.bad++
		}
		r.read += size
		if atEnd {
			return nil
		}
		long, size = long[:0], 0
	}
}

func (r *rollouts) reset() {
	if r.read > 0 {
		r.began++
	}
	r.opened, r.read, r.bad, r.lines, r.verifiers, r.known = nil, 0, 0, nil, nil, nil
}

// add takes up a line that begins at a place of the file, and reports whether it is a rollout. A step that
// comes again replaces what was there from it on.
func (r *rollouts) add(line []byte, at int64) bool {
	l := rollout{at: at, size: int32(len(line)), step: -1, prompt: -1, score: float32(math.NaN()), advantage: float32(math.NaN()), verifier: -1}
	whole := runlog.Members(line, func(key string, value []byte) {
		switch key {
		case "step":
			l.step = int32(index(value))
		case "prompt":
			l.prompt = index(value)
		case "sample":
			l.sample = int32(max(index(value), 0))
		case "response_ids":
			l.tokens = int32(elements(value))
		case "score":
			l.score = real32(value)
		case "advantage":
			l.advantage = real32(value)
		case "finish":
			l.stopped = string(value) == `"stop"`
		case "dataset":
			l.verifier = r.verifier(value)
		}
	})
	if !whole || l.step < 0 || l.prompt < 0 {
		return false
	}
	if l.verifier < 0 {
		l.verifier = r.verifier([]byte("null"))
	}
	if n := len(r.lines); n > 0 && r.lines[n-1].step > l.step {
		r.lines = r.lines[:r.first(int(l.step))]
	}
	r.lines = append(r.lines, l)
	return true
}

// index reads a whole number from 0 on that is no larger than a step; −1 for what is none.
func index(value []byte) int {
	n, err := strconv.Atoi(string(value))
	if err != nil || n > math.MaxInt32 {
		return -1
	}
	return max(n, -1)
}

func real32(value []byte) float32 {
	v, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		v = math.NaN()
	}
	return float32(v)
}

// elements counts those of an array of numbers.
func elements(value []byte) int {
	if value[0] != '[' || len(bytes.Trim(value, "[] \t")) == 0 {
		return 0
	}
	return bytes.Count(value, []byte(",")) + 1
}

// verifier is the index of the verifiers that a line's member dataset names: one or a list.
func (r *rollouts) verifier(value []byte) int32 {
	if n, ok := r.known[string(value)]; ok {
		return n
	}
	var one string
	var several []string
	name := "no verifier"
	switch {
	case json.Unmarshal(value, &one) == nil && one != "":
		name = one
	case json.Unmarshal(value, &several) == nil && len(several) > 0:
		name = strings.Join(several, " + ")
	}
	if r.known == nil {
		r.known = map[string]int32{}
	}
	n := slices.Index(r.verifiers, name)
	if n < 0 {
		n = len(r.verifiers)
		r.verifiers = append(r.verifiers, name)
	}
	r.known[string(value)] = int32(n)
	return int32(n)
}

// first is the first line whose step is at least step.
func (r *rollouts) first(step int) int {
	return sort.Search(len(r.lines), func(i int) bool { return int(r.lines[i].step) >= step })
}

// of are the lines of a step.
func (r *rollouts) of(step int) []rollout { return r.lines[r.first(step):r.first(step+1)] }

// steps are those that have lines.
func (r *rollouts) steps() []int {
	var steps []int
	for _, l := range r.lines {
		if n := len(steps); n == 0 || steps[n-1] != int(l.step) {
			steps = append(steps, int(l.step))
		}
	}
	return steps
}

// asked is what is known of a prompt.
type asked struct {
	Prompt   int    `json:"prompt"`
	Verifier string `json:"verifier"`
	Steps    int    `json:"steps"` // at which it was asked
	First    any    `json:"first"` // mean score at the first of them, and at the last; null when no score is a number
	Last     any    `json:"last"`

	verifier    int32
	step        int32 // the last one
	first, last average
}

// average is a mean of the numbers among some.
type average struct {
	sum   float64
	count int
}

func (a *average) add(v float64) {
	if finite(v) {
		a.sum, a.count = a.sum+v, a.count+1
	}
}

// value is the mean as the page gets it, null without numbers.
func (a *average) value() any {
	if a.count == 0 {
		return nil
	}
	return float32(a.sum / float64(a.count))
}

// of is the mean as a number, 0 without numbers.
func (a *average) of() float64 { return a.sum / float64(max(a.count, 1)) }

// prompts lists those that were asked, as they came.
func (r *rollouts) prompts() []*asked {
	by := map[int]*asked{}
	var list []*asked
	for i := range r.lines {
		l := &r.lines[i]
		p := by[l.prompt]
		if p == nil {
			p = &asked{Prompt: l.prompt, verifier: l.verifier, step: -1}
			by[l.prompt], list = p, append(list, p)
		}
		if p.step != l.step {
			p.step, p.last = l.step, average{}
			p.Steps++
		}
		if p.last.add(float64(l.score)); p.Steps == 1 {
			p.first.add(float64(l.score))
		}
	}
	return list
}

// text reads a line's bytes. It fails where the file has become another since it was read.
func (r *rollouts) text(f io.ReaderAt, l *rollout) ([]byte, error) {
	text := make([]byte, l.size)
	if _, err := f.ReadAt(text, l.at); err != nil {
		return nil, err
	}
	step, prompt, sample := -1, -1, 0
	if !runlog.Members(text, func(key string, value []byte) {
		switch key {
		case "step":
			step = index(value)
		case "prompt":
			prompt = index(value)
		case "sample":
			sample = max(index(value), 0)
		}
	}) || step != int(l.step) || prompt != l.prompt || sample != int(l.sample) {
		return nil, errors.New("the file was written anew")
	}
	return text, nil
}
