package tokenizer

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
)

// TestReference runs random tokenizers of all kinds against what Hugging Face
// tokenizers 0.23.3 answered (testdata/hf_cases.py).
func TestReference(t *testing.T) {
	files, err := filepath.Glob("testdata/hf/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata/hf: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var f struct {
				Tokenizer json.RawMessage
				Cases     []struct {
					Text          string
					IDs           []int32
					Offsets       [][2]int
					SpecialIDs    []int32  `json:"ids2"`
					SpecialPlaces [][2]int `json:"offsets2"`
					Decoded       *string
					Skip          string
					RandomIDs     []int32 `json:"rids"`
					RandomText    string  `json:"rdec"`
				}
			}
			if err := json.Unmarshal(readGzip(t, path), &f); err != nil {
				t.Fatal(err)
			}
			tok, err := Parse(f.Tokenizer)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range f.Cases {
				if e := tok.Encode(c.Text, false); !slices.Equal(e.IDs, c.IDs) || !slices.Equal(e.Offsets, c.Offsets) {
					t.Errorf("Encode(%q) = %v, %v, want %v, %v", c.Text, e.IDs, e.Offsets, c.IDs, c.Offsets)
				}
				if e := tok.Encode(c.Text, true); !slices.Equal(e.IDs, c.SpecialIDs) || !slices.Equal(e.Offsets, c.SpecialPlaces) {
					t.Errorf("Encode(%q, addSpecial) = %v, %v, want %v, %v", c.Text, e.IDs, e.Offsets, c.SpecialIDs, c.SpecialPlaces)
				}
				if c.Decoded != nil {
					if got := tok.Decode(c.SpecialIDs, false); got != *c.Decoded {
						t.Errorf("Decode(%v) = %q, want %q", c.SpecialIDs, got, *c.Decoded)
					}
					if got := tok.Decode(c.SpecialIDs, true); got != c.Skip {
						t.Errorf("Decode(%v, skipSpecial) = %q, want %q", c.SpecialIDs, got, c.Skip)
					}
				}
				if c.RandomIDs != nil {
					if got := tok.Decode(c.RandomIDs, false); got != c.RandomText {
						t.Errorf("Decode(%v) = %q, want %q", c.RandomIDs, got, c.RandomText)
					}
				}
			}
		})
	}
}

// TestGGUF makes tokenizers of vocabularies as GGUF files hold them.
func TestGGUF(t *testing.T) {
	// SentencePiece: scores decide, bytes stand for what has no piece.
	v := GGUFVocab{Model: "llama", BOS: 1, EOS: 2, AddBOS: true}
	add := func(s string, score float32, kind int32) {
		v.Tokens, v.Scores, v.Types = append(v.Tokens, s), append(v.Scores, score), append(v.Types, kind)
	}
	add("<unk>", 0, 2)
	add("<s>", 0, 3)
	add("</s>", 0, 3)
	for b := range 256 {
		add("<0x"+string("0123456789ABCDEF"[b>>4])+string("0123456789ABCDEF"[b&15])+">", 0, 6)
	}
	for i, s := range []string{"▁a", "ab", "▁ab", "▁", "a", "b"} {
		add(s, float32(-i), 1)
	}
	tok, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	e := tok.Encode("ab b漢", true)
	// ▁a is the best pair of ▁ab; the character without a piece gives 3 bytes.
	want := []int32{1, 261, 262, 264, 3 + 0xE6, 3 + 0xBC, 3 + 0xA2}
	if !slices.Equal(e.IDs, want) {
		t.Errorf("llama: Encode = %v, want %v", e.IDs, want)
	}
	if got := tok.Decode(e.IDs, true); got != "ab b漢" {
		t.Errorf("llama: Decode = %q", got)
	}

	data := trained()["cl100k"]
	b := data.model.(*bpe)
	g := GGUFVocab{Model: "gpt2", Pre: "dbrx", Tokens: b.vocab.tokens, Types: make([]int32, len(b.vocab.tokens))}
	for id := range g.Types {
		g.Types[id] = 1
	}
	g.Types[0], g.Types[1] = 3, 3
	merges := make([]string, b.merges)
	for _, s := range b.pairs.slots {
		if s.key != emptyPair {
			merges[s.rank] = b.vocab.tokens[s.key>>32] + " " + b.vocab.tokens[uint32(s.key)]
		}
	}
	g.Merges = merges
	if tok, err = FromGGUF(g); err != nil {
		t.Fatal(err)
	}
	const text = "the other theory, that's 1984\n\n  <|endoftext|>été"
	if got, want := tok.AppendEncode(nil, text), data.AppendEncode(nil, text); !slices.Equal(got, want) {
		t.Errorf("gpt2: AppendEncode = %v, want %v", got, want)
	}
	for name, bad := range map[string]GGUFVocab{
		"model":  {Model: "bert"},
		"pre":    {Model: "gpt2", Pre: "viking"},
		"types":  {Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Types: []int32{1, 1}},
		"scores": {Model: "llama", Tokens: []string{"a"}},
		"twice":  {Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a", "a"}},
		"merges": {Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Merges: []string{"a b"}},
		"bos":    {Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, AddBOS: true, BOS: 7},
	} {
		if _, err := FromGGUF(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
