package graph

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/ops.md anew")

// TestOpsPage keeps docs/ops.md equal to the table of operations.
func TestOpsPage(t *testing.T) {
	var s strings.Builder
	s.WriteString("# Operations\n\nGenerated from the table in package `graph` (`go test ./graph -run OpsPage -update`). The roundings are in [numerics.md](numerics.md).\n\n")
	s.WriteString("| operation | what it computes | gradient | writes inputs | FLOPs counted | tolerance | test cases |\n|---|---|---|---|---|---|---|\n")
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(All)) {
		d := All[name]
		var cases []string
		for _, c := range d.Cases {
			cases = append(cases, c.Name)
		}
		fmt.Fprintf(&s, "| `%s` | %s | %s | %s | %s | %.0e | %s |\n", name, strings.ReplaceAll(d.Doc, "|", "\\|"),
			yes(d.Gradient != nil), yes(d.Writes != nil), yes(d.FLOPs != nil), d.Tolerance, strings.ReplaceAll(strings.Join(cases, ", "), "|", "\\|"))
	}
	path := filepath.Join("..", "docs", "ops.md")
	if *update {
		if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != s.String() {
		t.Error("docs/ops.md is not what the table says\nhint: go test ./graph -run OpsPage -update")
	}
}
