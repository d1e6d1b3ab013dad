package verify_test

import (
	"bufio"
	"strings"
	"testing"

	"olmo/data/tokens"
	"olmo/proof"
)

// TestByHand: the page's example is what the program computes.
func TestByHand(t *testing.T) {
	page := string(read(t, "../../docs/verification.md"))
	var documents, steps proof.Tree
	want := func(what string, h proof.Hash) {
		if !strings.Contains(page, h.String()) {
			t.Errorf("docs/verification.md has not %v for %s", h, what)
		}
	}
	for _, d := range []struct {
		leaf   tokens.Leaf
		tokens string
	}{{tokens.Leaf{File: "a.npy", Start: 0, End: 3, ID: "x"}, "\x01\x00\x02\x00\x03\x00"}, {tokens.Leaf{File: "a.npy", Start: 3, End: 4, ID: "y"}, "\x04\x00"}} {
		d.leaf.Tokens = proof.Sum([]byte(d.tokens))
		want("tokens", d.leaf.Tokens)
		want("a leaf", d.leaf.Hash())
		documents.Add(d.leaf.Text())
	}
	want("the documents", documents.Root())
	var before proof.Hash
	n := 0
	for lines := bufio.NewScanner(strings.NewReader(page)); lines.Scan(); {
		text := strings.TrimSpace(lines.Text())
		if !strings.HasPrefix(text, `{"step":`) || !strings.HasSuffix(text, `"}`) || strings.Contains(text, "…") {
			continue
		}
		l, err := proof.ParseLine([]byte(text))
		check(t, err)
		if err := l.Check([]byte(text), before); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if n == 0 && l.Documents.Hash != documents.Root() || n == 1 && (*l.Instances != proof.Sum([]byte("\x01\x00\x00\x00\x00\x00\x00\x00")) || *l.Tokens != proof.Sum([]byte("\x03\x00\x04\x00\x01\x00\x02\x00"))) {
			t.Errorf("%s is of another example", text)
		}
		before = l.Hash
		steps.Add([]byte(text))
		n++
	}
	if n != 2 {
		t.Fatalf("%d lines of a chain", n)
	}
	want("the steps", steps.Root())
}
