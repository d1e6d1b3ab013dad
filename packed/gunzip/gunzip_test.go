package gunzip_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"

	"olmo/packed/gunzip"
)

func unzip(b []byte) ([]byte, error) {
	z, err := gunzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func zip(t testing.TB, level int, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := stdgzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Name, w.Comment, w.Extra = "name", "a comment", []byte("extra")
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// texts of all kinds: empty, noise, runs, words, long enough for the window
// to move.
func texts() map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var words bytes.Buffer
	for words.Len() < 700_000 {
		fmt.Fprintf(&words, "%s %d, ", strings.Repeat("ab", rng.IntN(4)), int(rng.ExpFloat64()*1000))
	}
	skewed := make([]byte, 200_000) // long codes
	for i := range skewed {
		skewed[i] = byte(rng.ExpFloat64() * 4)
		if rng.IntN(1000) == 0 {
			skewed[i] = byte(rng.Uint32())
		}
	}
	return map[string][]byte{
		"empty": nil, "byte": {'x'}, "noise": noise, "words": words.Bytes(), "skewed": skewed,
		"run": bytes.Repeat([]byte{'-'}, 500_000), "period": bytes.Repeat([]byte("abcdefg"), 50_000),
	}
}

func TestRead(t *testing.T) {
	for name, text := range texts() {
		for _, level := range []int{stdgzip.HuffmanOnly, stdgzip.NoCompression, 1, 6, 9} {
			b := zip(t, level, text)
			got, err := unzip(b)
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s, level %d: %d bytes and error %v, want %d bytes", name, level, len(got), err, len(text))
			}
			z, err := gunzip.NewReader(iotest.OneByteReader(bytes.NewReader(b)))
			if err != nil {
				t.Fatal(err)
			}
			if got, err = io.ReadAll(iotest.HalfReader(z)); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s, level %d, byte by byte: %d bytes and error %v", name, level, len(got), err)
			}
		}
	}
}

// Many members are one text; a match cannot reach into the member before.
func TestMembers(t *testing.T) {
	var b, want []byte
	for i := range 50 {
		text := []byte(strings.Repeat(fmt.Sprint("member ", i), i*i))
		b = append(b, zip(t, 1+i%9, text)...)
		want = append(want, text...)
	}
	got, err := unzip(b)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes and error %v, want %d", len(got), err, len(want))
	}
	if _, err := unzip(append(b, "trailing bytes"...)); !errors.Is(err, gunzip.ErrHeader) {
		t.Errorf("bytes after the last member: %v, want %v", err, gunzip.ErrHeader)
	}
}

// A file that is cut short anywhere says so.
func TestTruncated(t *testing.T) {
	text := texts()["words"][:2000]
	for _, level := range []int{stdgzip.NoCompression, 1, 9} {
		b := zip(t, level, text)
		for n := range len(b) {
			if _, err := unzip(b[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("level %d, %d of %d bytes: %v, want %v", level, n, len(b), err, io.ErrUnexpectedEOF)
			}
		}
	}
}

// A bit that changed is noticed, unless nothing depends on it.
func TestDamaged(t *testing.T) {
	text := texts()["words"][:1000]
	b := zip(t, 6, text)
	const header = 10 + 2 + 5 + 5 + 10
	for i := header; i < len(b); i++ {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[i] ^= 1 << bit
			if got, err := unzip(c); err == nil && !bytes.Equal(got, text) {
				t.Fatalf("byte %d, bit %d: %d bytes without an error", i, bit, len(got))
			}
		}
	}
}

func TestReadError(t *testing.T) {
	b := zip(t, 6, texts()["words"])
	broken := errors.New("the disk is gone")
	z, err := gunzip.NewReader(io.MultiReader(bytes.NewReader(b[:len(b)/2]), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(z); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

// Zeros behind a member are padding, as for gzip(1) and Python; another member may
// follow them. Zeros before the first member, or in place of one, are no gzip.
func TestPadding(t *testing.T) {
	one, two := zip(t, 6, []byte("one")), zip(t, 6, []byte("two"))
	zeros := make([]byte, 100_000) // more than a buffer
	for _, c := range []struct {
		name string
		file []byte
		want string
		err  error
	}{
		{"one zero", slices.Concat(one, zeros[:1]), "one", nil},
		{"a block", slices.Concat(one, zeros[:512]), "one", nil},
		{"many", slices.Concat(one, zeros), "one", nil},
		{"between members", slices.Concat(one, zeros[:7], two, zeros[:3]), "onetwo", nil},
		{"garbage behind them", slices.Concat(one, zeros[:7], []byte("trailing garbage")), "one", gunzip.ErrHeader},
		{"a member cut short behind them", slices.Concat(one, zeros[:7], two[:5]), "one", io.ErrUnexpectedEOF},
		{"before the first", slices.Concat(zeros[:1], one), "", gunzip.ErrHeader},
		{"nothing else", zeros[:512], "", gunzip.ErrHeader},
	} {
		if got, err := unzip(c.file); string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q and error %v, want %q and %v", c.name, got, err, c.want, c.err)
		}
	}
}

// library is what the standard library reads of members with zeros behind them.
func library(b []byte) ([]byte, error) {
	in := bytes.NewReader(b)
	z, err := stdgzip.NewReader(in)
	var out []byte
	for err == nil {
		z.Multistream(false)
		var text []byte
		text, err = io.ReadAll(z)
		if out = append(out, text...); err != nil {
			break
		}
		rest := bytes.TrimLeft(b[len(b)-in.Len():], "\x00")
		if len(rest) == 0 {
			return out, nil
		}
		in.Reset(rest)
		b = rest
		err = z.Reset(in)
	}
	return out, err
}

// The same bytes, or an error, as from the library.
func FuzzReader(f *testing.F) {
	for _, text := range texts() {
		text = text[:min(len(text), 2000)]
		f.Add(zip(f, 1, text))
		f.Add(zip(f, 9, text))
		f.Add(append(zip(f, 0, text), zip(f, stdgzip.HuffmanOnly, text)...))
		f.Add(slices.Concat(zip(f, 1, text), make([]byte, 9), zip(f, 9, text), make([]byte, 3)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unzip(b)
		want, wantErr := library(b)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, compress/gzip says %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, compress/gzip has %d", len(got), len(want))
		}
	})
}

func BenchmarkRead(b *testing.B) {
	text := texts()["words"]
	file := zip(b, 6, text)
	for name, open := range map[string]func(io.Reader) (io.Reader, error){
		"ours":      func(r io.Reader) (io.Reader, error) { return gunzip.NewReader(r) },
		"klauspost": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				z, err := open(bytes.NewReader(file))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, z); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
