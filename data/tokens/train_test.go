package tokens_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/data/tokens"
)

// golden is the path of a fixture made with the reference programs; without
// OLMO_GOLDEN the test is skipped.
func golden(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: the fixtures of the reference programs are not at hand")
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// The order of NumPy 1.26.4 for a few small sets, so that the test has teeth
// without OLMO_GOLDEN.
func TestOrderSmall(t *testing.T) {
	for _, c := range []struct {
		n           int
		seed, epoch uint64
		want        []uint32
	}{
		{10, 0, 0, []uint32{4, 6, 2, 7, 3, 5, 9, 0, 8, 1}},
		{10, 0, 1, []uint32{8, 4, 7, 0, 1, 2, 5, 9, 6, 3}},
		{1, 7, 0, []uint32{0}},
		{0, 7, 0, []uint32{}},
	} {
		if got := tokens.Order(c.n, c.seed, c.epoch); !slices.Equal(got, c.want) {
			t.Errorf("Order(%d, %d, %d) = %v, want %v", c.n, c.seed, c.epoch, got, c.want)
		}
	}
}

// The order of torch.randperm of PyTorch 2.15.0, cut and filled up as DistributedSampler does it.
func TestDraw(t *testing.T) {
	for _, c := range []struct {
		n, world int
		seed     uint64
		dropLast bool
		want     []uint32
	}{
		{10, 1, 99, true, []uint32{1, 2, 3, 8, 5, 0, 4, 6, 9, 7}},
		{12, 5, 1<<33 + 5, true, []uint32{11, 0, 9, 6, 10, 3, 4, 5, 8, 7}},
		{12, 5, 5, false, []uint32{11, 0, 9, 6, 10, 3, 4, 5, 8, 7, 1, 2, 11, 0, 9}},
		{1, 3, 0, false, []uint32{0, 0, 0}},
		{0, 1, 0, true, []uint32{}},
	} {
		if got := tokens.Draw(c.n, c.seed, c.world, c.dropLast); !slices.Equal(got, c.want) {
			t.Errorf("Draw(%d, %d, %d, %t) = %v, want %v", c.n, c.seed, c.world, c.dropLast, got, c.want)
		}
	}
}

// The order of random.Random(seed).shuffle of Python 3.11.
func TestPermuteSources(t *testing.T) {
	for _, c := range []struct {
		n    int
		seed uint64
		want []uint32
	}{
		{10, 123, []uint32{8, 7, 5, 9, 2, 3, 6, 1, 4, 0}},
		{20, 0, []uint32{10, 18, 16, 14, 0, 17, 11, 2, 3, 9, 5, 7, 4, 19, 6, 15, 8, 1, 13, 12}},
		{5, 1<<40 + 7, []uint32{2, 0, 1, 3, 4}},
		{1, 3, []uint32{0}},
	} {
		if got := tokens.PermuteSources(c.n, c.seed); !slices.Equal(got, c.want) {
			t.Errorf("PermuteSources(%d, %d) = %v, want %v", c.n, c.seed, got, c.want)
		}
	}
}

func TestOrderGolden(t *testing.T) {
	var g struct {
		Cases []struct {
			N           int
			Seed, Epoch uint64
			SHA256      string `json:"sha256_u32le"`
			First       []uint32
		} `json:"global_indices"`
	}
	readJSON(t, filepath.Join("testdata", "train", "data_order.json"), &g)
	for _, c := range g.Cases {
		t.Run(fmt.Sprintf("%d instances, seed %d, epoch %d", c.N, c.Seed, c.Epoch), func(t *testing.T) {
			got := tokens.Order(c.N, c.Seed, c.Epoch)
			if !slices.Equal(got[:len(c.First)], c.First) {
				t.Fatalf("the order starts with %v, want %v", got[:len(c.First)], c.First)
			}
			path := filepath.Join(t.TempDir(), "global_indices.npy")
			if err := tokens.WriteOrder(path, got); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(b)
			if h := hex.EncodeToString(sum[:]); h != c.SHA256 {
				t.Errorf("SHA-256 of the file is %s, want %s", h, c.SHA256)
			}
		})
	}
}

// The indices that each rank of OLMo's IterableDataset gets.
func TestLoaderSharded(t *testing.T) {
	var g struct {
		Cases []struct {
			N           int
			World       int  `json:"world_size"`
			DropLast    bool `json:"drop_last"`
			Start       int  `json:"start_index"`
			Batch       int  `json:"global_batch_size"`
			Seed, Epoch uint64
			Ranks       [][]uint32
		} `json:"sharded"`
	}
	readJSON(t, filepath.Join("testdata", "train", "data_order.json"), &g)
	for i, c := range g.Cases {
		d := numbered(t, c.N, 4)
		for rank, want := range c.Ranks {
			l, err := tokens.NewLoader(d, tokens.LoaderConfig{
				BatchSize: c.Batch, Seed: c.Seed, Epoch: c.Epoch, StartIndex: c.Start,
				DropLast: c.DropLast, World: c.World, Rank: rank,
			})
			if err != nil {
				t.Fatal(err)
			}
			got := drain(t, l)
			if c.DropLast { // the data loader of the reference then gives whole batches only
				want = want[:len(want)/(c.Batch/c.World)*(c.Batch/c.World)]
			}
			if !slices.Equal(got, want) {
				t.Errorf("case %d, rank %d: got %v, want %v", i, rank, got, want)
			}
		}
	}
}

// Batches, indices and masks of three runs of the reference trainer, over
// several epochs, and again from the middle.
func TestLoaderGolden(t *testing.T) {
	for _, c := range []struct {
		run, mask string
	}{
		{"olmo1", ""},
		{"olmo2", ""},
		{"tokens_clipwarm_mask", "label_mask-"},
	} {
		t.Run(c.run, func(t *testing.T) {
			dir := filepath.Join("testdata", "train", c.run)
			if c.mask == "" { // the larger ones
				dir = golden(t, "reference", "train", c.run)
			}
			var g struct {
				Steps []struct {
					Step, Epoch int
					Index       []uint32
				}
			}
			readJSON(t, filepath.Join(dir, "steps.json"), &g)
			cfg := tokens.DatasetConfig{DType: tokens.Uint16}
			for _, i := range []string{"0", "1"} {
				cfg.Paths = append(cfg.Paths, filepath.Join(dir, "tokens-"+i+".npy"))
				if c.mask != "" {
					cfg.LabelMaskPaths = append(cfg.LabelMaskPaths, filepath.Join(dir, c.mask+i+".npy"))
				}
			}
			want, shape := batches(t, filepath.Join(dir, "batches.safetensors"))
			cfg.ChunkSize = shape[2]
			d, err := tokens.OpenDataset(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			seed := seedOf(t, filepath.Join(dir, "config.yaml"))
			for _, from := range []int{0, len(g.Steps) / 2} {
				first := g.Steps[from]
				seen := 0
				for _, s := range g.Steps[:from] {
					if s.Epoch == first.Epoch {
						seen += len(s.Index)
					}
				}
				l, err := tokens.NewLoader(d, tokens.LoaderConfig{
					BatchSize: shape[1], Seed: seed, Epoch: uint64(first.Epoch), StartIndex: seen, DropLast: true,
				})
				if err != nil {
					t.Fatal(err)
				}
				for i, s := range g.Steps[from:] {
					b, err := l.Next()
					if errors.Is(err, io.EOF) {
						l.StartEpoch(l.Epoch() + 1)
						b, err = l.Next()
					}
					if err != nil {
						t.Fatal(err)
					}
					if l.Epoch() != uint64(s.Epoch) || !slices.Equal(b.Index, s.Index) {
						t.Fatalf("step %d: epoch %d, instances %v; want %d, %v", s.Step, l.Epoch(), b.Index, s.Epoch, s.Index)
					}
					n := shape[1] * shape[2]
					if w := want[(from+i)*n : (from+i+1)*n]; !slices.Equal(b.IDs, w) {
						t.Fatalf("step %d: ids differ: %v, want %v", s.Step, b.IDs[:8], w[:8])
					}
					if (b.LabelMask != nil) != (c.mask != "") {
						t.Fatalf("step %d: label mask of length %d", s.Step, len(b.LabelMask))
					}
				}
			}
		})
	}
}

func TestLoaderLabelMask(t *testing.T) {
	dir := t.TempDir()
	toks := filepath.Join(dir, "a.npy")
	mask := filepath.Join(dir, "m.npy")
	write16(t, toks, []uint16{1, 2, 3, 4, 5, 6, 7, 8, 9})
	if err := os.WriteFile(mask, []byte{1, 0, 1, 1, 0, 0, 1, 1, 0}, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{toks}, LabelMaskPaths: []string{mask}, ChunkSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := tokens.NewLoader(d, tokens.LoaderConfig{BatchSize: 2, NoShuffle: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Next()
	if err != nil {
		t.Fatal(err)
	}
	if want := []bool{true, false, true, true, false, false, true, true}; !slices.Equal(b.LabelMask, want) {
		t.Errorf("mask %v, want %v", b.LabelMask, want)
	}
	if want := []int32{1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(b.IDs, want) {
		t.Errorf("ids %v, want %v", b.IDs, want)
	}
}

func TestDatasetLocate(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i, n := range []int{9, 3, 4, 8} { // the second file holds no whole chunk
		p := filepath.Join(dir, fmt.Sprint(i))
		ids := make([]uint16, n)
		for j := range ids {
			ids[j] = uint16(100*i + j)
		}
		write16(t, p, ids)
		paths = append(paths, p)
	}
	d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: paths, ChunkSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Len() != 5 {
		t.Fatalf("%d instances, want 5", d.Len())
	}
	for i, want := range []struct{ file, start int }{{0, 0}, {0, 4}, {2, 0}, {3, 0}, {3, 4}} {
		path, start := d.Locate(i)
		if path != paths[want.file] || start != want.start {
			t.Errorf("instance %d lies in %s at %d, want %s at %d", i, path, start, paths[want.file], want.start)
		}
		ids := make([]int32, 4)
		if err := d.Read(ids, nil, i); err != nil {
			t.Fatal(err)
		}
		if want := int32(100*want.file + want.start); ids[0] != want {
			t.Errorf("instance %d starts with %d, want %d", i, ids[0], want)
		}
	}
}

func TestInstanceFilter(t *testing.T) {
	f := tokens.InstanceFilter{MinPeriod: 1, MaxPeriod: 3, MaxCount: 4}
	for _, c := range []struct {
		name string
		ids  []int32
		want bool
	}{
		{"no repetition", []int32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, true},
		{"three times", []int32{1, 5, 5, 5, 2, 3, 4, 6, 7, 8, 9, 10}, true},
		{"four times", []int32{1, 5, 5, 5, 5, 2, 3, 4, 6, 7, 8, 9}, false},
		{"period 3 four times, not aligned", []int32{9, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}, false},
		{"period 4 is above the limit", []int32{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4}, true},
		{"a third of a short instance", []int32{1, 2, 1, 2, 1}, true},
		{"empty", nil, true},
	} {
		if got := f.Keep(c.ids); got != c.want {
			t.Errorf("%s: Keep = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDocLens(t *testing.T) {
	for _, c := range []struct{ ids, want []int32 }{
		{[]int32{1, 2, 0, 3, 0, 4}, []int32{3, 2, 1}},
		{[]int32{1, 2, 0}, []int32{3}},
		{[]int32{0, 0, 1}, []int32{1, 1, 1}},
		{[]int32{1, 2}, []int32{2}},
	} {
		if got := tokens.DocLens(c.ids, 0); !slices.Equal(got, c.want) {
			t.Errorf("DocLens(%v) = %v, want %v", c.ids, got, c.want)
		}
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "odd.npy")
	header := filepath.Join(dir, "header.npy")
	big := filepath.Join(dir, "big.npy")
	for path, b := range map[string][]byte{
		odd:    {1, 2, 3},
		header: []byte("\x93NUMPY\x01\x00v\x00{'descr'"),
		big:    {0xff, 0xff, 0xff, 0xff},
	} {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{odd, header, filepath.Join(dir, "missing"), dir} {
		if f, err := tokens.Open(path, tokens.Uint16); err == nil {
			f.Close()
			t.Errorf("Open(%s) gave no error", path)
		}
	}
	f, err := tokens.Open(big, tokens.Uint32)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Read(make([]int32, 1), 0); err == nil {
		t.Error("an id above the largest int32 gave no error")
	}
	if err := f.Read(make([]int32, 2), 0); err == nil {
		t.Error("reading past the end gave no error")
	}
	if err := os.Truncate(big, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Read(make([]int32, 1), 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that shrank: %v, want io.ErrUnexpectedEOF", err)
	}
	if _, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{odd}, ChunkSize: 8, DType: tokens.Uint8}); err == nil {
		t.Error("a data set without instances gave no error")
	}
}

// numbered is a data set of n instances of T tokens in which each token is the
// number of its instance.
func numbered(t testing.TB, n, T int) *tokens.Dataset {
	t.Helper()
	ids := make([]uint16, 0, n*T)
	for i := range n {
		for range T {
			ids = append(ids, uint16(i))
		}
	}
	path := filepath.Join(t.TempDir(), "part-0-00000.npy")
	write16(t, path, ids)
	d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{path}, ChunkSize: T})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func drain(t testing.TB, l *tokens.Loader) []uint32 {
	t.Helper()
	var got []uint32
	for {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, index := range b.Index {
			if b.IDs[i*b.T] != int32(index) {
				t.Fatalf("row %d holds instance %d, its index says %d", i, b.IDs[i*b.T], index)
			}
		}
		got = append(got, b.Index...)
	}
}

func write16(t testing.TB, path string, ids []uint16) {
	t.Helper()
	b := make([]byte, 2*len(ids))
	for i, id := range ids {
		binary.LittleEndian.PutUint16(b[2*i:], id)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// batches reads the one tensor of a batches.safetensors, input_ids I32.
func batches(t testing.TB, path string) (ids []int32, shape []int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	var head map[string]struct {
		Shape   []int
		Offsets []int `json:"data_offsets"`
	}
	if err := json.Unmarshal(b[8:8+n], &head); err != nil {
		t.Fatal(err)
	}
	e := head["input_ids"]
	raw := b[8+n:][e.Offsets[0]:e.Offsets[1]]
	ids = make([]int32, len(raw)/4)
	for i := range ids {
		ids[i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return ids, e.Shape
}

// seedOf reads the top-level seed of a run's config.yaml.
func seedOf(t testing.TB, path string) uint64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var seed uint64
	if _, err := fmt.Sscanf(string(b), "run_name: %s\nseed: %d\n", &name, &seed); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return seed
}
