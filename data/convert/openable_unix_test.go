//go:build unix

package convert_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"olmo/data/convert"
)

// What cannot be opened in a folder is left out, with a word; what is named is an error.
func TestCannotBeOpened(t *testing.T) {
	for what, c := range map[string]struct {
		make       func(name string) error
		want, hint string
	}{
		"pipe":     {func(name string) error { return syscall.Mkfifo(name, 0o666) }, "it is a pipe, no file", "\nhint: copy"},
		"loop":     {func(name string) error { return os.Symlink(filepath.Base(name), name) }, "it cannot be opened: too many levels of symbolic links", ""},
		"nowhere":  {func(name string) error { return os.Symlink("gone", name) }, "it is a link that leads nowhere", ""},
		"folder":   {func(name string) error { return os.Mkdir(name, 0) }, "it cannot be opened: permission denied", ""},
		"no right": {func(name string) error { return os.WriteFile(name, []byte("text\nx\n"), 0) }, "it cannot be opened: permission denied", ""},
	} {
		for _, name := range []string{"in/p.txt", "in/p.csv"} {
			t.Run(what+" "+name, func(t *testing.T) {
				t.Chdir(t.TempDir())
				write(t, ".", map[string]string{"in/a.txt": "a"})
				if err := c.make(name); err != nil {
					t.Skip(err)
				}
				if (what == "no right" || what == "folder") && os.Getuid() == 0 {
					t.Skip("the superuser may read all")
				}
				cfg := config(".")
				var log strings.Builder
				cfg.Log = func(line string) { log.WriteString(line) }
				for _, skipped := range []int64{0, 1} {
					report, err := convert.Run(context.Background(), cfg)
					if want := []convert.LeftOut{{File: name, Reason: c.want}}; err != nil || report.Skipped != skipped || len(report.LeftOut) != 1 || report.LeftOut[0].File != name || !strings.HasPrefix(report.LeftOut[0].Reason, c.want) {
						t.Errorf("%+v, %v, want %v left out and %d done already", report, err, want, skipped)
					}
				}
				if !strings.HasPrefix(log.String(), "rejected "+name+": "+c.want) {
					t.Errorf("log %q", log.String())
				}
				rejects := "rejects/convert/" + filepath.Base(name) + ".rejects.jsonl"
				if text, err := os.ReadFile(rejects); err != nil || !strings.Contains(string(text), c.want) {
					t.Errorf("the rejects: %s, %v", text, err)
				}
				cfg.Strict = true
				cfg.IgnoreExisting = true
				if _, err := convert.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), name+": "+c.want) {
					t.Errorf("strict: %v", err)
				}
				if what != "nowhere" && what != "loop" { // which are not even found
					cfg.Documents = []string{name}
					if _, err := convert.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "reading "+name+": "+c.want) || !strings.Contains(err.Error(), c.hint) {
						t.Errorf("named: %v", err)
					}
				}
				// Once it can be read it is, and nothing says otherwise any more.
				cfg = config(".")
				if err := os.Remove(name); err != nil {
					t.Fatal(err)
				}
				write(t, ".", map[string]string{name: "text\nx\n"})
				if report, err := convert.Run(context.Background(), cfg); err != nil || len(report.LeftOut) > 0 || report.Documents == 0 {
					t.Errorf("mended: %+v, %v", report, err)
				}
				if _, err := os.Stat(rejects); err == nil {
					t.Errorf("%s is still there", rejects)
				}
			})
		}
	}
}
