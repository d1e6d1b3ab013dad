package tokenizer

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// minimal is a small valid file; %s in its places is replaced by the cases.
const minimal = `{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null,
"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`

// A byte order mark is passed over, as Windows tools write it.
func TestByteOrderMark(t *testing.T) {
	tok, err := Parse([]byte("\ufeff" + minimal))
	if err != nil {
		t.Fatal(err)
	}
	if ids := must(tok.Encode("ab", false)).IDs; len(ids) != 1 || ids[0] != 2 {
		t.Errorf("ab is %v, want [2]", ids)
	}
}

// TestDelivered: what Git or a server left under the name of a tokenizer's file is called what it
// is, and so is what is packed in a way that is not read.
func TestDelivered(t *testing.T) {
	for text, want := range map[string]string{
		"": "the file is empty",
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n": "this is a pointer of Git LFS, not the file that it stands for\nhint: git lfs pull",
		"<!DOCTYPE html><html></html>":                                           "this is a web page, not the file that it stands for",
		"Entry not found":                                                        `this is a text, a server's message perhaps, and no JSON: "Entry not found"`,
		"{\"a\": }":                                                              "line 1, column 7: ",
		"\xfd7zXZ\x00\x00\x04":                                                   "it is xz, which is not read",
	} {
		for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"} {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := errors.Join(os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(minimal), 0o666), os.WriteFile(path, []byte(text), 0o666)); err != nil {
				t.Fatal(err)
			}
			if name != "tokenizer.json" && strings.Contains(want, "xz") {
				continue // only tokenizer.json may be packed
			}
			_, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), path+": "+want) {
				t.Errorf("%s of %q: %v, want %s", name, text, err, want)
			}
		}
	}
}

// TestParseErrors wants errors that name the place.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"empty", minimal, "", "the file ends where '{' is expected"},
		{"UTF-16", minimal, "\xff\xfe{\x00", "it is UTF-16, want UTF-8"},
		{"UTF-16, the other order", minimal, "\xfe\xff\x00{", "it is UTF-16, want UTF-8"},
		{"not an object", minimal, "[]", "line 1, column 1: found '[' where '{' is expected"},
		{"cut", `"ab":2}`, `"ab":2`, "line 2, column"},
		{"trailing", "\"merges\":[\"a b\"]}}", "\"merges\":[\"a b\"]}} x", "found 'x' where the end of the file is expected"},
		{"no model", `"model"`, `"modell"`, "the file has no model"},
		{"version", `"1.0"`, `"2.0"`, `version: "2.0" is not 1.0`},
		{"control character", `"a":0`, "\"\x01\":0", "control character"},
		{"invalid UTF-8", `"a":0`, "\"\xff\":0", "is not valid UTF-8"},
		{"surrogate", `"a":0`, `"\ud800":0`, "half a surrogate pair"},
		{"escape", `"a":0`, `"\q":0`, `unknown escape \q`},
		{"id", `"a":0`, `"a":-1`, "line 2, column 36: found '-' where a token id"},
		{"large id", `"a":0`, `"a":99999999999`, "token id above"},
		{"one id twice", `"b":1`, `"b":0`, `tokens "a" and "b" both have id 0`},
		{"token twice", `"b":1`, `"a":1`, `token "a" has ids 0 and 1`},
		{"merge of one", `"a b"`, `"ab"`, `merges[0] is "ab", not two tokens`},
		{"merge of three", `"a b"`, `"a b c"`, `merges[0] is "a b c", not two tokens`},
		{"merge list", `"a b"`, `["a","b","c"]`, "merges[0] has 3 tokens, not two"},
		{"unknown left", `"a b"`, `"x b"`, `merges[0] joins "x", which the vocabulary lacks`},
		{"unknown right", `"a b"`, `"a x"`, `merges[0] joins "x", which the vocabulary lacks`},
		{"unknown result", `"a b"`, `"b a"`, `merges[0] makes "ba", which the vocabulary lacks`},
		{"model type", `"type":"BPE"`, `"type":"XPE"`, `unknown type "XPE"; known are BPE`},
		{"pre-tokenizer type", `"pre_tokenizer":null`, `"pre_tokenizer":{"type":"Words"}`, `pre_tokenizer: unknown type "Words"`},
		{"in a sequence", `"pre_tokenizer":null`, `"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Words"}]}`, `pretokenizers[1]: unknown type "Words"`},
		{"expression", `"pre_tokenizer":null`, `"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a(b"},"behavior":"Isolated"}`, `regular expression "a(b", at character 4: a group without )`},
		{"behavior", `"pre_tokenizer":null`, `"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"isolated"}`, `unknown behavior "isolated"; known are`},
		{"no pattern", `"pre_tokenizer":null`, `"pre_tokenizer":{"type":"Split","behavior":"Isolated"}`, "the pattern has neither"},
		{"normalizer", `"normalizer":null`, `"normalizer":{"type":"NFX"}`, `normalizer: unknown type "NFX"`},
		{"charsmap", `"normalizer":null`, `"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"}`, "precompiled_charsmap: 3 bytes are too short"},
		{"decoder", `"decoder":null`, `"decoder":{"type":"Strip","content":"ab","start":1,"stop":0}`, `Strip: content "ab" is not one character`},
		{"template", `"post_processor":null`, `"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{}}`, `names "<s>", which special_tokens lacks`},
		{"template without text", `"post_processor":null`, `"post_processor":{"type":"TemplateProcessing","single":[],"special_tokens":{}}`, "does not use sequence A"},
		{"not a text", `"type":"BPE"`, `"type":5`, "line 2, column 10: model.type: it is a number, not a string"},
		{"an id that is text", `"added_tokens":[]`, `"added_tokens":[{"id":"x","content":"y"}]`, "added_tokens: id is a string, not a whole number of type int32"},
		{"a flag that is text", `"pre_tokenizer":null`, `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":"no"}`, "pre_tokenizer: add_prefix_space is a string, not true or false"},
		{"truncation", `"added_tokens":[]`, `"truncation":{"max_length":-1}`, "truncation: max_length is -1"},
		{"padding", `"added_tokens":[]`, `"padding":{"strategy":"Longest"}`, "strategy is neither"},
		{"added token normalised away", `"added_tokens":[],"normalizer":null`, `"added_tokens":[{"id":3,"content":" ","normalized":true}],"normalizer":{"type":"Strip","strip_left":true,"strip_right":true}`, "is empty once normalised"},
		{"deep", `"normalizer":null`, `"normalizer":` + strings.Repeat("[", 1000), "nested more than 200 deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(minimal, c.old, c.new, 1)
			if text == minimal {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse([]byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse: error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := Parse([]byte(minimal)); err != nil {
		t.Error(err)
	}
}

// TestAddedTokenIDs takes files whose ids of added tokens contradict the
// vocabulary, each other, or run in a circle: as in the reference the
// vocabulary's id counts, and a new token gets the next one.
func TestAddedTokenIDs(t *testing.T) {
	text := strings.Replace(minimal, `"added_tokens":[]`, `"added_tokens":[
		{"id":1,"content":"a"},{"id":0,"content":"b"},{"id":7,"content":"<x>"},{"id":7,"content":"<y>"},{"id":9,"content":"<x>","special":true}]`, 1)
	tok, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]int32{"a": 0, "b": 1, "ab": 2, "<x>": 3, "<y>": 4} {
		if got, ok := tok.TokenID(s); !ok || got != want {
			t.Errorf("TokenID(%q) = %d, %t, want %d", s, got, ok, want)
		}
	}
	if got := tok.VocabSize(); got != 5 {
		t.Errorf("VocabSize() = %d, want 5", got)
	}
	if got := tok.Decode([]int32{3, 4, -1, 5, 1 << 30}, true); got != "<y>" {
		t.Errorf("Decode = %q, want only what has a token and is not special", got)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "holds no tokenizer.json") {
		t.Errorf("Load of an empty folder: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("Load of no file: %v", err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(minimal)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json.gz"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	packed, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Parse([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	if packed.Fingerprint() != plain.Fingerprint() {
		t.Errorf("fingerprints %s and %s of the same file, packed and not", packed.Fingerprint(), plain.Fingerprint())
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json.gz"), b.Bytes()[:b.Len()/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "tokenizer.json.gz") {
		t.Errorf("Load of half a file: %v", err)
	}
}

// TestPatternErrors wants errors for what the dialect does not have.
func TestPatternErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`a)`:                         "a ) without (",
		`(a`:                         "a group without )",
		`[a`:                         "a class without ]",
		`*a`:                         "repeats nothing",
		`a{2000000}`:                 "a repeat of more than",
		`(a)\2`:                      "there is no group 2",
		`(?<n>a)\1`:                  "cannot be referred to by number",
		`\g<x>(?<x>a\g<x>)`:          "a group calls itself without end",
		`(?<n>a)\k<n+1>`:             "levels of recursion are not supported",
		`(?y{w})\X`:                  "y{w} (segments of words) is not supported",
		`(*MAX{1})`:                  "the callout (*MAX{1}) is not supported",
		`\p{Klingon}`:                `unknown property "Klingon"`,
		`\p{L`:                       `\p{ without }`,
		`(?<=a\z)b`:                  "the end of the text in a look-behind",
		`(?q)`:                       `unknown option 'q'`,
		`[z-a]`:                      "the range z-a ends before it begins",
		`\`:                          "a backslash at the end",
		`\x{1100000}`:                "is no code point",
		strings.Repeat("[a]", 70000): "too large",
		strings.Repeat("(", 500):     "nested more than",
	} {
		if _, err := compilePattern(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("compilePattern(%.30q): error %v, want one with %q", expr, err, want)
		}
	}
}

// TestRefusedTexts wants an error for a text that the reference refuses, and
// nothing else of it: the ids of other texts are as they are.
func TestRefusedTexts(t *testing.T) {
	unigram := `{"model":{"type":"Unigram","unk_id":null,"vocab":[["<unk>",0],["a",-1],["ab",-2.5],["bc",-3],["abc",-9],["b",-1.5]]%s}}`
	for _, c := range []struct {
		name, file, text string
		ids              []int32
		want             string
	}{
		{"Unigram", unigram, "abc", []int32{1, 3}, ""},
		{"Unigram without a piece", unigram, "abcc", nil, `no piece for 'c', and no unknown token (unk_id)`},
		{"Unigram with bytes", strings.Replace(unigram, "%s", `,"byte_fallback":true`, 1), "c", nil, "no unknown token"},
		{"Unigram without pieces", `{"model":{"type":"Unigram","vocab":[]}}`, "a", nil, "no unknown token"},
		{"Unigram, a piece twice", `{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1],["a",-2],["b",-1]]}}`, "abc", []int32{2, 3, 0}, ""},
		{"BPE", `{"model":{"type":"BPE","unk_token":"<x>","vocab":{"a":0},"merges":[]}}`, "ab", nil, `does not know "b", and its vocabulary lacks the unknown token "<x>"`},
		{"BPE that knows", `{"model":{"type":"BPE","unk_token":"<x>","vocab":{"a":0},"merges":[]}}`, "aa", []int32{0, 0}, ""},
		{"BPE without", `{"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}`, "ab", []int32{0}, ""},
		{"WordLevel", `{"model":{"type":"WordLevel","unk_token":"<unk>","vocab":{"ab":0}}}`, "b", nil, `lacks the unknown token "<unk>"`},
		{"WordPiece", `{"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":9,"vocab":{"a":0}}}`, "ab", nil, `lacks the unknown token "[UNK]"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, err := Parse([]byte(strings.Replace(c.file, "%s", "", 1)))
			if err != nil {
				t.Fatal(err)
			}
			e, err := tok.Encode(c.text, false)
			ids, err2 := tok.AppendEncode([]int32{9}, c.text)
			if c.want != "" {
				for _, err := range []error{err, err2} {
					if err == nil || !strings.Contains(err.Error(), c.want) {
						t.Errorf("error %v, want one with %q", err, c.want)
					}
				}
				if len(ids) != 1 {
					t.Errorf("AppendEncode after an error: %v, want what was there", ids)
				}
				return
			}
			if err != nil || err2 != nil || !slices.Equal(e.IDs, c.ids) || !slices.Equal(ids[1:], c.ids) {
				t.Errorf("ids %v and %v, errors %v and %v, want %v", e.IDs, ids[1:], err, err2, c.ids)
			}
		})
	}
}

// A text on which an expression takes too many steps is refused, not waited for.
func TestStepsBack(t *testing.T) {
	p, err := parsePattern("(a|aa|aaa)+b")
	if err != nil {
		t.Fatal(err)
	}
	p.limit = 1000
	find := func() (err error) {
		defer refused(&err)
		p.find(strings.Repeat("a", 60), 0)
		return nil
	}
	if err := find(); err == nil || !strings.Contains(err.Error(), "takes more than 1000 steps back at byte") {
		t.Errorf("error %v, want one about steps", err)
	}
}
