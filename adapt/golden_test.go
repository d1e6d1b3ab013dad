package adapt

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/chat/jinja"
	"olmo/tokenizer"
)

// goldens are the folders with what open-instruct's own functions made (e6c3044; the README of
// golden/adapt says how): a part in testdata, and all that OLMO_GOLDEN names. testdata/make.py makes more.
func goldens(t *testing.T) []string {
	t.Helper()
	folders := []string{"testdata"}
	if root := os.Getenv("OLMO_GOLDEN"); root != "" {
		more, err := filepath.Glob(filepath.Join(root, "adapt", "*", "chat_templates.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range more {
			folders = append(folders, filepath.Dir(file))
		}
	}
	return folders
}

// golden calls use with each line of a fixture.
func golden[T any](t *testing.T, path string, use func(n int, want T, line []byte)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<24)
	n := 0
	for in.Scan() {
		n++
		var want T
		if err := json.Unmarshal(in.Bytes(), &want); err != nil {
			t.Fatalf("%s:%d: %v", path, n, err)
		}
		use(n, want, in.Bytes())
	}
	if n == 0 || in.Err() != nil {
		t.Fatalf("%s: %d lines, %v", path, n, in.Err())
	}
}

// TestGoldenTemplates: the templates are open-instruct's, to the byte, and write what Jinja2
// writes.
func TestGoldenTemplates(t *testing.T) {
	for _, folder := range goldens(t) {
		t.Run(folder, func(t *testing.T) {
			if text, err := os.ReadFile(filepath.Join(folder, "templates.json")); err == nil {
				var theirs map[string]string
				if err := json.Unmarshal(text, &theirs); err != nil {
					t.Fatal(err)
				}
				for _, name := range TemplateNames() {
					if ours, err := templateText(name, ""); err != nil || ours != theirs[name] {
						t.Errorf("%s is not open-instruct's (%v)", name, err)
					}
				}
				if len(theirs) != len(TemplateNames()) {
					t.Errorf("%d templates, want %d", len(TemplateNames()), len(theirs))
				}
			}
			type line struct {
				Template            string
				Messages            json.RawMessage
				Tools               json.RawMessage
				AddGenerationPrompt bool `json:"add_generation_prompt"`
				Text                *string
			}
			golden(t, filepath.Join(folder, "chat_templates.jsonl"), func(n int, want line, _ []byte) {
				tpl, err := Template(want.Template, filepath.Join(folder, "tokenizer"), false)
				if err != nil {
					t.Fatal(err)
				}
				turns, err := parseTurns("messages", want.Messages)
				if err != nil {
					t.Fatal(err)
				}
				var tools *jinja.List
				if tools, err = parseTools(want.Tools); err != nil {
					t.Fatal(err)
				}
				switch text, err := tpl.Render(turns, tools, want.AddGenerationPrompt); {
				case want.Text == nil && err == nil:
					t.Errorf("line %d: %q, want an error", n, text)
				case want.Text != nil && (err != nil || text != *want.Text):
					t.Errorf("line %d: %q, %v; want %q", n, text, err, *want.Text)
				}
			})
		})
	}
}

// goldenEncoder is the encoder for a line of a fixture.
func goldenEncoder(t *testing.T, folder, template string) *Encoder {
	t.Helper()
	tpl, err := Template(template, filepath.Join(folder, "tokenizer"), false)
	if err != nil {
		t.Fatal(err)
	}
	if loaded[folder] == nil {
		if loaded[folder], err = tokenizer.Load(filepath.Join(folder, "tokenizer")); err != nil {
			t.Fatal(err)
		}
	}
	return &Encoder{Template: tpl, Tokenizer: loaded[folder]}
}

// loaded are the tokenizers of fixtures, by folder.
var loaded = map[string]*tokenizer.Tokenizer{}

// TestGoldenLabels: ids, labels and what is kept, of conversations and of pairs.
func TestGoldenLabels(t *testing.T) {
	for _, folder := range goldens(t) {
		t.Run(folder, func(t *testing.T) {
			type line struct {
				Template     string
				Fn           string
				MaxSeqLength int     `json:"max_seq_length"`
				InputIDs     []int32 `json:"input_ids"`
				Labels       []int32
				Keep         bool
			}
			golden(t, filepath.Join(folder, "sft_tokenize.jsonl"), func(n int, want line, text []byte) {
				e := goldenEncoder(t, folder, want.Template)
				e.MaxLength = want.MaxSeqLength
				if want.Fn == "last_turn_tulu_tokenize_and_truncate_v1" {
					e.TrainOn = LastAnswer
				}
				row, err := ParseRow(text, SFT)
				if err != nil {
					t.Fatalf("line %d: %v", n, err)
				}
				got, err := e.Encode(&row.Conversation)
				if err != nil || !slices.Equal(got.IDs, want.InputIDs) || !slices.Equal(got.Labels, want.Labels) || got.Keep() != want.Keep {
					t.Errorf("line %d (%s): %+v, %v\nwant %+v", n, want.Template, got, err, want)
				}
			})
			type pair struct {
				ChosenInputIDs   []int32 `json:"chosen_input_ids"`
				ChosenLabels     []int32 `json:"chosen_labels"`
				RejectedInputIDs []int32 `json:"rejected_input_ids"`
				RejectedLabels   []int32 `json:"rejected_labels"`
			}
			e := goldenEncoder(t, folder, "tulu")
			e.TrainOn = LastAnswer
			golden(t, filepath.Join(folder, "preference_tokenize.jsonl"), func(n int, want pair, text []byte) {
				row, err := ParseRow(text, Preference)
				if err != nil {
					t.Fatalf("line %d: %v", n, err)
				}
				a, err := e.Encode(&row.Conversation)
				if err != nil || !slices.Equal(a.IDs, want.ChosenInputIDs) || !slices.Equal(a.Labels, want.ChosenLabels) {
					t.Errorf("line %d, chosen: %+v, %v\nwant %+v", n, a, err, want)
				}
				b, err := e.Encode(&row.Rejected)
				if err != nil || !slices.Equal(b.IDs, want.RejectedInputIDs) || !slices.Equal(b.Labels, want.RejectedLabels) {
					t.Errorf("line %d, rejected: %+v, %v\nwant %+v", n, b, err, want)
				}
			})
		})
	}
}
