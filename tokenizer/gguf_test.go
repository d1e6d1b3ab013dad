package tokenizer

import (
	"fmt"
	"slices"
	"testing"
)

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
	e := must(tok.Encode("ab b漢", true))
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
	if got, want := must(tok.AppendEncode(nil, text)), must(data.AppendEncode(nil, text)); !slices.Equal(got, want) {
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

// TestGGUFWords takes each way of cutting words into a GGUF file and back: llama.cpp's
// name for it, and the same words, whose digits and contractions tell them apart.
func TestGGUFWords(t *testing.T) {
	const (
		byteLevel = `{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}`
		words     = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`
		digits    = `{"type": "Digits", "individual_digits": true}`
		threes    = `|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
		ones      = `|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
		llama3    = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
		tiktoken  = `'(?i:[sdmt]|ll|ve|re)`
	)
	sequence := func(parts ...string) string {
		return `{"type": "Sequence", "pretokenizers": [` + parts[0] + ", " + parts[1] + "]}"
	}
	split := func(pattern string) string {
		return `{"type": "Split", "pattern": {"Regex": "` + pattern + `"}, "behavior": "Isolated", "invert": false}`
	}
	for _, c := range []struct {
		name, pre string
		whole     bool
		want      string // empty: refused
	}{
		{"GPT-2", words, false, "gpt-2"},
		{"SmolLM", sequence(digits, words), false, "smollm"},
		{"Llama 3", sequence(split(llama3+threes), byteLevel), true, "llama-bpe"},
		{"dolma2", sequence(split(llama3+threes), byteLevel), false, "dbrx"},
		{"tiktoken's spelling", sequence(split(tiktoken+threes), byteLevel), false, "dbrx"},
		{"Qwen 2", sequence(split(llama3+ones), byteLevel), false, "qwen2"},
		{"another beginning", sequence(split("a|b"+threes), byteLevel), false, ""},
		{"digits before Llama 3", sequence(digits, split(llama3+threes)), false, ""},
		{"digits last", sequence(words, digits), false, ""},
		{"two expressions", sequence(split(llama3+ones), words), false, ""},
		{"no expression", byteLevel, false, ""},
		{"punctuation", `{"type": "Punctuation", "behavior": "Isolated"}`, false, ""},
		{"a space before the text", `{"type": "ByteLevel", "add_prefix_space": true}`, false, ""},
		{"none", "null", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			vocab := ""
			for i, s := range byteChar {
				vocab += fmt.Sprintf("%q: %d, ", string(s), i)
			}
			text := fmt.Sprintf(`{"version": "1.0", "added_tokens": [{"id": 260, "content": "<|end|>", "special": true}, {"id": 261, "content": "<tool>"}], "pre_tokenizer": %s,
				"model": {"type": "BPE", "ignore_merges": %t, "vocab": {%s "Ġ1": 256, "12": 257, "123": 258, "'S": 259, "<|end|>": 260, "<tool>": 261}, "merges": [["Ġ", "1"], ["1", "2"], ["12", "3"], ["'", "S"]]}}`, c.pre, c.whole, vocab)
			v, err := GGUFOf([]byte(text), 264)
			if c.want == "" {
				if err == nil {
					t.Fatalf("it is called %q, want an error", v.Pre)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.Pre != c.want {
				t.Errorf("llama.cpp's name is %q, want %q", v.Pre, c.want)
			}
			if got := v.Tokens[263]; got != "[PAD263]" || v.Types[263] != ggufUnused || v.Types[260] != ggufControl || v.Types[261] != ggufUserDefined || v.Types[259] != ggufNormal {
				t.Errorf("id 263 is %q, the types of 259 to 263 are %v", got, v.Types[259:])
			}
			there, err := Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			back, err := FromGGUF(v)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []string{"I'S 123 1234 12 it's\n\n  <|end|>", "a1\r\n 2b  ?!\n"} {
				if got, want := must(back.AppendEncode(nil, s)), must(there.AppendEncode(nil, s)); !slices.Equal(got, want) {
					t.Errorf("%q: ids %v, want %v", s, got, want)
				}
			}
		})
	}
	for _, row := range ggufWords {
		for _, name := range row.names {
			v := GGUFVocab{Model: "gpt2", Pre: name, Tokens: []string{"a"}, Merges: []string{}, BOS: -1, EOS: -1}
			if _, err := FromGGUF(v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
