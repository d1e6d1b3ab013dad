package cli

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Every number of every data verb has limits, and what is outside of them, no number or
// empty, is a usage error that names the flag, before anything is done.
func TestNumbersOfDataVerbs(t *testing.T) {
	t.Chdir(t.TempDir())
	root := newRootCommand()
	data, _, err := root.Find([]string{"data"})
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	for _, c := range data.Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			n, ok := f.Value.(*numberFlag)
			if !ok {
				if k := f.Value.Type(); strings.HasPrefix(k, "int") || strings.HasPrefix(k, "float") {
					return // pflag judges it
				}
				if _, raw := f.Annotations[rawAnnotation]; raw && f.Value.Type() != "bool" && !isList(f) { // a list of numbers is judged by its verb
					t.Errorf("%s --%s is a number without limits", c.Name(), f.Name)
				}
				return
			}
			flags++
			for _, value := range []string{"", " ", "NaN", ".nan", "inf", "1e30", "99999999999999999999", "-1", "0", "9223372036854775807", "many", "1,5", "0x", "[1]", "{}", "true"} {
				err := runWords("data", c.Name(), "--"+f.Name+"="+value)
				var usage *usageError
				var failed *runError
				switch {
				case err == nil:
					t.Errorf("%s --%s=%s works without documents", c.Name(), f.Name, value)
				case errors.As(err, &failed) || !errors.As(err, &usage) && !strings.Contains(err.Error(), "--"+f.Name):
					t.Errorf("%s --%s=%s: %v, want a usage error", c.Name(), f.Name, value, err)
				case strings.Contains(err.Error(), "--"+f.Name):
				case value == "-1" && n.limits.low <= -1, value == "0" && n.limits.low <= 0 && n.limits.high >= 0,
					value == "9223372036854775807" && n.limits.high > 1<<62, value == "99999999999999999999" && n.kind == "a number" && n.limits.high > 1e20,
					value == "1e30" && n.kind == "a number" && n.limits.high > 1e30:
					// That is in the limits: what is missed is something else.
				default:
					t.Errorf("%s --%s=%s: %v does not name the flag", c.Name(), f.Name, value, err)
				}
			}
		})
	}
	if flags < 40 {
		t.Errorf("%d flags", flags)
	}
	entries, _ := os.ReadDir(".")
	if len(entries) > 0 {
		t.Errorf("something was written: %v", entries)
	}
}

func TestNumbersInLists(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, value := range []string{"99", "600", "-1", "NaN", "2.5", "", "1e30"} {
		var usage *usageError
		if err := runWords("data", "warc", "--status="+value); !errors.As(err, &usage) || !strings.Contains(err.Error(), "--status") {
			t.Errorf("--status=%s: %v, want a usage error", value, err)
		}
	}
}

func TestEmptyPatterns(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, words := range []string{
		"tag --taggers char_length_v1 --documents=", "tag --documents a --taggers=", "dedupe --documents=", "tokens --documents=", "stat --attributes=",
		"stat --attributes a --regex=", "convert --documents=", "warc --documents=", "decontaminate --documents=", "decontaminate --documents a --evaluations=",
	} {
		var usage *usageError
		if err := runWords(append([]string{"data"}, strings.Fields(words)...)...); !errors.As(err, &usage) || !strings.Contains(err.Error(), "empty") {
			t.Errorf("%s: %v, want a usage error", words, err)
		}
	}
}

// runWords runs a command without its output.
func runWords(words ...string) error {
	root := newRootCommand()
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	root.SetArgs(arrange(root, words))
	return root.Execute()
}
