package quickstart

import (
	"bytes"
	"math"
	"os/exec"
	"testing"
)

func TestCompress(t *testing.T) {
	text := bytes.Repeat([]byte("the quick brown fox "), 500)
	results, err := Compress(t.Context(), text, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Recorded != nil {
			t.Errorf("%s has a recorded figure for a text that none is kept of", r.Name)
		}
		if _, err := exec.LookPath(compressors[i].program); err != nil {
			if r.BitsPerByte != nil {
				t.Errorf("%s has a figure without the program", r.Name)
			}
			continue
		}
		if r.BitsPerByte == nil || *r.BitsPerByte <= 0 || *r.BitsPerByte > 0.5 {
			t.Errorf("%s: bits per byte %v", r.Name, r.BitsPerByte)
		}
	}
}

func TestCompressWithoutPrograms(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	results, err := Compress(t.Context(), []byte("text"), recordedCorpus)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.BitsPerByte != nil || r.Recorded == nil {
			t.Errorf("%s: figure %v, recorded %v; want none and one", r.Name, r.BitsPerByte, r.Recorded)
		}
	}
}

// checkRecorded holds the recorded sizes against this machine's programs,
// whose versions may differ a little.
func checkRecorded(t *testing.T, dataDir string, s SplitInfo) {
	t.Helper()
	text, err := ReadText(dataDir, s, 0)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(text)) != s.Bytes {
		t.Fatalf("ReadText gives %d bytes, want %d", len(text), s.Bytes)
	}
	results, err := Compress(t.Context(), text, s.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.BitsPerByte == nil {
			continue
		}
		t.Logf("%s: %.4f bits per byte, %.0f bytes", r.Name, *r.BitsPerByte, *r.BitsPerByte/8*float64(len(text)))
		if r.Recorded == nil || math.Abs(*r.BitsPerByte-*r.Recorded) > 0.01 {
			t.Errorf("%s: %.4f bits per byte, recorded %v", r.Name, *r.BitsPerByte, r.Recorded)
		}
	}
}
