package tokens_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data/tokens"
)

// TestLayouts compares whole epochs with OLMo-core's data sets and loaders
// (testdata/layouts/make.py): which instances each rank gets, their tokens, label masks and
// instance masks.
func TestLayouts(t *testing.T) {
	var cases []struct {
		Layout       tokens.Layout
		Chunk        int
		MinLength    int `json:"min_length"`
		Curriculum   tokens.Curriculum
		Long         tokens.LongDocuments
		Group        int
		Docs, Chunks int
		Seeded       uint64 `json:"interleave_seed"`
		Exempt       []string
		Masked       bool
		Seed, Epoch  uint64
		World, Batch int
		Instances    int
		Batches      []struct {
			T     int
			Ranks [][]uint32
		}
		IDs          string
		LabelMask    string `json:"label_mask"`
		InstanceMask string `json:"instance_mask"`
	}
	dir := filepath.Join("testdata", "layouts")
	readJSON(t, filepath.Join(dir, "layouts.json"), &cases)
	if len(cases) < 30 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.Layout, c.Curriculum, c.Long, c.Group, c.Docs, c.Masked, c.World), func(t *testing.T) {
			cfg := tokens.DatasetConfig{
				ChunkSize: c.Chunk, Layout: c.Layout, EOS: 0, PAD: 1, Filter: &tokens.DefaultInstanceFilter, Long: c.Long, SourceGroup: c.Group,
				MinLength: c.MinLength, DocsPerInstance: c.Docs, ChunksPerDoc: c.Chunks, InterleaveSeed: c.Seeded,
			}
			if c.Layout == tokens.Packed && c.Long == "" {
				cfg.Long = tokens.Truncate
			}
			for i := range 3 {
				cfg.Paths = append(cfg.Paths, filepath.Join(dir, fmt.Sprintf("tokens-%d.npy", i)))
				if c.Masked {
					cfg.LabelMaskPaths = append(cfg.LabelMaskPaths, filepath.Join(dir, fmt.Sprintf("mask-%d.npy", i)))
				}
			}
			for _, path := range c.Exempt {
				cfg.Exempt = append(cfg.Exempt, filepath.Join(dir, path))
			}
			d, err := tokens.OpenDataset(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if d.Len() != c.Instances {
				t.Fatalf("%d instances, want %d", d.Len(), c.Instances)
			}
			l := tokens.LoaderConfig{BatchSize: c.Batch, Seed: c.Seed, Epoch: c.Epoch, DropLast: true, World: c.World, Curriculum: c.Curriculum}
			all := newLoader(t, d, l, tokens.AllRanks)
			var ranks []*tokens.Loader
			for r := range c.World {
				ranks = append(ranks, newLoader(t, d, l, r))
			}
			if all.Batches() != len(c.Batches) {
				t.Fatalf("%d batches, want %d", all.Batches(), len(c.Batches))
			}
			ids, label, instance := sha256.New(), sha256.New(), sha256.New()
			for i, want := range c.Batches {
				b := next(t, all)
				if index := slices.Concat(want.Ranks...); b.T != want.T || !slices.Equal(b.Index, index) {
					t.Fatalf("batch %d: %d tokens of instances %v, want %d of %v", i, b.T, b.Index, want.T, index)
				}
				_ = binary.Write(ids, binary.LittleEndian, b.IDs)
				_ = binary.Write(label, binary.LittleEndian, b.LabelMask)
				_ = binary.Write(instance, binary.LittleEndian, b.InstanceMask)
				for r, l := range ranks {
					if b := next(t, l); !slices.Equal(b.Index, want.Ranks[r]) {
						t.Fatalf("batch %d, rank %d: instances %v, want %v", i, r, b.Index, want.Ranks[r])
					}
				}
			}
			for _, l := range append(ranks, all) {
				if _, err := l.Next(); !errors.Is(err, io.EOF) {
					t.Errorf("after the last batch: %v, want io.EOF", err)
				}
			}
			for _, h := range []struct {
				what string
				got  []byte
				want string
			}{
				{"ids", ids.Sum(nil), c.IDs},
				{"label mask", label.Sum(nil), c.LabelMask},
				{"instance mask", instance.Sum(nil), c.InstanceMask},
			} {
				if got := hex.EncodeToString(h.got); got != h.want {
					t.Errorf("the %s have SHA-256 %s, want %s", h.what, got, h.want)
				}
			}
			// From the middle on.
			half := len(c.Batches) / 2
			l.StartIndex = half * c.Batch
			if b := next(t, newLoader(t, d, l, tokens.AllRanks)); !slices.Equal(b.Index, slices.Concat(c.Batches[half].Ranks...)) {
				t.Errorf("started at batch %d: instances %v", half, b.Index)
			}
		})
	}
}

func newLoader(t *testing.T, d *tokens.Dataset, cfg tokens.LoaderConfig, rank int) *tokens.Loader {
	t.Helper()
	cfg.Rank = rank
	l, err := tokens.NewLoader(d, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func next(t *testing.T, l *tokens.Loader) tokens.Batch {
	t.Helper()
	b, err := l.Next()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLayoutErrors: settings that are not possible are refused with what to do.
func TestLayoutErrors(t *testing.T) {
	path := writeIDs(t, []byte{5, 5, 5, 0, 6, 6, 0, 7})
	for _, c := range []struct {
		name string
		cfg  tokens.DatasetConfig
		want string
	}{
		{"unknown", tokens.DatasetConfig{ChunkSize: 4, Layout: "packed"}, "one of fsl"},
		{"no end of text", tokens.DatasetConfig{ChunkSize: 4, Layout: tokens.Padded, EOS: 9}, "eos_token_id"},
		{"no power of two", tokens.DatasetConfig{ChunkSize: 6, Layout: tokens.Variable, MinLength: 2}, "powers of two"},
		{"no least length", tokens.DatasetConfig{ChunkSize: 8, Layout: tokens.Variable}, "powers of two"},
		{"label masks", tokens.DatasetConfig{ChunkSize: 8, Layout: tokens.Variable, MinLength: 2, LabelMaskPaths: []string{path}}, "no label masks"},
		{"pieces", tokens.DatasetConfig{ChunkSize: 4, Layout: tokens.Interleaved, DocsPerInstance: 3, ChunksPerDoc: 1}, "must divide"},
		{"document lengths", tokens.DatasetConfig{ChunkSize: 4, Layout: tokens.Interleaved, DocsPerInstance: 2, ChunksPerDoc: 1, DocLens: true}, "no document lengths"},
		{"long documents", tokens.DatasetConfig{ChunkSize: 4, Layout: tokens.Packed, Long: "cut"}, "truncate or fragment"},
		{"too few documents", tokens.DatasetConfig{ChunkSize: 4, Layout: tokens.Interleaved, DocsPerInstance: 4, ChunksPerDoc: 1}, "empty"},
	} {
		c.cfg.Paths, c.cfg.DType = []string{path}, tokens.Uint8
		if d, err := tokens.OpenDataset(c.cfg); err == nil {
			d.Close()
			t.Errorf("%s: no error", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestCurriculumDropsNothing: each batch of the chosen number comes once, also where
// rounding the shares gives too many, at which OLMo-core fails.
func TestCurriculumDropsNothing(t *testing.T) {
	var ids []byte
	for n := range 900 {
		for range 1 + n%16 {
			ids = append(ids, 5)
		}
		ids = append(ids, 0)
	}
	d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{writeIDs(t, ids)}, DType: tokens.Uint8, ChunkSize: 16, Layout: tokens.Variable, MinLength: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"natural", "grow_p2", "grow_linear"} {
		for cycles := 1; cycles < 9; cycles++ {
			l := newLoader(t, d, tokens.LoaderConfig{BatchSize: 1, Curriculum: tokens.Curriculum{Name: name, NumCycles: cycles}}, 0)
			order := l.Order()
			seen := map[uint32]bool{}
			for _, i := range order {
				seen[i] = true
			}
			if len(seen) != len(order) || d.Length(int(order[0])) != 16 {
				t.Errorf("%s, %d cycles: %d of %d instances are different, the first has %d tokens", name, cycles, len(seen), len(order), d.Length(int(order[0])))
			}
		}
	}
}

// TestIndex: where documents end is remembered, and found out anew when the file has changed or the
// index is damaged.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	path := writeIDs(t, []byte{5, 5, 5, 0, 6, 6, 0, 0, 7})
	open := func() string {
		t.Helper()
		d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{path}, DType: tokens.Uint8, ChunkSize: 4, Layout: tokens.Padded, Index: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		var got string
		for i := range d.Len() {
			p := d.Parts(i)[0]
			got += fmt.Sprint(p.Start, "-", p.End, " ")
		}
		if err := d.WriteIndex(dir); err != nil {
			t.Fatal(err)
		}
		return got
	}
	const want = "0-4 4-7 7-8 "
	if got := open(); got != want {
		t.Fatalf("documents %s, want %s", got, want)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 {
		t.Fatalf("index files %v", files)
	}
	// The index is used: one that leaves out a document shows.
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(files[0], b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	head := text[:len(text)-3]
	write(slices.Concat(head, []byte{4, 4}))
	if got := open(); got != "0-4 4-8 " {
		t.Errorf("documents %s after the index was changed", got)
	}
	for _, b := range [][]byte{nil, text[:5], slices.Concat(head, []byte{4, 0}), slices.Concat(head, []byte{4, 200}), slices.Concat(head, []byte{3, 5})} {
		write(b)
		if got := open(); got != want {
			t.Errorf("documents %s with the index %q, want %s", got, b, want)
		}
	}
	if err := os.WriteFile(path, []byte{5, 0, 6, 0, 6, 6, 0, 0, 7, 0}, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := open(); got != "0-2 2-4 4-7 7-8 8-10 " {
		t.Errorf("documents %s after the file changed", got)
	}
}

// FuzzIndex: an index with any content gives documents that lie in the file.
func FuzzIndex(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "ids.npy")
	if err := os.WriteFile(path, []byte{5, 5, 5, 0, 6, 6, 0, 0, 7}, 0o644); err != nil {
		f.Fatal(err)
	}
	open := func(t testing.TB) *tokens.Dataset {
		d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{path}, DType: tokens.Uint8, ChunkSize: 4, Layout: tokens.Padded, Index: dir})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open(f)
	if err := d.WriteIndex(dir); err != nil {
		f.Fatal(err)
	}
	d.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*.idx"))
	good, err := os.ReadFile(files[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(append(good[:len(good):len(good)], 1))
	f.Add(append(good[:len(good)-1:len(good)-1], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(files[0], b, 0o644); err != nil {
			t.Fatal(err)
		}
		d := open(t)
		defer d.Close()
		for i := range d.Len() {
			if p := d.Parts(i)[0]; p.Start < 0 || p.End > 9 || p.Start >= p.End {
				t.Errorf("document %d is %+v", i, p)
			}
		}
	})
}
