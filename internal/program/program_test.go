package program

import (
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOf(t *testing.T) {
	got := of(&debug.BuildInfo{
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}, {Key: "-trimpath", Value: "true"}, {Key: "GOARCH", Value: "arm64"}},
		Deps: []*debug.Module{
			{Path: "example.org/a", Version: "v1.0.0", Sum: "h1:a"},
			{Path: "example.org/b", Version: "v1.0.0", Sum: "h1:b", Replace: &debug.Module{Path: "/home/me/b"}},
			{Path: "example.org/c", Version: "v1.0.0", Sum: "h1:c", Replace: &debug.Module{Path: "example.org/fork", Version: "v1.0.1", Sum: "h1:d"}},
		},
	})
	want := []Module{{"example.org/a", "v1.0.0", "h1:a"}, {"example.org/b", "", ""}, {"example.org/fork", "v1.0.1", "h1:d"}}
	if diff := cmp.Diff(want, got.Modules); diff != "" {
		t.Error(diff)
	}
	if s := got.String(); s != "olmo "+Version+" (abc, modified)" {
		t.Errorf("it is called %q", s)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"arm64", "/home"} {
		if strings.Contains(string(text), word) {
			t.Errorf("the record tells of the machine: %s", text)
		}
	}
}

func TestRead(t *testing.T) {
	b := Read()
	if b.Version != Version || !strings.HasPrefix(b.Go, "go") || b.Modules == nil {
		t.Errorf("got %+v", b)
	}
}
