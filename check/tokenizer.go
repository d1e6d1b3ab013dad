package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"olmo/internal/pyjson"
	"olmo/store"
	"olmo/tokenizer"
)

// tokenizer checks a tokenizer.json.
func (c *checker) tokenizer(path string) {
	if c.loadTokenizer(path) != nil {
		c.form(path)
	}
}

// loadTokenizer opens a tokenizer; nil when it cannot be used, with every reason.
func (c *checker) loadTokenizer(path string) *tokenizer.Tokenizer {
	p, err := look(path)
	if err != nil {
		c.damage(path, err)
		return nil
	}
	if isPointer(p) {
		c.pointer(path)
		return nil
	}
	c.count(path, p.size)
	t, err := tokenizer.Load(path)
	if err == nil {
		return t
	}
	if text, e := store.ReadFile(path); e == nil && !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) && !bytes.HasPrefix(text, []byte{0x28, 0xb5}) {
		var v any
		if e := pyjson.Unmarshal(text, &v); e != nil {
			c.jsonDamage(path, text, e)
			return nil
		}
		if c.merges(path, text) > 0 {
			return nil
		}
	}
	if p := c.damage(path, err); p.Kind == Damaged {
		p.Kind = Tokenizer
	}
	return nil
}

// merges lists the merges whose parts or result the vocabulary lacks, all of them: the
// loader stops at the first. It returns how many there are.
func (c *checker) merges(path string, text []byte) int {
	var file struct {
		Model struct {
			Vocab                   map[string]int    `json:"vocab"`
			Merges                  []json.RawMessage `json:"merges"`
			ContinuingSubwordPrefix string            `json:"continuing_subword_prefix"`
		} `json:"model"`
	}
	if json.Unmarshal(text, &file) != nil {
		return 0 // of another model
	}
	bad := 0
	for i, raw := range file.Model.Merges {
		left, right, ok := mergePair(raw)
		if !ok {
			continue
		}
		lacks := func(s string) bool { _, ok := file.Model.Vocab[s]; return !ok }
		joined := left + right
		if n := len(file.Model.ContinuingSubwordPrefix); n > 0 && len(right) >= n {
			joined = left + right[n:]
		}
		j := slices.IndexFunc([]string{left, right, joined}, lacks)
		if j < 0 {
			continue
		}
		if bad++; bad <= mostListed {
			what := [...]string{"joins %q", "joins %q", "makes %q"}[j]
			c.problem(Tokenizer, path, "merges[%d] %s, which the vocabulary lacks", i, fmt.Sprintf(what, []string{left, right, joined}[j]))
		}
	}
	c.more(path, bad, "merges")
	return bad
}

// mergePair reads a merge: "a b", or since version 0.20 of the format ["a", "b"].
func mergePair(raw json.RawMessage) (left, right string, ok bool) {
	var pair []string
	if json.Unmarshal(raw, &pair) == nil && len(pair) == 2 {
		return pair[0], pair[1], true
	}
	var line string
	if json.Unmarshal(raw, &line) != nil {
		return "", "", false
	}
	a, b, ok := bytes.Cut([]byte(line), []byte(" "))
	return string(a), string(b), ok
}
