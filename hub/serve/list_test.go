package serve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPages: the pages of a listing together are what walking through all files gives.
func TestPages(t *testing.T) {
	var files []file
	for i := range 2500 {
		files = append(files, file{Path: fmt.Sprintf("d%d/e%d/f%d", i%7, i%3, i)})
	}
	for i := range 1200 {
		files = append(files, file{Path: fmt.Sprintf("d3/g%d/x", i)}, file{Path: fmt.Sprintf("d3.%d", i)})
	}
	c := newCommit(files, nil, time.Unix(0, 0), "x")
	for _, folder := range []string{"", "d3", "d3/e1", "d3/g7"} {
		for _, recursive := range []bool{false, true} {
			want := map[string]bool{}
			for _, f := range files {
				inside, ok := strings.CutPrefix(f.Path, strings.TrimPrefix(folder+"/", "/"))
				if !ok {
					continue
				}
				parts := strings.Split(inside, "/")
				for n := range parts {
					name := strings.TrimPrefix(folder+"/"+strings.Join(parts[:n+1], "/"), "/")
					if n < len(parts)-1 {
						name += "/"
					}
					if n == 0 || recursive {
						want[name] = true
					}
				}
			}
			got, pages := map[string]bool{}, 0
			for place := 0; ; {
				entries, next := c.list(folder, recursive, place)
				for _, e := range entries {
					name := e.Path
					if e.Type == "directory" {
						name += "/"
					}
					if got[name] {
						t.Errorf("%s is listed twice", name)
					}
					got[name] = true
				}
				if pages++; next == 0 {
					break
				}
				if next <= place {
					t.Fatalf("page %d leads from %d to %d", pages, place, next)
				}
				place = next
			}
			if !maps.Equal(got, want) {
				t.Errorf("%q, recursive %v: %d entries on %d pages, want %d", folder, recursive, len(got), pages, len(want))
			}
			if folder == "" && pages < 2 {
				t.Errorf("%d entries are on %d page", len(got), pages)
			}
		}
	}
	if _, next := c.list("", true, 1<<40); next != 0 {
		t.Errorf("a page behind the last leads to %d", next)
	}
	if slices.IsSortedFunc(files, func(a, b file) int { return strings.Compare(a.Path, b.Path) }) == false {
		t.Error("the files of a commit are not in order")
	}
}
