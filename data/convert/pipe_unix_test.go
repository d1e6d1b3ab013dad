//go:build unix

package convert_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"olmo/data/convert"
)

// A pipe in a folder is passed over, with a word; one that is named is an error.
func TestPipeInAFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", map[string]string{"in/a.txt": "a"})
	if err := syscall.Mkfifo("in/p.txt", 0o666); err != nil {
		t.Skip(err)
	}
	var log strings.Builder
	cfg := config(".")
	cfg.Log = func(line string) { log.WriteString(line) }
	if report, err := convert.Run(context.Background(), cfg); err != nil || report.Documents != 1 || !strings.Contains(log.String(), "passed over: opening in/p.txt: it is a pipe") {
		t.Errorf("%+v, %v, %q", report, err, log.String())
	}
	cfg.Documents = []string{"in/p.txt"}
	if _, err := convert.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "in/p.txt: it is a pipe, no file\nhint: ") {
		t.Errorf("%v", err)
	}
}
