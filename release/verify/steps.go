package verify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"olmo/proof"
	"olmo/release"
	"olmo/train"
)

// stepFacts is all that is known of a step from elsewhere than its line.
type stepFacts struct {
	line    *proof.Line
	planned *train.Planned // nil where the settings do not tell
	course  *train.Course  // whose data they are
	log     []byte         // the line of metrics.jsonl, nil without
	answers *proof.Hash    // of the lines of rollouts.jsonl, nil without the file
	ranks   []uint32       // the instances of data-indices/, nil without
	indices string         // a file of them
	lacks   []string       // files of data-indices/ that have no row of the step; of a broken chain the line is the fault
}

// verdict is what comes of comparing them.
type verdict struct {
	step     int
	problems []Problem
	tokens   error // the batch is not the chain's
	updates  bool  // the weights have changed
}

// judgeSteps goes through chain, log, data indices and the data order that the settings give side by side, one
// step after the other: of a million steps only a few are in memory.
func (v *verifier) judgeSteps() {
	if v.chain == nil {
		return
	}
	w := &walker{v: v, metrics: v.train + logFile}
	defer w.close()
	if !w.open() {
		return
	}
	updates := 0
	v.updates = map[int]int{v.chain.first.Step: 0}
	kept := v.checkpointSteps()
	var batches []Problem
	ordered(v.ctx, w.steps, func(r verdict) bool {
		for _, p := range r.problems {
			*v.problem(p.Kind, p.Path, "%s", p.Message) = p
		}
		if r.tokens != nil && len(batches) < most {
			p := Problem{Kind: Tokens, Message: fmt.Sprintf("the tokens of step %d are not those that the chain has: %v", r.step, r.tokens)}
			batches = append(batches, *p.at(r.step))
		}
		if r.updates {
			updates++
		}
		if _, ok := v.chain.states[r.step]; ok || kept[r.step] {
			v.updates[r.step] = updates
		}
		return v.ctx.Err() == nil
	})
	if !v.namedDocument { // which says the same more exactly
		v.report.Problems = append(v.report.Problems, batches...)
	}
	w.end()
}

// walker goes through the records of a run.
type walker struct {
	v       *verifier
	metrics string
	chain   io.ReadCloser
	log     *logReader     // nil without
	answers *rolloutReader // nil without
	ranks   []*indexReader
	course  *train.Course
	courses []*train.Course // to close
	lost    bool            // the course cannot be followed any more
	notes   []string
	// fewRanks tells that data-indices/ lacks the files of some ranks.
	fewRanks bool
}

// open opens what there is; false without a chain.
func (w *walker) open() bool {
	v := w.v
	in, err := v.usable(v.chain.path).text()
	if err != nil {
		return false // told of at the end, as a file that changes
	}
	w.chain = in
	if f := v.usable(w.metrics); f != nil {
		if w.log, err = openLog(f); err != nil {
			v.problem(Log, w.metrics, "%s: %v", w.metrics, err)
		}
	} else {
		v.note("the log cannot be compared without %s", w.metrics)
	}
	if f := v.usable(w.rollouts()); f != nil {
		if w.answers, err = openRollouts(f); err != nil {
			v.problem(Log, w.rollouts(), "%s: %v", w.rollouts(), err)
		}
	}
	for r := 0; ; r++ {
		f := v.usable(fmt.Sprintf("%sdata-indices/rank%d.tsv.gz", v.train, r))
		if f == nil {
			break
		}
		x, err := openIndex(f)
		if err != nil {
			v.problem(Order, f.path, "%s: %v", f.path, err)
			break
		}
		w.ranks = append(w.ranks, x)
	}
	w.begin()
	return true
}

// begin starts the data order at the state from which the chain goes on.
func (w *walker) begin() {
	v := w.v
	lose := func(format string, args ...any) {
		w.lost = true
		v.note("the data order cannot be followed: "+format, args...)
	}
	p := &v.parts[0]
	if p.data() == nil {
		lose("%v", cmpErr(p.err, errors.New("the settings are not the chain's")))
		return
	}
	from := train.State{}
	if v.chain.first.Step > 0 || v.chain.first.From != nil {
		s, err := v.stateAt(v.chain.first.Step)
		if err != nil {
			lose("the run began with the state of another, and %v", err)
			return
		}
		from = *s
	} else if p.cfg.Epoch != nil {
		from.Epoch = *p.cfg.Epoch
	}
	if err := w.follow(p.cfg, from); err != nil {
		lose("%v", err)
	}
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// follow goes on with other settings.
func (w *walker) follow(cfg *train.Config, from train.State) error {
	course, err := cfg.Course(from)
	if err != nil {
		return err
	}
	w.course, w.courses = course, append(w.courses, course)
	return nil
}

func (w *walker) close() {
	for _, c := range w.courses {
		c.Close()
	}
	for _, r := range w.ranks {
		r.close()
	}
	if w.log != nil {
		w.log.close()
	}
	if w.answers != nil {
		w.answers.file.Close()
	}
	if w.chain != nil {
		w.chain.Close()
	}
}

// steps gives a job for every step of the chain.
func (w *walker) steps(yield func(func() verdict) bool) {
	v, last := w.v, w.v.chain.first.Step
	changes := map[int]*part{}
	for i := 1; i < len(v.parts); i++ {
		changes[v.parts[i].step] = &v.parts[i]
	}
	each := func(l *proof.Line, _ []byte) bool {
		if l.Instances == nil || l.Step <= last || l.Step-last > mostSkipped {
			return true // not a step, or one out of order, of which the chain's check tells
		}
		last = l.Step
		s := &stepFacts{line: l}
		if p := changes[l.Step]; p != nil && !w.lost {
			from := w.course.State()
			if p.data() == nil || w.follow(p.cfg, from) != nil {
				w.lost = true
				w.notes = append(w.notes, fmt.Sprintf("the data order cannot be followed from step %d on", l.Step))
			}
		}
		for !w.lost && (s.planned == nil || s.planned.Step < l.Step) {
			p, err := w.course.Next()
			if err != nil {
				w.lost = true
				w.notes = append(w.notes, fmt.Sprintf("the settings give no step %d: %v", l.Step, err))
				break
			}
			s.planned, s.course = p, w.course
		}
		if s.planned != nil && s.planned.Step != l.Step {
			s.planned = nil
		}
		if w.log != nil {
			s.log = w.log.at(l.Step, v.chain.first.Step)
		}
		if l.Rollouts != nil && w.answers != nil {
			s.answers = w.answers.hash(l.Step)
		}
		w.instances(s)
		return yield(func() verdict { return w.judge(s) })
	}
	_ = readLines(v.ctx, w.chain, each, func(int, error) {})
}

// mostSkipped is how many steps a chain may lack and be followed all the same.
const mostSkipped = 1 << 20

// judge compares what is known of a step.
func (w *walker) judge(s *stepFacts) verdict {
	l := s.line
	r := verdict{step: l.Step, updates: true}
	wrong := func(kind Kind, path, format string, args ...any) {
		p := Problem{Kind: kind, Path: path, Message: fmt.Sprintf(format, args...)}
		r.problems = append(r.problems, *p.at(l.Step))
	}
	for _, path := range s.lacks {
		wrong(Order, path, "%s has no row of step %d", path, l.Step)
	}
	var instances []uint32 // that the chain has
	if s.ranks != nil {
		if hashInstances(s.ranks) == *l.Instances {
			instances = s.ranks
		} else {
			wrong(Order, s.indices, "data-indices/ has other instances at step %d than the chain", l.Step)
		}
	}
	if s.planned != nil {
		if hashInstances(s.planned.Instances) == *l.Instances {
			instances = s.planned.Instances
		} else {
			wrong(Order, "", "the instances of step %d are not those that the recipe gives", l.Step)
		}
	}
	if d := s.course; instances != nil && d != nil {
		r.tokens = checkBatch(d, instances, *l.Tokens)
	}
	if s.answers != nil && *s.answers != *l.Rollouts {
		wrong(Log, w.rollouts(), "the answers of step %d in %s are not those that the chain has", l.Step, w.rollouts())
	}
	if s.log != nil {
		w.judgeLog(s, &r, wrong)
	} else if w.log != nil {
		wrong(Log, w.metrics, "%s has no line of step %d", w.metrics, l.Step)
	}
	if s.planned != nil && !slices.ContainsFunc(s.planned.Rates, func(rate float64) bool { return rate > 0 }) {
		r.updates = false
	}
	return r
}

// judgeLog compares a line of metrics.jsonl with the chain and the settings.
func (w *walker) judgeLog(s *stepFacts, r *verdict, wrong func(kind Kind, path, format string, args ...any)) {
	l := s.line
	rec, err := readRecord(s.log)
	if err != nil {
		wrong(Log, w.metrics, "the line of step %d of %s: %v", l.Step, w.metrics, err)
		return
	}
	number := func(key string, want float64) {
		switch got, ok := rec.number(key); {
		case !ok:
			wrong(Log, w.metrics, "step %d: %s has no number %s", l.Step, w.metrics, key)
		case got != want:
			wrong(Log, w.metrics, "step %d: %s says that %s is %v, it is %v", l.Step, w.metrics, key, got, want)
		}
	}
	lossKey := "train/CrossEntropyLoss"
	if _, ok := rec.number(lossKey); !ok && rec.find(train.ObjectiveLoss) != "" {
		lossKey = train.ObjectiveLoss
	}
	number(lossKey, l.Loss)
	number("optim/total_grad_norm", l.GradNorm)
	if hash := rec.text("chain"); hash != l.Hash.String() {
		wrong(Log, w.metrics, "step %d: %s has the hash %q, the chain %v", l.Step, w.metrics, hash, l.Hash)
	}
	if skipped, _ := rec.number("optim/step skipped"); skipped == 1 {
		r.updates = false
	}
	// A step of reinforcement learning may have nothing to learn from.
	if n, ok := rec.number("train/target_tokens"); ok && n == 0 && l.Rollouts != nil {
		r.updates = false
	}
	if p := s.planned; p != nil {
		number("throughput/total_tokens", float64(p.Tokens))
		number("epoch", float64(p.Epoch))
		for i, rate := range p.Rates {
			number("optim/learning_rate_group"+strconv.Itoa(i), rate)
		}
	}
}

// judgeTokensSeen compares what release.json says of the whole run with where its settings lead.
func (v *verifier) judgeTokensSeen(w *walker) {
	if v.release == nil || v.chain.broken || w.lost || w.course == nil || v.ctx.Err() != nil {
		return
	}
	if end, says := w.course.State(), v.release.Run.Tokens; end.Step == v.chain.last && end.Tokens != says {
		v.problem(Manifest, release.ManifestFile, "%s says that the run saw %d tokens, its settings give %d until step %d", release.ManifestFile, says, end.Tokens, end.Step)
	}
}

func hashInstances(all []uint32) proof.Hash {
	b := make([]byte, 0, 4*len(all))
	for _, i := range all {
		b = binary.LittleEndian.AppendUint32(b, i)
	}
	return proof.Sum(b)
}

// checkBatch hashes the tokens of some instances.
func checkBatch(c *train.Course, instances []uint32, want proof.Hash) error {
	d := c.Data()
	for _, i := range instances {
		if int64(i) >= int64(d.Len()) {
			return fmt.Errorf("there is no instance %d", i)
		}
	}
	got, err := d.HashInstances(instances)
	if err == nil && got != want {
		err = fmt.Errorf("their hash is %v, not %v", got, want)
	}
	return err
}

// instances reads those of a step in data-indices/, rank after rank.
func (w *walker) instances(s *stepFacts) {
	ranks := w.ranks
	if p := w.v.partAt(s.line.Step); p != nil && p.cfg != nil {
		if p.cfg.WorldSize > len(ranks) {
			w.fewRanks = len(ranks) > 0
			return
		}
		ranks = ranks[:max(p.cfg.WorldSize, min(1, len(ranks)))]
	}
	for _, r := range ranks {
		part := r.at(s.line.Step, w.v.chain.first.Step)
		switch {
		case part != nil || r.err != nil || w.v.chain.broken:
		case r.line != nil:
			s.lacks = append(s.lacks, r.path)
		case r.ended == 0: // the end comes with a checkpoint, which a run that was killed has not reached
			r.ended = s.line.Step
		}
		s.ranks = append(s.ranks, part...)
		s.indices = ranks[0].path
		if part == nil {
			s.ranks = nil
			return
		}
	}
}

// end tells what is left of the log and of the data indices behind the chain's end.
func (w *walker) end() {
	v := w.v
	for _, text := range w.notes {
		v.note("%s", text)
	}
	if w.fewRanks {
		v.note("the data order is not compared with data-indices/, where not all ranks have their file")
	}
	if w.log != nil && v.ctx.Err() == nil {
		for _, step := range w.log.rest() {
			v.problem(Log, w.metrics, "%s has a line of step %d, which the chain does not have, or has elsewhere", w.metrics, step).at(step)
		}
		if err := w.log.err; err != nil {
			v.problem(Log, w.metrics, "%s: %v", w.metrics, err)
		}
	}
	for _, r := range w.ranks {
		if r.ended > 0 {
			v.note("%s ends before step %d: from there on the data order is compared with the settings alone", r.path, r.ended)
		}
		if r.err == nil && v.ctx.Err() == nil && !v.chain.broken {
			for _, step := range r.rest() {
				v.problem(Order, r.path, "%s has a row of step %d, which the chain does not have, or has elsewhere", r.path, step).at(step)
			}
		}
		if r.err != nil {
			v.problem(Order, r.path, "%s: %v", r.path, r.err)
		}
	}
	v.judgeTokensSeen(w)
	v.course = !w.lost
}
