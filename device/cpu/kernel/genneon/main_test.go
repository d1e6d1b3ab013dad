package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFresh holds the file in the repository to this command.
func TestFresh(t *testing.T) {
	got, err := os.ReadFile("../neon_arm64.s")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, generate()) {
		t.Error("neon_arm64.s is not what genneon writes\nhint: go generate ./device/cpu/kernel/genneon")
	}
}

// TestWords compares every word with the encoding of its mnemonic by GNU as.
func TestWords(t *testing.T) {
	as, err := exec.LookPath("aarch64-linux-gnu-as")
	if err != nil {
		t.Skip("aarch64-linux-gnu-as is not installed")
	}
	words := map[string]string{} // by mnemonic
	for _, m := range regexp.MustCompile(`WORD \$0x([0-9a-f]{8}) // (.*)`).FindAllStringSubmatch(string(generate()), -1) {
		if old, ok := words[m[2]]; ok && old != m[1] {
			t.Errorf("%s is both %s and %s", m[2], old, m[1])
		}
		words[m[2]] = m[1]
	}
	var mnemonics []string
	for m := range words {
		mnemonics = append(mnemonics, m)
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "words.s")
	if err := os.WriteFile(source, []byte(strings.Join(mnemonics, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	listing, err := exec.Command(as, "-march=armv8.2-a+dotprod", "-aln", "-o", filepath.Join(dir, "words.o"), source).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, listing)
	}
	checked := 0
	for _, m := range regexp.MustCompile(`(?m)^ +\d+ [0-9a-f]{4} ([0-9A-F]{8})\s+(.*)$`).FindAllStringSubmatch(string(listing), -1) {
		w := strings.ToLower(m[1][6:8] + m[1][4:6] + m[1][2:4] + m[1][:2]) // listed byte by byte
		if got := words[m[2]]; got != w {
			t.Errorf("%s is written as %s, want %s", m[2], got, w)
		}
		checked++
	}
	if checked != len(words) {
		t.Errorf("compared %d words of %d", checked, len(words))
	}
}
