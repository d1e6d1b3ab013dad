package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse reads foreign bytes as a tokenizer.json; what it takes must encode
// and decode without a panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal), "ab a\u0301 <x>")
	f.Add([]byte(strings.Replace(minimal, `"pre_tokenizer":null`, `"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|[^\\s]+?"},"behavior":"MergedWithNext"}`, 1)), "a b")
	f.Add([]byte(strings.Replace(minimal, `"normalizer":null`, `"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKD"},{"type":"Replace","pattern":{"String":"a"},"content":""},{"type":"Strip","strip_left":true,"strip_right":true}]}`, 1)), "ab")
	f.Add([]byte(strings.Replace(minimal, `"added_tokens":[]`, `"added_tokens":[{"id":5,"content":" x","lstrip":true,"rstrip":true,"single_word":true,"normalized":true}]`, 1)), "a  x b")
	f.Add([]byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1.5],["ab",-2]],"byte_fallback":true},"decoder":{"type":"Metaspace","replacement":"_"}}`), "abc")
	f.Add([]byte(`{"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":10,"vocab":{"[UNK]":0,"a":1,"##b":2}},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true}}`), "ab abc")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		if len(data) > 1<<14 || len(text) > 1<<10 {
			return
		}
		tok, err := Parse(data)
		if err != nil {
			return
		}
		e, err := tok.Encode(text, true)
		if err != nil {
			return
		}
		if len(e.IDs) != len(e.Offsets) {
			t.Fatalf("%d ids, %d offsets", len(e.IDs), len(e.Offsets))
		}
		tok.Decode(e.IDs, true)
		got, want := must(tok.AppendEncode(nil, text)), must(tok.appendGeneral(nil, text))
		if !slices.Equal(got, want) {
			t.Fatalf("AppendEncode(%q) = %v, want %v", text, got, want)
		}
	})
}

// FuzzEncode compares the fast encoder with the general one and decodes again.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "hello  world's 123\n\n x", "\xff\xe6\xbc", "漢字\u3000e\u0301", "<|endoftext|> x", strings.Repeat(" ", 60)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, tok := range trained() {
			want := must(tok.appendGeneral(nil, s))
			if got := must(tok.AppendEncode(nil, s)); !slices.Equal(got, want) {
				t.Fatalf("%s: AppendEncode(%q) = %v, want %v", name, s, got, want)
			}
			if tok.fast.nfc {
				continue
			}
			if got := tok.Decode(want, false); got != validText(s) {
				t.Fatalf("%s: Decode(%v) = %q, want %q", name, want, got, s)
			}
			checkStream(t, tok, want, false)
		}
	})
}

// FuzzPattern compiles any expression; a find may not leave the text or stand
// still.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{gpt2Pattern, cl100kPattern, `(?<x>a|\((?:\g<x>)*\))\k<x>?`, `(?~|b|\X+)\K`, `(a)?(?(1)[[:^alpha:]&&\p{^Han}]|(?i:ß))`, `(?<!ab|c)\G\h{,2}`, `(?i)a[^b-c&&[\p{L}]]{1,3}+|(?<!x)\b`, `\X`, `(?x) a # b`, `((a)*)*`} {
		f.Add(p, "some text, aab'S 12")
	}
	f.Fuzz(func(t *testing.T, expr, s string) {
		// Backtracking takes its time on some expressions.
		if len(expr) > 30 && expr != gpt2Pattern && expr != cl100kPattern || len(s) > 20 || strings.Count(expr, "*")+strings.Count(expr, "+")+strings.Count(expr, "{") > 3 && len(expr) < 31 {
			return
		}
		p, err := parsePattern(expr)
		if err != nil {
			return
		}
		s = validText(s)
		p.limit = 10_000
		defer refused(&err)
		last := 0
		eachMatch(p, s, func(start, end int) {
			if start < last || end < start || end > len(s) {
				t.Fatalf("match %d to %d after %d in %q", start, end, last, s)
			}
			last = end
		})
	})
}

// FuzzParseLine reads foreign JSONL lines.
func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"id":"x","text":"a\u00e9\ud83d\ude00","ids":[1,2],"more":{"a":[null,1.5e3,"x"]}}`))
	f.Add([]byte(`{"text":"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if d, err := ParseLine(line); err == nil && !utf8.ValidString(d.Text) {
			t.Fatalf("text %q of a line is not UTF-8", d.Text)
		}
	})
}

// FuzzCharsMap reads foreign bytes as a precompiled normaliser.
func FuzzCharsMap(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x00\x00\x04\x00\x00\x61\x01\x00\x00b\x00"), "a\u0301x")
	f.Fuzz(func(t *testing.T, data []byte, s string) {
		if m, err := parseCharsMap(data); err == nil {
			p := newPiece(validText(s))
			m.normalize(&p)
			if len(p.text) != len(p.align) {
				t.Fatalf("%d bytes, %d alignments", len(p.text), len(p.align))
			}
		}
	})
}

// checkStream compares the parts of a stream with the whole.
func checkStream(t *testing.T, tok *Tokenizer, ids []int32, skip bool) {
	t.Helper()
	s := tok.NewStream(skip)
	var b strings.Builder
	for _, id := range ids {
		part := s.Next(id)
		if !utf8.ValidString(part) {
			t.Fatalf("Next(%d) = %q, not whole characters", id, part)
		}
		b.WriteString(part)
	}
	b.WriteString(s.Flush())
	if got, want := b.String(), tok.Decode(ids, skip); got != want {
		t.Fatalf("stream of %v = %q, want %q", ids, got, want)
	}
}
