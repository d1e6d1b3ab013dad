package data_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"olmo/data"
)

// A bad line is kept with its file, line, place and reason, also when it is no text;
// of a very long one the beginning.
func TestRejects(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in", "x")
	u := &data.Unit{Record: "r.json", Key: "x", Inputs: []string{"in"}, Rejects: []string{"bad"}}
	plan := data.Plan{Stage: "t", Units: []*data.Unit{u}}
	var told []string
	s := begin(t, plan, data.Execution{Log: func(m string) { told = append(told, m) }})
	rej := s.Rejects(u, "bad")
	if err := rej.Close(); err != nil {
		t.Fatal(err)
	}
	if s.RejectedError() != nil {
		t.Errorf("before any: %v", s.RejectedError())
	}
	why := errors.New("no \"text\"")
	raws := []string{"plain é\"", "\xe9\x00\xff", strings.Repeat("x", 1<<20) + "y"}
	for i := range 25 {
		bad := &data.RecordError{File: "in", Line: int64(i + 1), Offset: int64(10 * i), Raw: []byte("{"), Err: why}
		if i < len(raws) {
			bad.Raw = []byte(raws[i])
		}
		if err := rej.Add(bad); err != nil {
			t.Fatal(err)
		}
	}
	if rej.Count != 25 || s.Progress.Rejected.Load() != 25 {
		t.Errorf("%d are counted, %d of the run", rej.Count, s.Progress.Rejected.Load())
	}
	// Twenty are told of one by one, and that there are more.
	if len(told) != 21 || told[0] != `rejected in:1: (byte 0): no "text"` || !strings.HasPrefix(told[19], "rejected in:20:") || !strings.Contains(told[20], "all are in the rejects files") {
		t.Errorf("told %d: %q", len(told), told)
	}
	if err := s.RejectedError(); err == nil || !strings.HasPrefix(err.Error(), "in:1:") {
		t.Errorf("the first bad line is %v", err)
	}
	if err := errors.Join(rej.Close(), s.Finish(u, nil), s.Commit()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("bad")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 25 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines[:3] {
		var got struct {
			File, Reason string
			Line, Offset int
			Raw          *string
			Latin1       *string `json:"raw_latin1"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.File != "in" || got.Line != i+1 || got.Offset != 10*i || got.Reason != why.Error() {
			t.Errorf("line %d is %.100s, %v", i, line, err)
		}
		switch i {
		case 0:
			if got.Raw == nil || *got.Raw != raws[0] || got.Latin1 != nil {
				t.Errorf("the text is %.100s", line)
			}
		case 1: // each byte as the character of its number
			if got.Latin1 == nil || *got.Latin1 != "\u00e9\u0000\u00ff" || got.Raw != nil {
				t.Errorf("the bytes are %.100s", line)
			}
		case 2:
			if got.Raw == nil || *got.Raw != raws[2][:1<<20] {
				t.Errorf("the long one is %.100s", line)
			}
		}
	}
}

// With --strict the first bad line is an error, and nothing is written.
func TestRejectsStrict(t *testing.T) {
	t.Chdir(t.TempDir())
	u := &data.Unit{Record: "r.json", Key: "x", Rejects: []string{"bad"}}
	s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}}, data.Execution{Strict: true})
	why := errors.New("why")
	err := s.Rejects(u, "bad").Add(&data.RecordError{File: "in", Line: 1, Err: why})
	if !errors.Is(err, why) || !strings.Contains(err.Error(), "hint: without --strict bad lines go to a rejects file") {
		t.Errorf("got %v", err)
	}
	rej := begin(t, data.Plan{Stage: "u", Units: []*data.Unit{u}}, data.Execution{}).Rejects(u, "bad")
	rej.Abort() // of nothing
	if err := rej.Add(&data.RecordError{File: "in", Line: 1, Err: why}); err != nil {
		t.Fatal(err)
	}
	rej.Abort()
	if got := tree(t, "."); len(got) != 0 {
		t.Errorf("there is %q", got)
	}
}

// A run that dropped everything says why, keeps what was there, and says the same
// when it is run again.
func TestNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in", "one\n")
	run := func(fail, bad bool) error {
		u := &data.Unit{Record: "r.json", Key: "x", Inputs: []string{"in"}, Outputs: []string{"out"}, Rejects: []string{"bad"}}
		s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}}, data.Execution{})
		defer s.Close()
		if s.AllDone() {
			return s.Commit()
		}
		w, err := s.Create(u, "out", data.Plain)
		if err != nil {
			return err
		}
		fmt.Fprint(w, fail)
		rej := s.Rejects(u, "bad")
		if bad {
			if err := rej.Add(&data.RecordError{File: "in", Line: 1, Err: os.ErrInvalid}); err != nil {
				return err
			}
		}
		if err := errors.Join(w.Close(), rej.Close(), s.Finish(u, nil)); err != nil {
			return err
		}
		if !fail {
			return s.Commit()
		}
		if bad {
			return s.Nothing("no text", "give some")
		}
		return s.Nothing("no text", "")
	}
	for range 2 {
		err := run(true, true)
		if want := "no text: in:1: (byte 0): invalid argument\nhint: give some"; !errors.Is(err, data.ErrNothing) || !errors.Is(err, os.ErrInvalid) || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
		if got := tree(t, "."); len(got) != 1 {
			t.Errorf("of a run that found nothing there is %q", got)
		}
	}
	if err := run(false, false); err != nil {
		t.Fatal(err)
	}
	put(t, "in", "other\n")
	for range 2 {
		if err := run(true, false); !errors.Is(err, data.ErrNothing) || err.Error() != "no text" {
			t.Errorf("without bad lines and hint: %v", err)
		}
		if text, err := os.ReadFile("out"); string(text) != "false" {
			t.Errorf("the earlier output is %q, %v", text, err)
		}
	}
	if err := run(false, false); err != nil {
		t.Errorf("with something left: %v", err)
	}
}
