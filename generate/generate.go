// Package generate turns prompts into text: many sequences at once, with their keys and values in pages, each
// with the bits that it has alone.
package generate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"olmo/device"
	"olmo/graph"
	"olmo/internal/memory"
	"olmo/internal/parallel"
	"olmo/model"
	"olmo/numeric"
	"olmo/tensor"
)

// Engine runs sequences through one model on one device. Sequences join and leave between two steps; in a step
// all of them go on, each by a token of its answer or by a part of its prompt.
type Engine struct {
	cfg     *model.Config
	dev     device.Device
	o       Options
	program device.Program
	adapted device.Program // the same with the adapters
	built   int            // positions that the program was made for
	cache   string         // the beginning of the names of its pages on the device

	mu      sync.Mutex  // of what follows
	arrived []*sequence // since the last step
	steps   int
	stats   Stats
	running bool // a goroutine makes steps; it alone has what follows

	window       int // of layers that have one
	full, recent int // pages of layers that see everything, and of those with a window

	pages     *pages
	heldAt    int         // Changes of the device when the pages were filled
	sequences []*sequence // in the order of their turns
	copies    []graph.PageCopy
	pace      pace
}

// Options are the sizes of an Engine; zero values take defaults. But for Precision and KV they change no bit.
type Options struct {
	Positions int               // longest sequence; the model's own
	Rows      int               // most tokens of a step; 512
	Sequences int               // most sequences at once; 256
	Memory    int64             // bytes of the pages; half of what is free
	Page      int               // positions of a page, a divisor of 256 of at least 32; 256
	NoReuse   bool              // nothing of a sequence is kept for others
	NoGuesses bool              // answers go on by a token each step, also where the next ones are likely
	Draft     *Engine           // of a smaller model with the same tokens, which guesses what follows; nil: none
	Precision numeric.Precision // of the run whose arithmetic this is
	// Adapters are those that requests may choose. Their matrices are parameters of the names of
	// model.AdapterName.
	Adapters []*model.Adapters
	// KV is the dtype in which keys and values are kept, the one size that changes bits: F32 (or Invalid), F16,
	// or Q8_0 for heads of a multiple of 32.
	KV tensor.DType
}

// Stats count what an engine has done.
type Stats struct {
	Steps   int
	Rows    int64 // tokens that were run
	Copied  int64 // positions that were copied from one page to another
	Reused  int64 // tokens of prompts that were there already
	SetBack int   // how often a sequence lost its pages to another
	// Proposed are tokens that were run before it was known that they come, Accepted those that came.
	Proposed, Accepted int64
}

// A step has logits of so many rows.
const stepLogits = 256

// New prepares the model for generation. Its parameters must be on the device already, or be written before
// the first request. They may change while there is none: the next answer is that of the new ones.
func New(cfg *model.Config, dev device.Device, o Options) (*Engine, error) {
	for _, d := range []struct {
		size  *int
		value int
	}{{&o.Positions, cfg.T}, {&o.Rows, 512}, {&o.Sequences, 256}, {&o.Page, numeric.Cut}} {
		if *d.size == 0 {
			*d.size = d.value
		}
	}
	if numeric.Cut%o.Page != 0 || o.Page < numeric.Block {
		return nil, fmt.Errorf("pages of %d tokens\nhint: 32, 64, 128 or 256", o.Page)
	}
	if err := CheckKV(o.KV, o.Precision, cfg.D); err != nil {
		return nil, err
	}
	if o.Memory == 0 {
		o.Memory = 1 << 30
		if free, known := memory.Available(); known {
			o.Memory = int64(free / 2)
		}
	}
	if o.KV == tensor.Invalid {
		o.KV = tensor.F32
	}
	e := &Engine{cfg: cfg, dev: dev, o: o, cache: fmt.Sprintf("cache%d", engines.Add(1))}
	e.count()
	e.reset()
	return e, e.build(min(o.Positions, 1024))
}

// CheckKV is an error for an Options.KV in which keys and values of heads of D numbers can't be kept.
func CheckKV(d tensor.DType, precision numeric.Precision, D int) error {
	switch {
	case d == tensor.F32 || d == tensor.Invalid:
		return nil
	case d != tensor.F16 && d != tensor.Q8_0:
		return fmt.Errorf("keys and values are kept in f32, f16 or q8_0, not in %v", d)
	case precision.Rounds():
		return fmt.Errorf("keys and values of %v are kept as it rounds them, and kv asks for %v\nhint: f32 leaves them so; f16 and q8_0 are for fp32 and int8", precision, d)
	case D%d.BlockSize() != 0:
		return fmt.Errorf("q8_0 keeps keys and values in blocks of %d, and the model's heads have %d numbers\nhint: f16", d.BlockSize(), D)
	}
	return nil
}

// engines counts those that were made, so that each has pages of its own.
var engines atomic.Int64

// Close gives the pages back. The engine has no requests, and gets none any more.
func (e *Engine) Close() { e.dev.Drop(e.cache + ".") }

// build compiles the model for sequences of so many positions.
func (e *Engine) build(positions int) error {
	compile := func(adapters []*model.Adapters) (device.Program, error) {
		g := graph.New()
		e.cfg.Logits(g, model.Options{Pages: e.full, Recent: e.recent, Page: e.o.Page, Cache: e.cache, Positions: positions, Adapters: adapters, States: true})
		p, err := e.dev.Compile(g, device.Options{Rows: e.o.Rows, Selected: min(stepLogits, e.o.Rows), Precision: e.o.Precision, Pages: e.o.KV, Frozen: true})
		if err != nil {
			err = fmt.Errorf("preparing the model for generation: %w", err)
		}
		return p, err
	}
	var err error
	if e.program, err = compile(nil); err == nil && len(e.o.Adapters) > 0 {
		e.adapted, err = compile(e.o.Adapters)
	}
	e.built = positions
	return err
}

// programOf is the one that a step runs in: without adapters where it has none.
func (e *Engine) programOf(p *plan) device.Program {
	if slices.ContainsFunc(p.batch.Segments, func(s graph.Segment) bool { return s.Adapter > 0 }) {
		return e.adapted
	}
	return e.program
}

// count says how many pages the memory is for.
func (e *Engine) count() {
	full, recent := 0, 0 // layers
	for l := range e.cfg.Layers {
		if e.cfg.Windows != nil && e.cfg.Windows[l] > 0 {
			e.window, recent = max(e.window, e.cfg.Windows[l]), recent+1
		} else {
			full++
		}
	}
	// Of the layers with a window a sequence keeps a share of its pages.
	share := min(1, float64(e.window+e.o.Rows+e.o.Page)/float64(e.o.Positions))
	layer := float64(2 * e.cfg.KV * e.cfg.D * e.o.Page * e.o.KV.Size() / e.o.KV.BlockSize()) // bytes
	n := float64(e.o.Memory) / (layer * (float64(full) + share*float64(recent)))
	// Twice what all sequences can have at once is as much as is of use.
	n = max(1, min(n, float64(2*e.o.Sequences*e.pagesFor(e.o.Positions))))
	if full > 0 {
		e.full = int(n)
	}
	if recent > 0 {
		e.recent = int(math.Ceil(n * share))
	}
}

// pagesFor is how many pages so many tokens take.
func (e *Engine) pagesFor(tokens int) int { return (tokens + e.o.Page - 1) / e.o.Page }

// room is an error for a sequence of so many tokens that has no room, were it alone.
func (e *Engine) room(tokens int) error {
	there, needs := e.full, e.pagesFor(tokens)
	if n := e.pagesFor(min(tokens, e.window+2*e.o.Page)); e.recent > 0 && n > e.recent {
		there, needs = e.recent, n
	} else if e.full == 0 {
		return nil
	}
	if needs <= there {
		return nil
	}
	return fmt.Errorf("the keys and values of %d tokens take %d pages of %d tokens, and the memory for them has %d\nhint: more memory (--kv-memory), or a shorter prompt or answer", tokens, needs, e.o.Page, there)
}

// reset forgets all keys and values.
func (e *Engine) reset() {
	e.pages = newPages(e.o.Page, e.window, e.full, e.recent, len(e.o.Adapters))
	e.copies = nil
	for _, s := range e.sequences {
		s.way, s.full, s.recent, s.ran, s.seen, s.entered = nil, nil, nil, 0, 0, false
	}
}

// Positions returns the longest sequence, prompt included.
func (e *Engine) Positions() int { return e.o.Positions }

// Stats returns what was done so far.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// Generate continues one prompt. When ctx ends, the Result holds what there is, with the error.
func (e *Engine) Generate(ctx context.Context, q Request) (Result, error) {
	h, err := e.Submit(ctx, q)
	if err != nil {
		return Result{IDs: []int32{}, Logprobs: []float64{}, Stop: -1}, err
	}
	return h.Wait()
}

// GenerateAll continues many prompts. done, if set, is told how many results are there. After an error the
// other requests are cancelled, and the results are those that were there.
func (e *Engine) GenerateAll(ctx context.Context, all []Request, done func(n int)) ([]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error
	fail := func(err error) {
		if failed == nil {
			failed = err
			cancel()
		}
	}
	handles := make([]*Handle, 0, len(all))
	for _, q := range all {
		h, err := e.Submit(ctx, q)
		if err != nil {
			fail(err)
			break
		}
		handles = append(handles, h)
	}
	results := make([]Result, len(all))
	for i, h := range handles { // also after an error, so that nothing runs any more
		r, err := h.Wait()
		if err != nil {
			fail(err)
		}
		if results[i] = r; failed == nil && done != nil {
			done(i + 1)
		}
	}
	return results, failed
}

// Submit takes a request in and returns at once. Many goroutines may submit; the answer to each has the
// bits that it has alone. The error is that of a request that makes no sense. When ctx ends, or Cancel is
// called, the request ends within a step.
func (e *Engine) Submit(ctx context.Context, q Request) (*Handle, error) {
	if err := e.check(q); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &sequence{
		Request: q, ctx: ctx, handle: newHandle(cancel), limit: e.o.Positions,
		ids: slices.Clone(q.Prompt), result: Result{IDs: []int32{}, Logprobs: []float64{}, Stop: -1},
	}
	switch {
	case q.Echo:
		s.echo()
	case q.Pooling != "":
		s.embed()
	}
	if q.MaxTokens <= 0 {
		s.result.Reason = "length"
		if len(s.Rows) == 0 {
			s.handle.end(s.result, nil)
			return s.handle, nil
		}
	} else {
		s.sampler = newSampler(q.Sampling, q.Prompt, q.Stop)
		if q.Constraint != nil {
			if err := s.force(); err != nil {
				cancel()
				return nil, err
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// A priority of 1 goes before who came less than so many steps ago.
	const ageing = 64
	s.turn = e.steps - ageing*q.Priority
	e.arrived = append(e.arrived, s)
	if !e.running {
		e.running = true
		go e.run()
	}
	return s.handle, nil
}

// run makes steps as long as there are sequences.
func (e *Engine) run() {
	for {
		e.mu.Lock()
		for _, s := range e.arrived {
			at, _ := slices.BinarySearchFunc(e.sequences, s.turn+1, func(t *sequence, turn int) int { return t.turn - turn })
			e.sequences = slices.Insert(e.sequences, at, s)
		}
		e.arrived = e.arrived[:0]
		if len(e.sequences) == 0 {
			e.running = false
			e.mu.Unlock()
			return
		}
		e.steps++
		e.mu.Unlock()
		e.step()
	}
}

// step runs the next tokens of sequences.
func (e *Engine) step() {
	for _, s := range slices.Clone(e.sequences) {
		if err := s.ctx.Err(); err != nil {
			s.result.Reason = "cancelled"
			e.end(s, err)
		}
	}
	if len(e.sequences) == 0 {
		return
	}
	if now := e.dev.Changes(); now != e.heldAt { // keys and values of other weights
		e.reset()
		e.heldAt = now
	}
	p, err := e.plan()
	var program device.Program
	if err == nil {
		began := time.Now()
		program = e.programOf(p)
		if err = program.Run(&p.batch); err == nil && p.onlyAnswers {
			e.pace.add(len(p.batch.IDs), time.Since(began).Seconds())
		}
	}
	if errors.Is(err, device.ErrStopped) { // those that ran have ended
		if len(p.batch.Copies) > 0 { // and pages of others are perhaps not what they should be
			e.reset()
		}
		return
	}
	if err != nil {
		for _, s := range slices.Clone(e.sequences) {
			e.end(s, err)
		}
		e.reset()
		return
	}
	e.copies = e.copies[:0]
	p.read(program.Output("logits"))
	e.filled(p)
	e.pool(p, program)
	var over *sequence // that has ended in this step
	for _, r := range p.rows {
		if r.sequence == over || !r.was {
			continue
		}
		if ended, err := r.sequence.take(r.row, r.choice); ended || err != nil {
			e.end(r.sequence, err)
			over = r.sequence
		}
	}
}

// over reports whether nobody waits for the step any more.
func (p *plan) over() bool {
	return !slices.ContainsFunc(p.sequences, func(s *sequence) bool { return s.ctx.Err() == nil })
}

// read takes the logits of a step. Those behind a guess that has not come true are of no use.
func (p *plan) read(logits []float32) {
	if len(p.rows) == 0 {
		return
	}
	V := len(logits) / len(p.rows)
	parallel.For(len(p.tasks), func(task int) {
		for i := p.tasks[task]; i < len(p.rows) && (task+1 == len(p.tasks) || i < p.tasks[task+1]); i++ {
			r := &p.rows[i]
			if !r.sequence.true(r.row) {
				break
			}
			r.choice, r.was = r.sequence.read(r.row, logits[i*V:(i+1)*V]), true
			if r.choice.over || r.choice.err != nil {
				break
			}
		}
	})
}

// filled tells the pages what has been run, as far as it is part of the sequences.
func (e *Engine) filled(p *plan) {
	stats := Stats{Steps: 1, Rows: int64(len(p.batch.IDs))}
	for i, s := range p.sequences {
		n := p.batch.Segments[i].Rows
		if known := s.known - s.ran; n > known {
			proposed, accepted := n-known, 0
			for accepted < proposed && s.true(s.known+accepted) {
				accepted++
			}
			n = known + accepted
			s.result.Proposed += proposed
			s.result.Accepted += accepted
			stats.Proposed += int64(proposed)
			stats.Accepted += int64(accepted)
		}
		e.pages.filled(s, n)
		e.pages.trim(s)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Steps += stats.Steps
	e.stats.Rows += stats.Rows
	e.stats.Proposed += stats.Proposed
	e.stats.Accepted += stats.Accepted
}

// end takes a sequence out.
func (e *Engine) end(s *sequence, err error) {
	e.pages.release(s, e.o.NoReuse)
	e.sequences = slices.DeleteFunc(e.sequences, func(t *sequence) bool { return t == s })
	if s.Echo && s.row < len(s.Rows) { // half of them are none
		s.result.Prompt, s.result.PromptTop = nil, nil
	}
	s.handle.end(s.result, err)
}

// plan is what a step runs.
type plan struct {
	batch     graph.Batch
	sequences []*sequence // of each segment
	rows      []wanted
	tasks     []int // the first row of each task: the rows of an answer are one, those of a prompt one each

	onlyAnswers bool    // no prompt is read beside them
	guessing    bool    // and they are few enough for guesses
	spare       int     // rows that are left for these
	expected    float64 // tokens that will come
	aside       float64 // seconds of drafts
	width       int     // rows, as far as they are known
}

// wanted is a row of logits.
type wanted struct {
	sequence *sequence
	row      int
	was      bool // read
	choice   choice
}

// So many answers may be guessed at in a step. More fill it by themselves.
const mostGuessing = 4

// A step that has enough tokens is as fast for each as a larger one. In a smaller one leastShared is how many
// tokens of a beginning are waited for at least: fewer are computed sooner.
const (
	enough      = 256
	leastShared = 16
)

// plan chooses what runs next: answers go on, and what room is left goes to prompts, in turn.
func (e *Engine) plan() (*plan, error) {
	p := &plan{onlyAnswers: true}
	now := e.sequences[:min(len(e.sequences), e.o.Sequences)]
	room := e.o.Rows
	for _, s := range now {
		if s.answers() {
			p.width += s.needs() - s.ran
			room -= min(room, s.needs()-s.ran)
		} else {
			p.onlyAnswers = false
		}
	}
	p.guessing = p.onlyAnswers && len(e.sequences) <= mostGuessing && !e.o.NoGuesses
	p.spare, p.expected = room, float64(p.width)
	if room < e.o.Rows {
		room = min(room, e.o.Rows/2)
	}
	longest := 0
	for _, s := range e.sequences {
		s.planned, s.guesses = false, nil
	}
	// Who would share more with one that runs now waits, as long as others fill the step.
	for _, least := range []int{1, leastShared} {
		for i, s := range now {
			if s.planned || least == leastShared && len(p.batch.IDs) >= enough && !s.entered {
				continue
			}
			left := e.o.Rows - len(p.batch.IDs)
			answers := s.answers()
			if !answers {
				left = min(left, room)
			}
			if left == 0 || len(p.rows) == stepLogits {
				continue
			}
			if !s.entered && !e.enter(s, now[:i], least) {
				continue
			}
			n := e.makeRoom(s, min(left, s.needs()-s.ran))
			if n == 0 {
				continue
			}
			s.planned, s.known = true, s.needs()
			if p.guessing && n == s.known-s.ran {
				e.guess(p, s)
			}
			n = p.add(s, n+len(s.guesses))
			if !answers {
				room -= n
			}
			longest = max(longest, s.ran+n)
		}
	}
	p.batch.Copies, p.batch.Stop = e.copies, p.over
	if len(p.batch.IDs) == 0 {
		return nil, errors.New("no sequence can go on")
	}
	if longest > e.built {
		for n := e.built; ; n *= 2 {
			if n >= longest {
				return p, e.build(min(n, e.o.Positions))
			}
		}
	}
	return p, nil
}

// enter gives a sequence what is there of its beginning. It waits for one that an earlier sequence is about
// to run and that has at least so many tokens more.
func (e *Engine) enter(s *sequence, earlier []*sequence, least int) bool {
	if e.o.NoReuse || s.Fresh {
		s.entered = true
		return true
	}
	// What is wanted is computed, held or not: logits are not kept.
	beginning := s.ids[:s.first()]
	coming := 0
	for _, t := range earlier {
		if t.Adapter == s.Adapter && t.needs() > t.ran {
			coming = max(coming, common(t.ids[:t.needs()], beginning))
		}
	}
	if coming >= least {
		way, _, rows := e.pages.find(s.Adapter, s.ids, len(beginning))
		if coming >= len(way)*e.o.Page+rows+least {
			return false
		}
	}
	rows, from, to := e.pages.enter(s, len(beginning))
	if rows > 0 {
		if from.full >= 0 {
			e.copies = append(e.copies, graph.PageCopy{From: from.full, To: to.full, Rows: rows})
		}
		if from.recent >= 0 {
			e.copies = append(e.copies, graph.PageCopy{From: from.recent, To: to.recent, Rows: rows, Recent: true})
		}
	}
	s.entered = true
	if !s.told {
		s.result.Reused = s.ran
	}
	e.mu.Lock()
	e.stats.Copied += int64(rows)
	e.stats.Reused += int64(s.ran)
	e.mu.Unlock()
	return true
}

// makeRoom finds pages for the next n tokens of a sequence, and returns for how many. Those that come after it
// are set back for the first one.
func (e *Engine) makeRoom(s *sequence, n int) int {
	for {
		room := e.pages.extend(s, s.ran+n) - s.ran
		if room > 0 {
			return min(room, n)
		}
		for _, victim := range slices.Backward(e.sequences) {
			if victim == s {
				return 0
			}
			if len(victim.way) > 0 && !victim.planned { // what runs in this step stays
				e.pages.release(victim, false)
				victim.entered = false
				break
			}
		}
		e.mu.Lock()
		e.stats.SetBack++
		e.mu.Unlock()
	}
}

// add takes at most n tokens of a sequence into the step.
func (p *plan) add(s *sequence, n int) int {
	segment := graph.Segment{Pos: s.ran, Pages: s.full, Recent: s.recent, Adapter: s.Adapter}
	for ; segment.Rows < n; segment.Rows++ {
		row := s.ran + segment.Rows
		if s.wants(row) {
			if len(p.rows) == stepLogits {
				break
			}
			p.batch.Select = append(p.batch.Select, int32(len(p.batch.IDs)))
			if s.MaxTokens <= 0 || row <= s.drawn() || len(p.rows) == 0 || p.rows[len(p.rows)-1].sequence != s {
				p.tasks = append(p.tasks, len(p.rows))
			}
			p.rows = append(p.rows, wanted{sequence: s, row: row})
		}
		p.batch.IDs = append(p.batch.IDs, s.at(row))
	}
	if segment.Rows > 0 {
		p.batch.Segments, p.sequences = append(p.batch.Segments, segment), append(p.sequences, s)
	}
	return segment.Rows
}
