package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/config"
)

// TestPatterns: folders and patterns among the paths of data become the files that they
// stand for, from the current folder or else from the config's.
func TestPatterns(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"tk/b.npy", "tk/a.npy", "tk/a.csv.gz", "tk/a.npy.leaves", "tk/Z.npy", "tk/10.npy", "tk/9.npy", "tk/.hidden.npy", "tk/note.txt", "tk/deep/c.npy",
		"tk/x[1].npy", "tk/x1.npy", "cf[g]/own/b.npy", "cf[g]/own/a.npy", "beside/q.npy", "empty/a.csv.gz", "raw/a.bin",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join("cf[g]", "train.yaml")
	all := []string{"tk/10.npy", "tk/9.npy", "tk/Z.npy", "tk/a.npy", "tk/b.npy", "tk/x1.npy", "tk/x[1].npy"}
	for _, c := range []struct {
		name  string
		paths string
		want  []string
		err   string
	}{
		{"a list of names stays, doubles too", "[tk/b.npy, tk/a.npy, tk/b.npy]", []string{"tk/b.npy", "tk/a.npy", "tk/b.npy"}, ""},
		{"one name without a list", "tk/a.npy", []string{"tk/a.npy"}, ""},
		{"a pattern, in byte order", "[tk/*.npy]", all, ""},
		{"a pattern without a list", "tk/?.npy", []string{"tk/9.npy", "tk/Z.npy", "tk/a.npy", "tk/b.npy"}, ""},
		{"the order of the elements counts", "['tk/b*', 'tk/[a9].npy']", []string{"tk/b.npy", "tk/9.npy", "tk/a.npy"}, ""},
		{"a folder's token files", "tk", all, ""},
		{"a folder, with a slash", "[tk/]", all, ""},
		{"places and leaves are no tokens", "[tk/a*]", []string{"tk/a.npy"}, ""},
		{"any depth", "[tk/**/c.npy]", []string{"tk/deep/c.npy"}, ""},
		{"a name that exists is no pattern", "['tk/x[1].npy']", []string{"tk/x[1].npy"}, ""},
		{"a pattern that matches another name", "['tk/x[12].npy']", []string{"tk/x1.npy"}, ""},
		{"beside the config", "['own/*.npy']", []string{"own/a.npy", "own/b.npy"}, ""},
		{"a folder beside the config", "own", []string{"own/a.npy", "own/b.npy"}, ""},
		{"above the config", "['../beside/*']", []string{"../beside/q.npy"}, ""},
		{"other names", "[raw/*.bin]", []string{"raw/a.bin"}, ""},
		{"missing names are the opening's", "[nowhere.npy]", []string{"nowhere.npy"}, ""},
		{"addresses stay", "['https://example.org/a*.npy', 's3://bucket/a.npy']", []string{"https://example.org/a*.npy", "s3://bucket/a.npy"}, ""},
		{"nothing", "[]", []string{}, ""},
		{"no match", "['tk/*.bin']", nil, "paths: tk/*.bin matches no file"},
		{"a folder without token files", "[empty]", nil, "paths: empty holds no token files (*.npy)"},
		{"a folder with other files", "[raw]", nil, "*.bin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultConfig()
			text := "data: {paths: " + c.paths + "}\nevaluators: [{label: x, data: {datasets: {y: " + c.paths + "}}}]"
			if err := config.Parse(file, []byte(text), nil, cfg); err != nil {
				t.Fatal(err)
			}
			err := cfg.expand(file)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), "data."+c.err) && !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "evaluators[0].data.datasets.y: ") {
					t.Errorf("error %v, want one that holds %q of both keys", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for key, got := range map[string]PathList{"data.paths": cfg.Data.Paths, "evaluators": cfg.Evaluators[0].Data.Datasets["y"]} {
				slashed := []string{}
				for _, p := range got {
					slashed = append(slashed, filepath.ToSlash(p))
				}
				if !slices.Equal(slashed, c.want) {
					t.Errorf("%s are %q, want %q", key, slashed, c.want)
				}
			}
		})
	}
}
