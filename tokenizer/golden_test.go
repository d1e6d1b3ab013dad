package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var goldenNames = []string{
	"neox-olmo-dolma-v1_5", "neox-pii-special", "dolma2", "llama2", "smollm2", "llama3",
	"added-token-torture", "pretok-torture",
}

// goldenPath returns a file of the tokenizer goldens, which are too large for
// this repository.
func goldenPath(tb testing.TB, elem ...string) string {
	tb.Helper()
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		tb.Skip("OLMO_GOLDEN is not set: it names the folder of the reference's answers")
	}
	return filepath.Join(append([]string{root, "tokenizer"}, elem...)...)
}

func loadGolden(tb testing.TB, name string) *Tokenizer {
	tb.Helper()
	tok, err := Load(goldenPath(tb, "tokenizers", name+".json.gz"))
	if err != nil {
		tb.Fatal(err)
	}
	return tok
}

func readGzip(tb testing.TB, path string) []byte {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// readLines reads a .jsonl.gz.
func readLines[T any](tb testing.TB, path string) []T {
	tb.Helper()
	var out []T
	lines := bufio.NewReader(bytes.NewReader(readGzip(tb, path)))
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var v T
			if err := json.Unmarshal(line, &v); err != nil {
				tb.Fatal(err)
			}
			out = append(out, v)
		}
		if err != nil {
			return out
		}
	}
}

type encodeCase struct {
	I           int
	Kind, Text  string
	IDs         []int32
	Offsets     [][2]int
	Decoded     string
	DecodedSkip *string `json:"decoded_skip"`
	IDsSpecial  []int32 `json:"ids_special"`
}

func TestGoldenEncode(t *testing.T) {
	for _, name := range goldenNames {
		t.Run(name, func(t *testing.T) {
			tok := loadGolden(t, name)
			wrong := 0
			for _, c := range readLines[encodeCase](t, goldenPath(t, "cases", name+".encode.jsonl.gz")) {
				if wrong > 5 {
					t.Fatal("and more")
				}
				e := must(tok.Encode(c.Text, false))
				if !slices.Equal(e.IDs, c.IDs) {
					t.Errorf("%d %s: Encode(%q).IDs = %v, want %v", c.I, c.Kind, c.Text, e.IDs, c.IDs)
					wrong++
					continue
				}
				if !slices.Equal(e.Offsets, c.Offsets) {
					t.Errorf("%d %s: Encode(%q).Offsets = %v, want %v (ids %v)", c.I, c.Kind, c.Text, e.Offsets, c.Offsets, c.IDs)
					wrong++
				}
				// The same by the general way, which fast tokenizers rarely take.
				if p := must(tok.encodePieces(c.Text)); c.I%8 == 0 && tok.post == nil && (!slices.Equal(p.IDs, c.IDs) || !slices.Equal(p.Offsets, c.Offsets)) {
					t.Errorf("%d %s: encodePieces(%q) = %v, %v, want %v, %v", c.I, c.Kind, c.Text, p.IDs, p.Offsets, c.IDs, c.Offsets)
					wrong++
				}
				if got := must(tok.AppendEncode(nil, c.Text)); !slices.Equal(got, c.IDs) {
					t.Errorf("%d %s: AppendEncode(%q) = %v, want %v", c.I, c.Kind, c.Text, got, c.IDs)
					wrong++
				}
				if got := tok.Decode(c.IDs, false); got != c.Decoded {
					t.Errorf("%d %s: Decode(%v) = %q, want %q", c.I, c.Kind, c.IDs, got, c.Decoded)
					wrong++
				}
				want := c.Decoded
				if c.DecodedSkip != nil {
					want = *c.DecodedSkip
				}
				if got := tok.Decode(c.IDs, true); got != want {
					t.Errorf("%d %s: Decode(%v, skipSpecial) = %q, want %q", c.I, c.Kind, c.IDs, got, want)
					wrong++
				}
				special := c.IDs
				if c.IDsSpecial != nil {
					special = c.IDsSpecial
				}
				if got := must(tok.Encode(c.Text, true)).IDs; !slices.Equal(got, special) {
					t.Errorf("%d %s: Encode(%q, addSpecial) = %v, want %v", c.I, c.Kind, c.Text, got, special)
					wrong++
				}
			}
		})
	}
}

func TestGoldenDecode(t *testing.T) {
	for _, name := range goldenNames {
		t.Run(name, func(t *testing.T) {
			tok := loadGolden(t, name)
			for _, c := range readLines[encodeCase](t, goldenPath(t, "cases", name+".decode.jsonl.gz")) {
				if got := tok.Decode(c.IDs, false); got != c.Decoded {
					t.Fatalf("Decode(%v) = %q, want %q", c.IDs, got, c.Decoded)
				}
			}
		})
	}
}

func TestGoldenBig(t *testing.T) {
	type want struct {
		N             int
		SHA256        string `json:"sha256_u32le"`
		OffsetsSHA256 string `json:"offsets_sha256_u32le"`
	}
	type bigCase struct {
		Name, Text string
		Out        map[string]want
	}
	cases := readLines[bigCase](t, goldenPath(t, "cases", "big.jsonl.gz"))
	for _, name := range goldenNames {
		tok := loadGolden(t, name)
		for _, c := range cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				e := must(tok.Encode(c.Text, false))
				var ids, offsets []byte
				for i, id := range e.IDs {
					ids = binary.LittleEndian.AppendUint32(ids, uint32(id))
					offsets = binary.LittleEndian.AppendUint32(offsets, uint32(e.Offsets[i][0]))
					offsets = binary.LittleEndian.AppendUint32(offsets, uint32(e.Offsets[i][1]))
				}
				w := c.Out[name]
				if len(e.IDs) != w.N {
					t.Fatalf("%d tokens, want %d", len(e.IDs), w.N)
				}
				if got := sha256.Sum256(ids); hex.EncodeToString(got[:]) != w.SHA256 {
					t.Error("the ids differ from the reference's")
				}
				if got := sha256.Sum256(offsets); hex.EncodeToString(got[:]) != w.OffsetsSHA256 {
					t.Error("the offsets differ from the reference's")
				}
				if got := must(tok.AppendEncode(nil, c.Text)); !slices.Equal(got, e.IDs) {
					t.Error("AppendEncode and Encode differ")
				}
			})
		}
	}
}

func TestGoldenTrain(t *testing.T) {
	type golden struct {
		Pre       string
		VocabSize int `json:"vocab_size"`
		Options   struct {
			MinFrequency   int64    `json:"min_frequency"`
			SpecialTokens  []string `json:"special_tokens"`
			MaxTokenLength int      `json:"max_token_length"`
		}
		Merges [][2]string
		Vocab  []string
	}
	type document struct{ Text string }
	docs := readLines[document](t, goldenPath(t, "cases", "bpe_train_corpus.jsonl.gz"))
	for _, name := range []string{"gpt2_1000", "cl100k_1000", "gpt2_8192", "cl100k_8192", "gpt2_8192_opts"} {
		t.Run(name, func(t *testing.T) {
			var g golden
			if err := json.Unmarshal(readGzip(t, goldenPath(t, "cases", "bpe_train_"+name+".json.gz")), &g); err != nil {
				t.Fatal(err)
			}
			data, err := Train(t.Context(), func(yield func(string, error) bool) {
				for _, d := range docs {
					if !yield(d.Text, nil) {
						return
					}
				}
			}, TrainConfig{
				VocabSize: g.VocabSize, PreTokenizer: g.Pre, NFC: g.Pre == "gpt2", MinFrequency: g.Options.MinFrequency,
				SpecialTokens: g.Options.SpecialTokens, MaxTokenLength: g.Options.MaxTokenLength, Threads: 3,
			})
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Model struct {
					Vocab  map[string]int
					Merges [][2]string
				}
			}
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			for i, m := range g.Merges {
				if i >= len(got.Model.Merges) || got.Model.Merges[i] != m {
					t.Fatalf("merge %d is not %q (of %d, want %d)", i, m, len(got.Model.Merges), len(g.Merges))
				}
			}
			if len(got.Model.Merges) != len(g.Merges) || len(got.Model.Vocab) != len(g.Vocab) {
				t.Errorf("%d merges and %d tokens, want %d and %d", len(got.Model.Merges), len(got.Model.Vocab), len(g.Merges), len(g.Vocab))
			}
			for id, s := range g.Vocab {
				if got.Model.Vocab[s] != id {
					t.Errorf("token %q has id %d, want %d", s, got.Model.Vocab[s], id)
				}
			}
			if _, err := Parse(data); err != nil {
				t.Error(err)
			}
		})
	}
}
