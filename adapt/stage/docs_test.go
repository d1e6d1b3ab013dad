package stage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"olmo/config"
)

// TestDefaultsInDocs holds the table "Every default" of docs/adaptation.md to what the stages begin with.
func TestDefaultsInDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/adaptation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Every default\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var stages []string
	table := map[string]map[string]string{} // by stage and key
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---"):
		case stages == nil:
			stages = cells[1 : len(cells)-1]
			for _, s := range stages {
				table[s] = map[string]string{}
			}
		case len(cells) != len(stages)+2:
			t.Errorf("a row of %d cells: %s", len(cells), line)
		default:
			for i, s := range stages {
				if v := cells[i+1]; v != "—" {
					table[s][strings.Trim(cells[0], "`")] = v
				}
			}
		}
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("model_name_or_path: m\ndataset_mixer_list: [a, \"1.0\"]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for stage, load := range map[string]func() (any, error){
		"sft":    func() (any, error) { return LoadSFT(file, nil) },
		"dpo":    func() (any, error) { return LoadDPO(file, nil) },
		"reward": func() (any, error) { return LoadReward(file, nil) },
		"grpo":   func() (any, error) { return LoadGRPO(file, nil) },
	} {
		c, err := load()
		if err != nil {
			t.Fatal(err)
		}
		plain, err := config.Plain(c)
		if err != nil {
			t.Fatal(err)
		}
		have := plain.(map[string]any)
		delete(have, "model_name_or_path")
		delete(have, "dataset_mixer_list")
		for key, v := range have {
			if want, ok := table[stage][key]; !ok || want != shown(v, want) {
				t.Errorf("%s: %s is %s, docs/adaptation.md has %q", stage, key, shown(v, want), want)
			}
		}
		for key := range table[stage] {
			if _, ok := have[key]; !ok {
				t.Errorf("%s has no key %s", stage, key)
			}
		}
	}
	if !slices.Equal(stages, []string{"sft", "dpo", "reward", "grpo"}) {
		t.Errorf("stages %v", stages)
	}
}

// shown is a default as the table writes it: a number in the form that stands there.
func shown(v any, there string) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case []any:
		var all []string
		for _, x := range v {
			all = append(all, shown(x, ""))
		}
		return strings.Join(all, ", ")
	}
	text := fmt.Sprint(v)
	a, err1 := strconv.ParseFloat(text, 64)
	b, err2 := strconv.ParseFloat(there, 64)
	switch {
	case text == "":
		return "none"
	case err1 == nil && err2 == nil && a == b:
		return there
	}
	return text
}
