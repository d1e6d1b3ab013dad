package verify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"olmo/proof"
	"olmo/release"
	"olmo/store"
	"olmo/train"
)

// chainOf opens the chain of a release or run in a folder.
func chainOf(dir string) (*os.File, error) {
	f, err := store.Open(filepath.Join(dir, "train", chainFile))
	if err != nil {
		if f, err = store.Open(filepath.Join(dir, chainFile)); err != nil {
			return nil, fmt.Errorf("%s has no %s: %w", dir, chainFile, err)
		}
	}
	return f, nil
}

// judgeSince tells whether this release goes on where an older one ends: each line of its chain is one of
// ours, in the same place. A line that ended it, when the run was stopped, is gone when the run went on.
func (v *verifier) judgeSince() {
	if v.o.Since == "" {
		return
	}
	if v.chain == nil {
		v.note("without its chain nothing tells whether this continues %s", v.o.Since)
		return
	}
	old, err := chainOf(v.o.Since)
	if err != nil {
		v.problem(NotSince, v.o.Since, "%v", err).at(v.chain.first.Step)
		return
	}
	defer old.Close()
	now, err := v.usable(v.chain.path).text()
	if err != nil {
		return // told of as a file that changes
	}
	defer now.Close()
	a, b := bufio.NewReader(old), bufio.NewReader(now)
	step := v.chain.first.Step
	for {
		was, _, err := proof.ReadLine(a)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			var l *proof.Line
			if l, err = proof.ParseLine(was); err == nil {
				if step = l.Step; l.Closes() {
					continue
				}
			}
		}
		if err != nil {
			v.problem(NotSince, v.o.Since, "the chain of %s cannot be read: %v", v.o.Since, err).at(step)
			return
		}
		if is, _, err := proof.ReadLine(b); err != nil || !bytes.Equal(was, is) {
			v.problem(NotSince, v.o.Since, "this is no continuation of %s: of step %d the chain there has another line", v.o.Since, step).at(step)
			return
		}
	}
}

// judgeParents tells whether the run grew out of one of the releases that are said to be its parents.
func (v *verifier) judgeParents() {
	if len(v.o.Parents) == 0 {
		return
	}
	if v.chain == nil {
		v.note("without its chain nothing tells what the run grew out of")
		return
	}
	first := v.chain.first
	if first.From == nil {
		for _, dir := range v.o.Parents {
			v.problem(Parent, dir, "the run did not begin with a checkpoint of another: it is no child of %s", dir)
		}
		return
	}
	var refused []Problem
	for _, dir := range v.o.Parents {
		why, err := v.parent(dir, first)
		if err != nil {
			why = err.Error()
		}
		if why == "" {
			return
		}
		refused = append(refused, Problem{Kind: Parent, Path: dir, Message: why})
	}
	for _, p := range refused {
		v.problem(Parent, p.Path, "%s", p.Message)
	}
}

// parent says why a release is not the run's parent; nothing where it is.
func (v *verifier) parent(dir string, first *proof.Line) (why string, err error) {
	in, err := chainOf(dir)
	if err != nil {
		return "", err
	}
	defer in.Close()
	var at *proof.Line
	var weights *proof.Hash
	err = readLines(v.ctx, in, func(l *proof.Line, _ []byte) bool {
		if l.Hash == *first.From {
			at = l
		}
		if at != nil && l.Step != at.Step {
			return false
		}
		if at != nil && l.Weights != nil {
			weights = l.Weights
		}
		return v.ctx.Err() == nil
	}, func(int, error) {})
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", dir, err)
	case at == nil:
		return fmt.Sprintf("no line of the chain of %s has the hash %v, from which the run began", dir, *first.From), nil
	case weights == nil:
		v.note("the chain of %s has the hash from which the run began at step %d, but no roots there, so that the weights cannot be compared", dir, at.Step)
	case *weights != *first.Weights:
		return fmt.Sprintf("the run began from step %d of %s, but with other weights: the root is %v there and %v here", at.Step, dir, *weights, *first.Weights), nil
	}
	return "", nil
}

// judgeName compares what the release is called with what was asked for.
func (v *verifier) judgeName() {
	if v.o.Name == "" && v.o.Revision == "" {
		return
	}
	if v.release == nil {
		v.problem(Name, ".", "a run has no name")
		return
	}
	if m := v.release; v.o.Name != "" && m.Name != v.o.Name {
		v.problem(Name, release.ManifestFile, "this is the release %s, not %s", m.Name, v.o.Name)
	}
	if v.o.Revision == "" {
		return
	}
	for i := range v.release.Revisions {
		if v.release.Revisions[i].Name == v.o.Revision {
			return
		}
	}
	p := v.problem(Name, release.ManifestFile, "the release %s has no revision %s", v.release.Name, v.o.Revision)
	if step, ok := release.StepOf(v.o.Revision); ok {
		p.at(step)
	}
}

// stateAt reads the state of a checkpoint that is the chain's.
func (v *verifier) stateAt(step int) (*train.State, error) {
	name := fmt.Sprintf("%sstep%d/%s", v.train, step, stateFile)
	line := v.chain.states[step]
	text, err := v.text(name)
	if err != nil {
		return nil, err
	}
	hash, err := train.HashState(text)
	if err == nil && (line == nil || hash != *line.State) {
		err = errors.New("it is not the chain's")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	state := &train.State{}
	return state, json.Unmarshal(text, state)
}
