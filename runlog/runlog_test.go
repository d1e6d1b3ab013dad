package runlog_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"olmo/runlog"
)

func Example() {
	dir, err := os.MkdirTemp("", "runlog")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "metrics.jsonl")
	log, err := runlog.Open(path, 0)
	if err != nil {
		panic(err)
	}
	for step := 1; step <= 2; step++ {
		if err := log.Append(runlog.Record{"step": step, "train/CrossEntropyLoss": 4 / float64(step)}); err != nil {
			panic(err)
		}
	}
	if err := log.Close(); err != nil {
		panic(err)
	}
	text, _ := os.ReadFile(path)
	fmt.Print(string(text))
	// Output:
	// {"step":1,"train/CrossEntropyLoss":4}
	// {"step":2,"train/CrossEntropyLoss":2}
}

// TestOpen: a log goes on after a step, whatever a killed run left behind it.
func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name, before string
		step         int
		want         string
	}{
		{"no file", "", 5, ""},
		{"complete", "{\"step\":1}\n{\"step\":2}\n", 2, "{\"step\":1}\n{\"step\":2}\n"},
		{"later steps", "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n", 1, "{\"step\":1}\n"},
		{"torn line", "{\"step\":1}\n{\"step\":2,\"tra", 2, "{\"step\":1}\n"},
		{"only the newline is missing", "{\"step\":1}\n{\"step\":2}", 2, "{\"step\":1}\n{\"step\":2}\n"},
		{"the newline of a later step", "{\"step\":1}\n{\"step\":2}", 1, "{\"step\":1}\n"},
		{"Python's NaN", "{\"step\": 1, \"a\": NaN}\n{\"step\": 2, \"b\": [-Infinity, Infinity]}\n", 2, "{\"step\": 1, \"a\": NaN}\n{\"step\": 2, \"b\": [-Infinity, Infinity]}\n"},
		{"garbage", "{\"step\":1}\n\x00\x00\x00\n{\"step\":2}\n", 2, "{\"step\":1}\n{\"step\":2}\n"},
		{"a new run", "{\"step\":1}\n", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "metrics.jsonl")
			if c.before != "" {
				if err := os.WriteFile(path, []byte(c.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			log, err := runlog.Open(path, c.step)
			if err != nil {
				t.Fatal(err)
			}
			if err := log.Append(runlog.Record{"step": 9, "a": math.Inf(-1), "b": math.Inf(1), "x": math.NaN()}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(log.Sync(), log.Close()); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if want := c.want + "{\"step\":9,\"a\":null,\"b\":null,\"x\":null}\n"; string(got) != want {
				t.Errorf("log holds %q, want %q", got, want)
			}
		})
	}
}

// TestOpenUnreadable: a log that cannot be read is not taken for an empty one.
func TestOpenUnreadable(t *testing.T) {
	dir := t.TempDir()
	if log, err := runlog.Open(dir, 3); err == nil || !strings.Contains(err.Error(), "opening run log: ") {
		t.Errorf("got %v, %v, want an error", log, err)
	}
}

// TestRead: a run that is being written may end in half a line; other damage is an error.
func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("{\"step\":1,\"a\":0.5}\n{\"ste")
	r, err := runlog.Read(path)
	if err != nil || len(r) != 1 || r[0]["a"] != 0.5 {
		t.Errorf("Read gives %v, %v", r, err)
	}
	write("{\"step\":1}\nx\n{\"step\":2}\n")
	if _, err := runlog.Read(path); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one about line 2", err)
	}
	write("{\"step\": 1, \"a\": NaN}\n\n{\"step\":2}")
	if r, err := runlog.Read(path); err != nil || len(r) != 2 || len(r[0]) != 2 || r[0]["a"] != nil {
		t.Errorf("Read gives %v, %v, want two steps, the first with a null", r, err)
	}
	if _, err := runlog.Read(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

// TestParse: what Python's json.dumps writes is read; other words are no lines.
func TestParse(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`{"step": 3, "loss": NaN, "lr": 0.5}`, `{"step":3,"loss":null,"lr":0.5}`},
		{`{"step":3,"a":Infinity,"b":-Infinity,"c":[NaN,1]}`, `{"step":3,"a":null,"b":null,"c":[null,1]}`},
		{`{"NaN":1,"a\"NaN":NaN,"b\\":Infinity}`, `{"NaN":1,"a\"NaN":null,"b\\":null}`},
		{`{"step":3}`, `{"step":3}`},
		{`{"step":NaN}`, `{"step":null}`},
		{`{"step":3,"a":nan}`, ""},
		{`{"step":3,"a":NaN`, ""},
		{`{"step":3,"a":-NaN}`, ""},
		{`{"step":3,"a":"NaN}`, ""},
		{`NaN`, "null"},
		{``, ""},
	} {
		r, err := runlog.Parse([]byte(c.line))
		got := ""
		if err == nil {
			text, _ := json.Marshal(map[string]any(r))
			got = string(text)
			if r != nil {
				text, _ = r.MarshalJSON()
				got = string(text)
			}
		}
		if got != c.want {
			t.Errorf("Parse(%s) gives %s, %v, want %s", c.line, got, err, c.want)
		}
	}
}

var records = []runlog.Record{
	{"step": 1, "train/CrossEntropyLoss": 5.25, "chain": "ab"},
	{"step": 2, "train/CrossEntropyLoss": 4.5, "eval/x": 1.0, "throughput/total_tokens": int64(64)},
}

func TestCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.csv")
	if err := runlog.WriteCSV(path, records); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	want := "step,chain,eval/x,throughput/total_tokens,train/CrossEntropyLoss\n1,ab,,,5.25\n2,,1,64,4.5\n"
	if string(got) != want {
		t.Errorf("CSV is\n%swant\n%s", got, want)
	}
}

func TestWandb(t *testing.T) {
	dir := t.TempDir()
	run := runlog.WandbRun{Project: "p", Name: "n", Config: map[string]any{"seed": 3}}
	if err := runlog.WriteWandb(dir, run, records); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"wandb-history.jsonl": `{"_step":1,"chain":"ab","train/CrossEntropyLoss":5.25}`,
		"wandb-summary.json":  `"train/CrossEntropyLoss": 4.5`,
		"wandb-metadata.json": `"project": "p"`,
		"config.yaml":         `"value": 3`,
	} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s is %s, want it to hold %s", file, got, want)
		}
	}
}

// TestTensorBoard reads the event file back, frame by frame. The checksum is checked
// against a record that TensorFlow wrote: eight zero bytes of length 0x18 have 0xa37f4b22.
func TestTensorBoard(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1700000000, 5)
	tb, err := runlog.OpenTensorBoard(dir, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := tb.Append(r, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := tb.Append(runlog.Record{"a": 1.0}, now); err == nil {
		t.Error("a record without a step was taken")
	}
	if err := tb.Close(); err != nil {
		t.Fatal(err)
	}
	// TensorBoard takes the files in the order of their names, which is that of their times.
	paths := []string{filepath.Join(dir, "events.out.tfevents.1700000000.000000005.olmo")}
	b, _ := os.ReadFile(paths[0])
	if got := hex.EncodeToString(b[:12]); got != "1800000000000000a37f4b22" {
		t.Errorf("the first frame begins with %s, want 1800000000000000a37f4b22 as TensorFlow's", got)
	}
	var events []string
	for len(b) > 0 {
		n := binary.LittleEndian.Uint64(b)
		events = append(events, string(b[12:12+n]))
		b = b[16+n:]
	}
	if len(events) != 4 {
		t.Fatalf("%d events, want 4", len(events))
	}
	if !strings.HasSuffix(events[0], "\x1a\x0dbrain.Event:2") || !strings.HasSuffix(events[1], "\x10\x01\x3a\x02\x08\x01") {
		t.Errorf("the file begins with %q, %q", events[0], events[1])
	}
	// wall_time, a double
	wall := "\x09" + string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(1700000000.000000005)))
	for i, e := range events {
		if !strings.HasPrefix(e, wall) {
			t.Errorf("event %d begins with %q, want the time %q", i, e[:9], wall)
		}
	}
	want := "\x10\x01\x2a\x1f\x0a\x1d\x0a\x16train/CrossEntropyLoss\x15\x00\x00\xa8\x40"
	if got := events[2][9:]; got != want {
		t.Errorf("the first step is %q, want %q", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("{\"step\":1}\n{\"step\":2}"), 1)
	f.Add([]byte("{}\n[]\nnull\n"), 3)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		path := filepath.Join(t.TempDir(), "m.jsonl")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		log, err := runlog.Open(path, step)
		if err != nil {
			t.Fatal(err)
		}
		log.Close()
		records, err := runlog.Read(path)
		if err != nil {
			t.Fatalf("what Open left cannot be read: %v", err)
		}
		for _, r := range records {
			if n, ok := r.Step(); !ok || n > step {
				t.Fatalf("a record of step %d is left after opening at %d", n, step)
			}
		}
	})
}
