package runlog_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"olmo/runlog"
)

// shown writes columns as one line a key.
func shown(c *runlog.Columns) string {
	var b strings.Builder
	for i := range c.Len() {
		fmt.Fprintf(&b, "%d ", c.Step(i))
	}
	for _, k := range c.Keys() {
		fmt.Fprintf(&b, "| %s", k)
		for row, v := range c.Column(k).Between(0, c.Len()) {
			fmt.Fprintf(&b, " %d:%g", c.Step(row), v)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestColumns(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"numbers", "{\"step\":1,\"a\":0.5,\"b\":-5e-1}\n{\"step\":2,\"a\":1.5,\"b\":2E+2}\n", "1 2 | a 1:0.5 2:1.5| b 1:-0.5 2:200"},
		{"a key now and then", "{\"step\":1}\n{\"step\":2,\"e\":7}\n{\"step\":3}\n{\"step\":4,\"e\":6}\n{\"step\":5,\"e\":5}", "1 2 3 4 5 | e 2:7 4:6 5:5"},
		{"Python", "{\"step\": 1, \"a\": NaN, \"b\": 1}\n{\"step\": 2, \"a\": -Infinity, \"b\": Infinity}", "1 2 | a 1:NaN 2:-Inf| b 1:1 2:+Inf"},
		{"null", "{\"step\":1,\"a\":null}", "1 | a 1:NaN"},
		{"text and others", "{\"step\":1,\"s\":\"x\\\"}\",\"o\":{\"a\":[1,{\"step\":9}]},\"t\":true,\"a\":1}", "1 | a 1:1"},
		{"other orders", "{\"a\":1,\"step\":1,\"b\":2}\n{\"b\":3,\"a\":4,\"step\":2}\n", "1 2 | a 1:1 2:4| b 1:2 2:3"},
		{"escapes", "{\"step\":1,\"\\u0061\":1}\n{\"step\":2,\"a\":2}", "1 2 | a 1:1 2:2"},
		{"other spaces", "{\"step\":1,\"a\":1,\"b\":2}\n{\"step\": 2 , \"a\" :3,\"b\": 4 }\n{\"step\":3,\"a\":\t5,\"b\":6}\n{ \"step\":4,\"a\":7,\"b\":8}", "1 2 3 4 | a 1:1 2:3 3:5 4:7| b 1:2 2:4 3:6 4:8"},
		{"a key less and more", "{\"step\":1,\"a\":1,\"b\":2}\n{\"step\":2,\"b\":3}\n{\"step\":3,\"a\":4,\"c\":5,\"b\":6}\n{}\n{\"step\":4", "1 2 3 | a 1:1 3:4| b 1:2 2:3 3:6| c 3:5"},
		{"a key twice", "{\"step\":1,\"a\":1,\"a\":2}", "1 | a 1:2"},
		{"gone back", "{\"step\":1,\"a\":1}\n{\"step\":2,\"a\":2,\"b\":1}\n{\"step\":3,\"a\":3}\n{\"step\":2,\"a\":9}\n", "1 2 | a 1:1 2:9"},
		{"a step in two lines", "{\"step\":1,\"a\":1,\"b\":1}\n{\"step\":1,\"a\":2,\"e\":3}\n{\"step\":2,\"a\":4}\n", "1 2 | a 1:2 2:4| b 1:1| e 1:3"},
		{"large whole numbers", "{\"step\":1,\"n\":1}\n{\"step\":2,\"n\":16777217}\n{\"step\":3,\"n\":9007199254740993}", "1 2 3 | n 1:1 2:1.6777217e+07 3:9.007199254740992e+15"},
		{"lines that are none", "x\n{}\n{\"step\":1.5}\n[]\n{\"step\":-1}\n{\"step\":\"1\"}\n{\"step\":1,\"a\":01}\n{\"step\":1,\"a\":1,}\n{\"step\":1}x\n\n{\"step\":1,\"a\":[1,]}\n{\"step\":4,\"a\":1}\r\n", "4 | a 4:1"},
		{"torn", "{\"step\":1,\"a\":1}\n{\"step\":2,\"a\":1", "1 | a 1:1"},
		{"many digits", "{\"step\":1,\"a\":0.12345678901234567890123,\"b\":1e-300,\"c\":1e400}", "1 | a 1:0.12345679104328156| b 1:0| c 1:+Inf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "metrics.jsonl")
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			columns := runlog.NewColumns(path)
			if err := columns.Update(); err != nil {
				t.Fatal(err)
			}
			if got := shown(columns); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestColumnsNumbers: numbers of all lengths are what strconv reads, to the last place but a few
// of a float64, and float32 is what is kept.
func TestColumnsNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var b strings.Builder
	var want []float64
	add := func(number string) {
		fmt.Fprintf(&b, "{\"step\":%d,\"a\":%s}\n", len(want), number)
		v, err := strconv.ParseFloat(number, 64)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, v)
	}
	digits := func(n int) string {
		var d strings.Builder
		for range n {
			d.WriteByte("0001234567899"[r.IntN(13)])
		}
		return d.String()
	}
	for range 30000 {
		number := strings.TrimLeft(digits(r.IntN(12)), "0")
		if number == "" {
			number = "0"
		}
		if number += "." + digits(1+r.IntN(25)); r.IntN(3) == 0 {
			number += fmt.Sprintf("e%+d", r.IntN(50)-25)
		}
		if r.IntN(3) == 0 {
			number = "-" + number
		}
		add(number)
	}
	for _, number := range []string{
		"0.000011906972035555556", "9.956448355104627e-09", "0.0", "-0.0", "0.0000000000000000000000000", "1e44", "1e-44", "1e45", "1e-45",
		"1234567890123456789.5", "12345678901234567890.5", "0.12345678", "0.1234567", "12345678.12345678", "1e0000001",
	} {
		add(number)
	}
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	columns := runlog.NewColumns(path)
	if err := columns.Update(); err != nil {
		t.Fatal(err)
	}
	a := columns.Column("a")
	if a.Len() != len(want) {
		t.Fatalf("%d numbers, want %d", a.Len(), len(want))
	}
	for i := range want {
		if _, got := a.At(i); math.Abs(got-want[i]) > math.Abs(want[i])/(1<<23) && math.Abs(got-want[i]) > 1e-45 {
			t.Errorf("line %d: %g, want %g", i+1, got, want[i])
		}
	}
}

// TestColumnsGrow: a log is followed in pieces of any size, and read anew when it is
// another.
func TestColumnsGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	columns := runlog.NewColumns(path)
	update := func(want string) {
		t.Helper()
		if err := columns.Update(); err != nil {
			t.Fatal(err)
		}
		if got := shown(columns); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	update("")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range "{\"step\":1,\"a\":0.5}\n{\"step\":2,\"a\":0.25}" {
		if _, err := f.WriteString(string(b)); err != nil {
			t.Fatal(err)
		}
		if err := columns.Update(); err != nil {
			t.Fatal(err)
		}
	}
	update("1 2 | a 1:0.5 2:0.25")
	if _, err := f.WriteString("\n{\"step\":3,\"a\":1}\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	update("1 2 3 | a 1:0.5 2:0.25 3:1")
	if err := os.WriteFile(path+"x", []byte("{\"step\":1,\"a\":8}\n{\"step\":2,\"a\":8}\n{\"step\":3,\"a\":8}\n{\"step\":4,\"a\":8}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path+"x", path); err != nil {
		t.Skip(err)
	}
	update("1 2 3 4 | a 1:8 2:8 3:8 4:8")
	if columns.Began() == 0 {
		t.Error("it was not read anew")
	}
}

// TestColumnsLong: pieces by several threads give what one gives, also where a run went
// back at a seam; a line longer than a piece is passed over.
func TestColumnsLong(t *testing.T) {
	var b strings.Builder
	step := 0
	for i := range 60000 {
		if step++; i%7001 == 7000 {
			step -= 500
		}
		fmt.Fprintf(&b, "{\"step\":%d,\"train/CrossEntropyLoss\":%g,\"optim/total_grad_norm\":%g,\"throughput/total_tokens\":%d", step, 3+1/float64(i+1), math.Sqrt(float64(i)), 65536*step)
		if step%1000 == 0 {
			fmt.Fprintf(&b, ",\"eval/x\":%d", i)
		}
		b.WriteString("}\n")
		if i == 30000 {
			b.WriteString("{\"step\":1,\"s\":\"" + strings.Repeat("x", 40<<20) + "\n")
		}
	}
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	columns := runlog.NewColumns(path)
	if err := columns.Update(); err != nil {
		t.Fatal(err)
	}
	if columns.Len() != step {
		t.Fatalf("%d rows, want %d", columns.Len(), step)
	}
	for row, v := range columns.Column("throughput/total_tokens").Between(0, step) {
		if v != float64(65536*(row+1)) || columns.Step(row) != row+1 {
			t.Fatalf("row %d is step %d with %g tokens", row, columns.Step(row), v)
		}
	}
	if n := columns.Column("eval/x").Len(); n != step/1000 {
		t.Errorf("%d evaluations of %d", n, step/1000)
	}
	if r := columns.Row(5000); columns.Step(r) != 5000 || columns.Row(step+1) != step {
		t.Errorf("step 5000 is row %d", r)
	}
}

// FuzzColumns: what encoding/json reads is read alike.
func FuzzColumns(f *testing.F) {
	f.Add([]byte(`{"step":1,"a":0.5,"b":[1,{"c":null}],"d":"x"}`))
	f.Add([]byte(`{"step":12,"a":-1.25e-7,"b":null,"c":1e22}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		path := filepath.Join(t.TempDir(), "metrics.jsonl")
		if strings.ContainsAny(string(line), "\n") || os.WriteFile(path, line, 0o644) != nil {
			t.Skip()
		}
		columns := runlog.NewColumns(path)
		if err := columns.Update(); err != nil {
			t.Fatal(err)
		}
		var r runlog.Record
		if json.Unmarshal(line, &r) != nil {
			return
		}
		step, ok := r.Step()
		if ok = ok && step >= 0 && step <= math.MaxInt32; ok != (columns.Len() == 1) {
			t.Fatalf("%d rows of %q", columns.Len(), line)
		}
		if !ok {
			return
		}
		for k, v := range r {
			n, isNumber := v.(float64)
			if !isNumber || k == "step" {
				continue
			}
			c := columns.Column(k)
			if c.Len() == 0 {
				t.Fatalf("%q has no %q", line, k)
			}
			if _, got := c.At(0); math.Abs(got-n) > 1e-6*math.Abs(n)+1e-44 && !math.IsInf(got, 0) {
				t.Fatalf("%q: %q is %g, want %g", line, k, got, n)
			}
		}
	})
}

// BenchmarkColumns reads a long log.
func BenchmarkColumns(b *testing.B) {
	var text strings.Builder
	for i := range 50000 {
		fmt.Fprintf(&text, "{\"step\":%d,\"energy/kWh\":%g,\"optim/learning_rate_group0\":%g,\"optim/total_grad_norm\":%g,\"throughput/device/tokens_per_second\":%g,\"throughput/total_tokens\":%d,\"train/CrossEntropyLoss\":%g,\"train/Perplexity\":%g}\n",
			i+1, float64(i)*1.3e-6, 3e-4*math.Cos(float64(i)/1e5), math.Abs(math.Sin(float64(i))), 1e5+math.Sin(float64(i)), 65536*i, 3+math.Sin(float64(i*i)), math.Exp(3+math.Sin(float64(i))))
	}
	path := filepath.Join(b.TempDir(), "metrics.jsonl")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if err := runlog.NewColumns(path).Update(); err != nil {
			b.Fatal(err)
		}
	}
}
