package stage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"olmo/adapt"
	files "olmo/store"
	"olmo/train"
)

// trained tells whether output_dir has a run with a checkpoint, which the same command goes on with.
func (c *Config) trained() bool {
	if c.OverwriteOutputDir {
		return false
	}
	_, err := train.Latest(c.OutputDir)
	return err == nil
}

// AnotherRun is the way out for a config whose run is not the one in output_dir.
const AnotherRun = "output_dir=DIR starts another run, overwrite_output_dir=true one in the place of this"

// otherRun refuses a config whose run is not the one in output_dir; what says by what.
func (c *Config) otherRun(what string) error {
	return &train.OtherRunError{Reason: fmt.Errorf("output_dir %s has a run with a checkpoint, and %s than this config's\nhint: %s", c.OutputDir, what, AnotherRun)}
}

// keep refuses to write a file of output_dir over another one that the run there was trained with: neither
// it nor what verifies and repeats it could go on.
func (c *Config) keep(path string, text []byte) error {
	if !c.trained() {
		return nil
	}
	have, err := files.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // nothing is lost: the chain says whether it is the one that was there
	case err != nil:
		return err
	case !bytes.Equal(have, text):
		return c.otherRun("its rows (data/" + filepath.Base(path) + ") are other ones")
	}
	return nil
}

// hold keeps other processes from writing the rows, from now until the run has ended: it trains on the ones
// that it has seen.
func (r *Run) hold() error {
	if err := files.HeldIn(r.Config.OutputDir); err != nil { // by a run that trains
		return fmt.Errorf("output_dir: %w", err)
	}
	if r.claim == nil {
		return nil
	}
	if err := r.claim(filepath.Join(r.Config.OutputDir, "data")); err != nil {
		return fmt.Errorf("output_dir: %w", err)
	}
	return nil
}

// keepReferences is keep for a file of numbers that rows have, which follows from something else.
func (c *Config) keepReferences(path, of string) error {
	if have, _, err := train.ReadReferences(path); err == nil && have.Of != of && c.trained() {
		return c.otherRun("its data/" + filepath.Base(path) + " follows from other rows or another model")
	}
	return nil
}

// sameStage refuses an output_dir with the run of a stage whose rows are of another kind.
func (c *Config) sameStage(name string) error {
	rows := func(name string) string { return filepath.Join(c.OutputDir, "data", name+".npy") }
	if !c.trained() || exists(rows(name)) {
		return nil
	}
	for _, other := range []string{string(adapt.SFT), string(adapt.Preference), judgedRows, string(adapt.RLVR), string(adapt.Prompt)} {
		if exists(rows(other)) {
			return c.otherRun("its rows are of another kind (" + other + ")")
		}
	}
	return nil
}

// isOutput tells whether a folder is output_dir, under whatever name.
func (c *Config) isOutput(path string) bool {
	a, err := os.Stat(path)
	b, otherErr := os.Stat(c.OutputDir)
	return err == nil && otherErr == nil && os.SameFile(a, b)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
