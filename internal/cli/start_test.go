package cli

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// TestStart: what a package makes before main costs every command, also those that never use it.
// Expressions, templates and large tables are made when they are first asked for; 80 kB is what a
// table of functions may take.
func TestStart(t *testing.T) {
	const most = 80_000
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	line := regexp.MustCompile(`(?m)^init (olmo/\S+) .*?, (\d+) bytes,`)
	all := line.FindAllStringSubmatch(string(out), -1)
	if len(all) < 10 {
		t.Fatalf("the runtime names %d packages of olmo: %s", len(all), out)
	}
	for _, m := range all {
		if n, err := strconv.Atoi(m[2]); err != nil || n > most {
			t.Errorf("%s takes %s bytes before main, want at most %d", m[1], m[2], most)
		}
	}
}
