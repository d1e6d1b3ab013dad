package data

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"olmo/data/store"
)

// A Record is kept beside the outputs of a stage and says what made them, so
// that the same command after an interruption goes on where it stopped, and
// another command never takes its outputs for its own.
type Record struct {
	Stage  string `json:"stage"`
	Digest string `json:"digest"` // of all that the outputs depend on
	Done   bool   `json:"done"`
	// Report is what the stage found, once it is done.
	Report json.RawMessage `json:"report,omitempty"`
}

// Digest is a hash over settings (as JSON) and over the names, sizes and times
// of the input files.
func Digest(settings any, files []string) (string, error) {
	type input struct {
		Path  string
		Bytes int64
		Time  int64 // nanoseconds
		// Version is what a remote file has for a time that is exact.
		Version string `json:",omitempty"`
	}
	infos, err := store.StatAll(files)
	if err != nil {
		return "", err
	}
	inputs := make([]input, len(files))
	for i, f := range files {
		inputs[i] = input{f, infos[i].Size, infos[i].ModTime.UnixNano(), infos[i].Version}
	}
	b, err := json.Marshal([]any{settings, inputs})
	if err != nil {
		return "", fmt.Errorf("recording the settings: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// ReadRecord reads the record at path. One that is missing, damaged or of
// another stage is the zero Record, which equals no run.
func ReadRecord(path, stage string) (Record, error) {
	b, err := store.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading the record of an earlier run: %w", err)
	}
	var r Record
	if json.Unmarshal(b, &r) != nil || r.Stage != stage {
		return Record{}, nil
	}
	return r, nil
}

// Write stores the record at path.
func (r Record) Write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("recording the run: %w", err)
	}
	w, err := CreateWriterAs(path, Plain)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(append(b, '\n')); err != nil {
		return err
	}
	return w.Close()
}
