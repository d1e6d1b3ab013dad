package parquet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"olmo/data"
	"olmo/data/parquet"
)

// rows reads all rows of a file.
func rows(r io.ReaderAt, size int64) (lines []string, err error) {
	f, err := parquet.Open(r, size)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		row, err := f.Next(nil)
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, string(row))
	}
}

func value(t *testing.T, line string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return v
}

// TestTypes reads what pyarrow wrote, in every compression and with lists,
// maps, structs and missing values at every level, and compares it with what
// pyarrow reads. testdata/make.py makes both.
func TestTypes(t *testing.T) {
	b, err := os.ReadFile("testdata/types.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(b)), "\n")
	files, _ := filepath.Glob("testdata/types-*.parquet")
	if len(files) != 5 {
		t.Fatalf("%d files, want 5", len(files))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rows(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%s has %d rows, want %d", file, len(got), len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(value(t, got[i]), value(t, want[i])) {
				t.Errorf("%s, row %d: got  %s\nwant %s", file, i+1, got[i], want[i])
			}
		}
	}
}

// TestShortFloats: floats of 16 and 32 bits are the numbers that they are, as pyarrow reads
// them; two bytes were a text.
func TestShortFloats(t *testing.T) {
	b, err := os.ReadFile("testdata/short.parquet")
	if err != nil {
		t.Fatal(err)
	}
	got, err := rows(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"half":0.5,"single":0.10000000149011612,"halves":[1.5,null]}`, `{"half":null,"single":7.0,"halves":[]}`,
		`{"half":-65504.0,"single":null,"halves":null}`, `{"half":null,"single":null,"halves":[5.960464477539063e-08]}`,
	}
	for i := range want {
		if i >= len(got) || string(got[i]) != want[i] {
			t.Errorf("row %d: got  %s\nwant %s", i, got[i], want[i])
		}
	}
}

// TestOldTypes: UUIDs, and the 96-bit times of Spark and Hive: nanoseconds of a day and
// the number of the Julian day.
func TestOldTypes(t *testing.T) {
	type row struct {
		UUID [16]byte         `parquet:"uuid,uuid"`
		Time deprecated.Int96 `parquet:"time"`
	}
	day := int64(5025 * time.Second) // 01:23:45
	var b bytes.Buffer
	w := pq.NewGenericWriter[row](&b)
	if _, err := w.Write([]row{{
		UUID: [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00},
		Time: deprecated.Int96{uint32(day), uint32(day >> 32), 2440588 + 19723},
	}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := rows(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	v := value(t, got[0]).(map[string]any)
	if v["uuid"] != "123e4567-e89b-12d3-a456-426614174000" || !strings.HasPrefix(fmt.Sprint(v["time"]), "2024-01-01T01:23:45") && !strings.HasPrefix(fmt.Sprint(v["time"]), "2024-01-01 01:23:45") {
		t.Errorf("got %v", v)
	}
}

// TestDocuments shows what becomes of rows that stages read: known columns in
// their places, all others in metadata.
func TestDocuments(t *testing.T) {
	for file, want := range map[string][]string{
		"metadata-struct.parquet": {
			`{"id":"i1","text":"one","metadata":{"dump":"CC","score":0.25}}`,
			`{"id":"i2","text":"two","metadata":{"dump":null,"score":null}}`,
		},
		"flat.parquet": {
			`{"id":"10","text":"eins","source":"s","created":"2024-05-06T07:08:09.123456Z","metadata":{"a":[1, 2],"version":3},"attributes":{"x":[[0,1,1.0]]}}`,
			`{"id":"11","text":"zwei","metadata":{"metadata":"no json"}}`,
		},
	} {
		r, err := data.OpenReader(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for i, w := range want {
			d, err := r.Next()
			if err != nil || string(d.Raw) != w {
				t.Errorf("%s, row %d: got %s, %v\nwant %s", file, i+1, d.Raw, err, w)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: after the last row %v, want io.EOF", file, err)
		}
	}
	r, err := data.OpenReader("testdata/types-zstd.parquet")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var ids []string
	for {
		d, err := r.Next()
		var bad *data.RecordError
		if errors.As(err, &bad) {
			ids = append(ids, "bad")
			continue
		}
		if err != nil {
			break
		}
		ids = append(ids, d.ID)
	}
	if want := []string{"a", "b", "types-zstd.parquet/3", "bad"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("ids are %q, want %q: a row without an id has its place, one without a text is bad", ids, want)
	}
}

// TestWriteRead writes documents of many sizes over several row groups and
// reads them again.
func TestWriteRead(t *testing.T) {
	var want []string
	add := func(line string) { want = append(want, line) }
	add(`{"id":"a","text":"Grüße\n\u0000","source":"s","added":"2024-01-01","created":"2023-01-01","version":"v0","metadata":{"n":1,"l":[1.5,null]},"attributes":{"x":[[0,5,1.0]]}}`)
	add(`{"id":"b","text":""}`)
	add(`{"id":"c","text":"unknown members go into metadata","metadata":{"k":"v"},"extra":{"deep":[1]},"more":null}`)
	big := strings.Repeat("a long text ", 1<<17)
	for i := range 6 {
		add(fmt.Sprintf(`{"id":"big%d","text":%q}`, i, big))
	}
	for i := range 1000 {
		add(fmt.Sprintf(`{"id":"%d","text":"small %d","source":"s%d"}`, i, i, i%3))
	}
	path := filepath.Join(t.TempDir(), "documents", "x.parquet")
	file, err := data.CreateWriterAs(path+".x", data.Plain) // any place for bytes
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewWriter(file)
	w.SetGroup(4 << 20)
	all := []byte(strings.Join(want, "\n") + "\n\n")
	for len(all) > 0 { // in pieces that end anywhere
		n := min(len(all), 100_003)
		if _, err := w.Write(all[:n]); err != nil {
			t.Fatal(err)
		}
		all = all[n:]
	}
	if err := errors.Join(w.Close(), file.Close(), os.Rename(path+".x", path)); err != nil {
		t.Fatal(err)
	}
	want[2] = `{"id":"c","text":"unknown members go into metadata","metadata":{"k":"v","extra":{"deep":[1]},"more":null}}`
	r, err := data.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range want {
		l, err := r.NextLine()
		if err != nil {
			t.Fatalf("row %d: %v", i+1, err)
		}
		if string(l.Bytes) == want[i] {
			continue
		}
		if !reflect.DeepEqual(value(t, string(l.Bytes)), value(t, want[i])) {
			t.Errorf("row %d is %.200s\nwant %.200s", i+1, l.Bytes, want[i])
		}
	}
	if _, err := r.NextLine(); err != io.EOF {
		t.Errorf("after the last row %v, want io.EOF", err)
	}
	if at, err := data.AttributePath(path, "x"); err != nil || !strings.HasSuffix(at, filepath.Join("attributes", "x", "x.parquet.jsonl.zst")) {
		t.Errorf("the attributes are in %s, %v", at, err)
	}
}

// TestColumns: what another reader finds of the columns that were written, without reading values.
func TestColumns(t *testing.T) {
	var b bytes.Buffer
	w := parquet.NewWriter(&b)
	long := strings.Repeat("x", 3<<20)
	for _, line := range []string{
		`{"id":"b","text":"` + long + `"}`,
		`{"id":"a","text":"` + long + `","source":"s","version":"` + long[:300] + `"}`,
		`{"id":"c","text":"","source":"r","version":"v"}`,
	} {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := pq.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	groups := f.Metadata().RowGroups
	if len(groups) != 1 || f.NumRows() != 3 {
		t.Fatalf("%d row groups of %d rows, want 1 of 3", len(groups), f.NumRows())
	}
	for name, want := range map[string]struct {
		null        int64
		least, most string
	}{
		"id": {0, "a", "c"}, "text": {}, "source": {1, "r", "s"}, "added": {null: 3},
		"version": {null: 1}, // of a long value the bounds say nothing
	} {
		c, ok := f.Schema().Lookup(name)
		if !ok {
			t.Fatalf("there is no column %s", name)
		}
		m := groups[0].Columns[c.ColumnIndex].MetaData
		if s := m.Statistics; m.NumValues != 3 || s.NullCount != want.null || string(s.MinValue) != want.least || string(s.MaxValue) != want.most {
			t.Errorf("%s: %d values, %d of them null, from %q to %q; want 3, %+v", name, m.NumValues, s.NullCount, s.MinValue, s.MaxValue, want)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	for _, line := range []string{`{"id":"a"}`, `no json`, `{"id":1,"text":"x"}`} {
		w := parquet.NewWriter(io.Discard)
		if _, err := w.Write([]byte(line + "\n")); err == nil {
			t.Errorf("%s was written", line)
		}
		if err := w.Close(); err == nil {
			t.Errorf("a file with the bad line %s was completed", line)
		}
	}
}

// TestDamaged wants an error, not a panic or a shorter file, for files that
// are cut or changed.
func TestDamaged(t *testing.T) {
	b, err := os.ReadFile("testdata/types-zstd.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for n := 4; n < len(b); n += 97 {
		if _, err := rows(bytes.NewReader(b[:n]), int64(n)); !errors.Is(err, parquet.ErrDamaged) {
			t.Fatalf("the first %d bytes: %v, want ErrDamaged", n, err)
		}
	}
	path := filepath.Join(t.TempDir(), "cut.parquet")
	if err := os.WriteFile(path, b[:len(b)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := data.OpenReader(path); !errors.Is(err, parquet.ErrDamaged) {
		t.Errorf("opening a cut file: %v", err)
	}
}

// TestMutated does the same for bytes that are changed at random.
func TestMutated(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"types-none", "flat", "metadata-struct"} {
		b, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			c := bytes.Clone(b)
			for range 1 + rng.IntN(3) {
				c[rng.IntN(len(c))] = byte(rng.Uint32())
			}
			checkRows(t, c)
		}
	}
}

// checkRows wants rows that are JSON, or an error.
func checkRows(t *testing.T, b []byte) {
	got, err := rows(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	for _, row := range got {
		if !strings.Contains(row, "\xff") && !json.Valid([]byte(row)) {
			t.Errorf("a row is not JSON: %q", row)
		}
	}
}

// FuzzReader does so for whatever the fuzzer finds.
func FuzzReader(f *testing.F) {
	for _, name := range []string{"types-none", "flat", "metadata-struct"} {
		b, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkRows(t, b) })
}

func Example() {
	var file bytes.Buffer
	w := parquet.NewWriter(&file)
	fmt.Fprintln(w, `{"id":"1","text":"A text.","metadata":{"lang":"en"}}`)
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	r, err := parquet.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		log.Fatal(err)
	}
	row, err := r.Next(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.30s\n", row)
	// Output: {"id":"1","text":"A text.","so
}

// A disk that is full while rows are written is told, by Write or at the latest by
// Close.
func TestWriterFails(t *testing.T) {
	full := errors.New("no space left on device")
	line := []byte(fmt.Sprintf(`{"id":"a","text":%q}`+"\n", strings.Repeat("some words of no pattern 17 ", 1<<13)))
	for _, room := range []int{0, 2, 1 << 10, 20 << 10} {
		w := parquet.NewWriter(&short{left: room, err: full})
		w.SetGroup(1 << 16)
		var err error
		for range 200 {
			if _, err = w.Write(line); err != nil {
				break
			}
		}
		if errClose := w.Close(); !errors.Is(errors.Join(err, errClose), full) || errClose == nil {
			t.Errorf("with room for %d bytes: %v, at the end %v", room, err, errClose)
		}
	}
}

// short takes so many bytes and no more.
type short struct {
	left int
	err  error
}

func (s *short) Write(b []byte) (int, error) {
	n := min(len(b), s.left)
	if s.left -= n; n < len(b) {
		return n, s.err
	}
	return n, nil
}

// TestOpenRows: rows that are no documents keep their columns, which OpenReader puts into
// metadata.
func TestOpenRows(t *testing.T) {
	want, err := os.ReadFile("testdata/types.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/types-*.parquet")
	r, err := data.OpenRows(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i, line := range strings.Split(strings.TrimSpace(string(want)), "\n") {
		got, err := r.NextLine()
		if err != nil || got.Number != int64(i+1) || !reflect.DeepEqual(value(t, string(got.Bytes)), value(t, line)) {
			t.Errorf("row %d: %s, %v\nwant %s", i+1, got.Bytes, err, line)
		}
	}
	if _, err := r.NextLine(); err != io.EOF {
		t.Errorf("after the last: %v, want EOF", err)
	}
}
