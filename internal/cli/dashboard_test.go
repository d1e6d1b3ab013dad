package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenAddress(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"8941", "127.0.0.1:8941"},
		{"0", "127.0.0.1:0"},
		{"localhost:80", "localhost:80"},
		{"[::1]:80", "[::1]:80"},
		{":80", ":80"},
		{"localhost", ""},
		{"70000", ""},
		{"-1", ""},
		{"", ""},
		{"1.2.3.4", ""},
	} {
		got, err := listenAddress(c.in)
		if (err == nil) != (c.want != "") || got != c.want {
			t.Errorf("listenAddress(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

// TestRunSource: what the dashboard tells of a run's step is what its data order says, and
// bytes are text without a tokenizer.
func TestRunSource(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "runs", "tiny.txt"))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Abs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join("..", "..", "runs", "tiny.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"config.yaml": config, "tiny.txt": text} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &runSource{}
	if n, err := s.Parameters(folder); err != nil || n < 10000 {
		t.Errorf("%d parameters, %v", n, err)
	}
	d, err := s.Data(folder, 3, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	if d.Total != 8 || len(d.Instances) != 4 || d.Length != 64 {
		t.Fatalf("%d of %d instances of %d tokens", len(d.Instances), d.Total, d.Length)
	}
	for _, i := range d.Instances {
		if i.Text != string(text[i.Start:i.End]) || len(i.Text) != 64 {
			t.Errorf("instance %d is %q", i.Index, i.Text)
		}
	}
	if got, err := s.Text(folder, []int32{'a', 'b'}); got != "ab" || err != nil {
		t.Errorf("two bytes are %q, %v", got, err)
	}
	if _, err := s.Text(filepath.Join(folder, "gone"), nil); err == nil {
		t.Error("ids of no run have a text")
	}
	if _, err := s.Data(filepath.Join(folder, "gone"), 1, 0, 1); err == nil || !strings.Contains(err.Error(), "gone") && !os.IsNotExist(err) {
		t.Errorf("of no run: %v", err)
	}
}
