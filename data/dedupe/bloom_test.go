package dedupe

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The crate ahash 0.8.11 (default build, x86-64), RandomState::with_seeds(0,
// 1, 2, 3), over String s, VecDeque [s] and VecDeque [s, "x", s].
var ahashCases = []struct {
	s                string
	path, one, three uint64
}{
	{"", 0xdfd9e1541d02b257, 0x24b081280f07bdd7, 0x105056bfbf185d11},
	{"a", 0x11a8807a89f15254, 0x3b6f91546e77c04d, 0x30c994e21a7381b},
	{"ab", 0xdc1bd83c687e0ad6, 0xad885534e8d9f047, 0xd9d841747b9c3d7},
	{"abc", 0x5eaa4312347f14ab, 0xc31c5e338c9fd95c, 0xabb60adc96b152e6},
	{"abcd", 0xe7079074ef8f22a5, 0x2051feb92efcf7ef, 0x75a5791d768a1e45},
	{"hello world", 0xa51c0ab86b57f049, 0x87b07b77dcc1e308, 0x434a13f83b8e670b},
	{"0123456789abcdef", 0x9bdd6060ac49752, 0x15f7efa7abd403ae, 0x205271d02a2f1732},
	{"in/documents/a-0000.jsonl.gz", 0xddff6e490aa9bcf5, 0xe8ceb1b2bc4f8e18, 0x16867ad66f25af50},
	{"0123456789abcdef0123456789abcdef", 0x20a26a1a720cd4e3, 0x4af51c248c4733be, 0x61ce1b74cc26c371},
	{"0123456789abcdef0123456789abcdefX", 0x4fb4ba4d1e298c56, 0xcf567a9718377cbf, 0x9596211e38620210},
}

func TestAhash(t *testing.T) {
	f := &Filter{seeds: [][4]uint64{{0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}}}
	f.start()
	for _, c := range ahashCases {
		if got := pathHash(c.s); got != c.path {
			t.Errorf("pathHash(%q) = %#x, want %#x", c.s, got, c.path)
		}
		// Four states take the path of four at a time, the fifth the plain one.
		for i, got := range f.Hashes(nil, c.s) {
			if got != c.one {
				t.Errorf("hash %d of [%q] = %#x, want %#x", i, c.s, got, c.one)
			}
		}
		for i, got := range f.Hashes(nil, c.s, "x", c.s) {
			if got != c.three {
				t.Errorf("hash %d of [%q x %q] = %#x, want %#x", i, c.s, c.s, got, c.three)
			}
		}
	}
}

// Eight states at a time give what four do: texts of all ends of blocks, several strings, and
// factors whose product carries from each half.
func TestHashes8(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 4))
	extremes := []uint64{0, 1, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<63 - 1, 1 << 63, 1<<64 - 1<<32, 1<<64 - 2, 1<<64 - 1}
	var key hashKey
	for n := range 300 {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		cut := r.IntN(n + 1)
		for _, strings := range [][]string{{string(text)}, {string(text[:cut]), string(text[cut:]), string(text)}} {
			key.reset(len(strings))
			for _, s := range strings {
				key.add(s)
			}
			states := make([]ahash, 28)
			for i := range states {
				states[i] = newAhash([4]uint64{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()})
				if b := key.blocks[r.IntN(len(key.blocks))]; i%2 == 0 {
					states[i].k2 = b.x ^ extremes[r.IntN(len(extremes))]
					states[i].k3 = b.y ^ extremes[r.IntN(len(extremes))]
				}
			}
			var want []uint64
			for at := 0; at < len(states); at += 4 {
				h0, h1, h2, h3 := key.hash4(states[at:])
				want = append(want, h0, h1, h2, h3)
			}
			if got := key.hashes(nil, states); !slices.Equal(got, want) {
				t.Fatalf("%d strings, the first of %d bytes: hashes %#x, want %#x", len(strings), len(strings[0]), got, want)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		n       int
		p       float64
		size, k int
	}{
		{30000, 1e-6, 1 << 20, 194}, // golden doc_text.bin and par.bin
		{60000, 1e-6, 1 << 20, 97},  // golden decon.bin
		{10_000_000, 1e-6, 1 << 26, 38},
	} {
		size := SizeFor(c.n, c.p)
		if k := HashesFor(size, c.n); size != c.size || k != c.k {
			t.Errorf("%d keys at %g: %d bytes, %d hashes; want %d, %d", c.n, c.p, size, k, c.size, c.k)
		}
	}
}

// A filter for counted keys grows as they do: where they double it doubles, whatever
// powers of two they pass. (Doubling from 1 MiB took a filter from 4 to 16 MiB between
// 1.16 and 2.34 million keys.)
func TestSizeOfCounted(t *testing.T) {
	for _, p := range []float64{1e-2, 1e-4, 1e-6, 1e-9} {
		for _, n := range []int{1_000_000, 1_160_000, 1_170_000, 4_640_000, 9_469_171, 1 << 30} {
			size, twice := sizeForCounted(n, p), sizeForCounted(2*n+n/100, p)
			if r := float64(twice) / float64(size); r < 1.99 || r > 2.04 {
				t.Errorf("%d keys at %g: %d bytes, %d for 2.01 times as many: %.3f times", n, p, size, twice, r)
			}
			if got := FalsePositives(size, n, HashesFor(size, n)); got > p || got < p*0.9 {
				t.Errorf("%d keys at %g: a chance of %g", n, p, got)
			}
			if size%4 != 0 || size > SizeFor(n, p) {
				t.Errorf("%d keys at %g: %d bytes, for an estimate %d", n, p, size, SizeFor(n, p))
			}
		}
	}
	if got := sizeForCounted(1, 1e-6); got != minBloomSize {
		t.Errorf("the smallest filter has %d bytes", got)
	}
}

// gunzip reads a fixture of the reference programs, skipping without them.
func gunzip(t testing.TB, elem ...string) []byte {
	t.Helper()
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: the fixtures of the reference programs are not at hand")
	}
	f, err := os.Open(filepath.Join(append([]string{root}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Dolma's own filter files are read, hold the keys they should, and are
// written back byte for byte.
func TestFilterFile(t *testing.T) {
	for _, name := range []string{"doc_text", "par", "decon"} {
		want := gunzip(t, "data", "bloom", name+".bin.gz")
		f, err := readFilter(bytes.NewReader(want), int64(len(want)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got bytes.Buffer
		if _, err := f.WriteTo(&got); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name+".bin")
		if err := os.WriteFile(path, got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: written back, the file differs", name)
		}
		if f, err = ReadFilter(path); err != nil || f.Size() != 1<<20 {
			t.Errorf("%s: reading it back: %v", name, err)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	f, err := NewFilter(64, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := f.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	good := file.Bytes()
	edit := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"empty", nil},
		{"magic", edit(0, 0)},
		{"version", edit(4, 2)},
		{"hash functions", edit(11, 0xff)},
		{"no hash function", edit(8, 0)},
		{"words", edit(12+3*32+3, 0x7f)},
		{"no words", edit(12+3*32, 0)},
		{"cut off", good[:len(good)-1]},
		{"cut off in the seeds", good[:40]},
	} {
		if _, err := readFilter(bytes.NewReader(c.b), int64(len(c.b))); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
	if _, err := readFilter(bytes.NewReader(append(bytes.Clone(good), 1, 2, 3)), int64(len(good)+3)); err != nil {
		t.Errorf("a longer file, as Dolma leaves it over an older one: %v", err)
	}
	for _, k := range []int{0, -1, maxHashes + 1} {
		if _, err := NewFilter(64, k, 1); err == nil {
			t.Errorf("%d hash functions: no error", k)
		}
	}
}

func TestFilterMembers(t *testing.T) {
	for _, size := range []int{1 << 10, 1000} {
		testMembers(t, size)
	}
}

func testMembers(t *testing.T, size int) {
	f, err := NewFilter(size, HashesFor(size, 500), 7)
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]string, 500)
	for i := range keys {
		keys[i] = string(rune('a'+i%26)) + "-" + string(rune('A'+i/26))
	}
	twice := 0
	for _, k := range keys {
		if known(f, positionsOf[uint32](f, nil, f.Hashes(nil, k)), true) {
			twice++
		}
	}
	if twice > 5 { // p is 0.0004 when full
		t.Errorf("%d of 500 new keys count as known", twice)
	}
	for _, k := range keys {
		if h := f.Hashes(nil, k); !f.Contains(h) || !known(f, positionsOf[uint64](f, nil, h), false) {
			t.Fatalf("%q was inserted and is not found", k)
		}
	}
	if l := f.Load(); l < 0.4 || l > 0.6 {
		t.Errorf("a filter filled as planned has a load of %.3f, want about 0.5", l)
	}
}

func FuzzReadFilter(f *testing.F) {
	filter, err := NewFilter(16, 2, 1)
	if err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := filter.WriteTo(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		filter, err := readFilter(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			filter.Contains(filter.Hashes(nil, "x"))
		}
	})
}

func BenchmarkHashes(b *testing.B) {
	for _, c := range []struct{ k, repeat int }{{20, 1}, {20, 4}, {194, 125}} {
		f, err := NewFilter(1<<20, c.k, 1)
		if err != nil {
			b.Fatal(err)
		}
		text := strings.Repeat("It was the best of times, it was the worst of times, it was the age of wisdom.\n\n", c.repeat)
		b.Run(fmt.Sprintf("%d bytes, %d hashes", len(text), c.k), func(b *testing.B) {
			var dst []uint64
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				dst = f.Hashes(dst[:0], text)
			}
		})
	}
}

// What a filter's file says of it, without reading it into memory; a file that is
// none, or cut off, is told by name.
func TestInspect(t *testing.T) {
	f, err := NewFilter(1<<18, 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "c"} {
		f.Insert(f.Hashes(nil, key))
	}
	var file bytes.Buffer
	if _, err := f.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "filter")
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(append(file.Bytes(), "and more"...)) // as Dolma leaves it over a longer one
	got, err := Inspect(path)
	header := int64(12 + 5*32 + 8)
	want := FilterStat{K: 5, Bytes: 1 << 18, HeaderBytes: header, FileBytes: header + 1<<18 + 8, Load: f.Load()}
	if err != nil || got != want || got.Load == 0 {
		t.Errorf("Inspect = %+v, %v, want %+v", got, err, want)
	}
	back, err := ReadFilter(path)
	if err != nil || back.K() != 5 || back.Size() != 1<<18 || back.Load() != f.Load() || !back.Contains(back.Hashes(nil, "b")) || back.Contains(back.Hashes(nil, "d")) {
		t.Errorf("ReadFilter: %v", err)
	}
	if !IsFilter(file.Bytes()[:8]) || IsFilter(file.Bytes()[:7]) || IsFilter([]byte("no filter at all")) {
		t.Error("IsFilter is wrong")
	}
	for name, b := range map[string][]byte{"cut off": file.Bytes()[:1<<17], "none": []byte("no filter at all"), "empty": nil} {
		write(b)
		if _, err := Inspect(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: Inspect gives %v", name, err)
		}
		if _, err := ReadFilter(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: ReadFilter gives %v", name, err)
		}
	}
	for _, fn := range []func(string) error{
		func(p string) error { _, err := Inspect(p); return err },
		func(p string) error { _, err := ReadFilter(p); return err },
	} {
		if err := fn(path + "none"); !os.IsNotExist(errors.Unwrap(err)) {
			t.Errorf("a missing file: %v", err)
		}
	}
}

// The size doubles from 1 MiB until the chance is small enough, and the formulas are
// those of the literature.
func TestFilterFormulas(t *testing.T) {
	if HashesFor(1000, 0) != 0 || HashesFor(1000, -1) != 0 {
		t.Error("no keys want hash functions")
	}
	if k := HashesFor(1<<20, 1<<20); k != 6 { // 8·ln 2 = 5.5
		t.Errorf("%d hash functions for 8 bits a key, want 6", k)
	}
	if p := FalsePositives(1<<20, 1<<20, 6); math.Abs(p-0.0216) > 0.0005 {
		t.Errorf("false positives at 8 bits a key: %g, want 0.0216", p)
	}
	if got := SizeFor(1, 1e-6); got != 1<<20 {
		t.Errorf("the smallest filter has %d bytes", got)
	}
	f, err := NewFilter(4, 1, 1)
	if err != nil || f.Size() != 4 || f.Load() != 0 {
		t.Errorf("a filter of one word: %v", err)
	}
	if _, err := NewFilter(3, 1, 1); err == nil {
		t.Error("a filter of less than a word gives no error")
	}
	a, _ := NewFilter(64, 3, 1)
	b, _ := NewFilter(64, 3, 1)
	c, _ := NewFilter(64, 3, 2)
	if ha, hb, hc := a.Hashes(nil, "x"), b.Hashes(nil, "x"), c.Hashes(nil, "x"); !slices.Equal(ha, hb) || slices.Equal(ha, hc) || ha[0] == ha[1] || len(ha) != 3 {
		t.Errorf("hashes %x, the same seed %x, another %x", ha, hb, hc)
	}
}
