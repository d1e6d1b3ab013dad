package verify

import (
	"bufio"
	"crypto/sha256"
	"io"

	"olmo/proof"
)

// rollouts is the path of the answers that a run of reinforcement learning has sampled.
func (w *walker) rollouts() string { return w.v.train + rolloutsFile }

// rolloutReader goes through rollouts.jsonl, which has several lines for a step.
type rolloutReader struct {
	file  io.Closer
	lines *bufio.Reader
	line  []byte // the next, nil at the end
	step  int    // its
}

func openRollouts(f *file) (*rolloutReader, error) {
	in, err := f.text()
	if err != nil {
		return nil, err
	}
	r := &rolloutReader{file: in, lines: bufio.NewReaderSize(in, 1<<16)}
	r.advance()
	return r, nil
}

// advance reads the next line. One that cannot be read, or is of no step, ends the file: what should have
// followed is missed.
func (r *rolloutReader) advance() {
	var err error
	var ok bool
	if r.line, err = r.lines.ReadBytes('\n'); err == nil {
		r.step, ok = quickStep(r.line)
	}
	if !ok {
		r.line = nil
	}
}

// hash is over the lines of a step, after which those of later ones are asked for.
func (r *rolloutReader) hash(step int) *proof.Hash {
	h := sha256.New()
	for ; r.line != nil && r.step <= step; r.advance() {
		if r.step == step {
			h.Write(r.line)
		}
	}
	sum := proof.Hash(h.Sum(nil))
	return &sum
}
