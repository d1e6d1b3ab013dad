package tokens_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/data/tokens"
)

func writeIDs(t *testing.T, ids []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ids.npy")
	if err := os.WriteFile(path, ids, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPack shows how documents, each ending in 0, are put into instances of eight.
func TestPack(t *testing.T) {
	ids := []byte{1, 1, 0 /* 3 */, 2, 2, 2, 2, 0 /* 5 */, 3, 0 /* 2 */, 4, 4, 4, 4, 4, 4, 4, 4, 4, 0 /* 10 */, 5, 5, 5 /* no document: it has no end */}
	for _, c := range []struct {
		long tokens.LongDocuments
		want []string
	}{
		{tokens.Truncate, []string{"[4 4 4 4 4 4 4 4] [8]", "[2 2 2 2 0 1 1 0] [5 3]", "[3 0 9 9 9 9 9 9] [2 6]"}},
		{tokens.Fragment, []string{"[4 4 4 4 4 4 4 4] [8]", "[2 2 2 2 0 1 1 0] [5 3]", "[3 0 4 0 9 9 9 9] [2 2 4]"}},
	} {
		d, err := tokens.OpenDataset(tokens.DatasetConfig{
			Paths: []string{writeIDs(t, ids)}, DType: tokens.Uint8, ChunkSize: 8, EOS: 0, PAD: 9, Layout: tokens.Packed, Long: c.long, DocLens: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		l, err := tokens.NewLoader(d, tokens.LoaderConfig{BatchSize: 1, NoShuffle: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.want {
			b, err := l.Next()
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(b.IDs, b.DocLens[0]); got != want {
				t.Errorf("%s: instance %d is %s, want %s", c.long, i, got, want)
			}
			for j, id := range b.IDs {
				if b.LabelMask[j] != (id != 9) {
					t.Errorf("%s: instance %d: padding is a target", c.long, i)
				}
			}
		}
		if d.Len() != len(c.want) {
			t.Errorf("%s: %d instances, want %d", c.long, d.Len(), len(c.want))
		}
	}
}

// TestPackKeepsAll: fragments of random documents hold every token once, in few instances.
func TestPackKeepsAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]byte, 200_000)
	for i := range ids {
		ids[i] = byte(1 + r.IntN(200))
		if r.IntN(30) == 0 {
			ids[i] = 0
		}
	}
	ids[len(ids)-1] = 0
	const T = 64
	d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{writeIDs(t, ids)}, DType: tokens.Uint8, ChunkSize: T, Layout: tokens.Packed, Long: tokens.Fragment})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all []tokens.Part
	for i := range d.Len() {
		n := int64(0)
		for _, p := range d.Parts(i) {
			n += p.End - p.Start
			all = append(all, p)
		}
		if n > T {
			t.Fatalf("instance %d holds %d tokens", i, n)
		}
	}
	slices.SortFunc(all, func(a, b tokens.Part) int { return int(a.Start - b.Start) })
	at := int64(0)
	for _, p := range all {
		if p.Start != at {
			t.Fatalf("tokens %d to %d are missing or doubled", at, p.Start)
		}
		at = p.End
	}
	if at != int64(len(ids)) {
		t.Errorf("the last token is %d, want %d", at, len(ids))
	}
	if best := (len(ids) + T - 1) / T; d.Len() > best*101/100 {
		t.Errorf("%d instances, more than 1 %% above the %d that are needed", d.Len(), best)
	}
}

// TestPackedTake limits what is used of each packed file, also to nothing.
func TestPackedTake(t *testing.T) {
	path := writeIDs(t, []byte{1, 0, 2, 2, 0, 3, 3, 0})
	d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{path, path, path}, DType: tokens.Uint8, ChunkSize: 4, Layout: tokens.Packed, Long: tokens.Truncate, Take: []int{0, 9, 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var got []int32
	ids := make([]int32, 4)
	for i := range d.Len() {
		if err := d.Read(ids, nil, i); err != nil {
			t.Fatal(err)
		}
		got = append(got, ids[0])
	}
	if want := []int32{2, 3, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("instances %v, want %v", got, want)
	}
}

// TestTake limits what is used of each file, and a file may come more than once.
func TestTake(t *testing.T) {
	path := writeIDs(t, []byte{1, 1, 2, 2, 3, 3})
	d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{path, path}, DType: tokens.Uint8, ChunkSize: 2, Take: []int{9, 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var got []int32
	ids := make([]int32, 2)
	for i := range d.Len() {
		if err := d.Read(ids, nil, i); err != nil {
			t.Fatal(err)
		}
		got = append(got, ids[0])
	}
	if want := []int32{1, 2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("instances %v, want %v", got, want)
	}
}
