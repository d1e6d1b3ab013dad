package tagger

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"olmo/config"
)

// Model is a model or list file that taggers read, and where it is published.
type Model struct {
	// File is its place below a folder of models.
	File string `json:"file"`
	URL  string `json:"url"`
	// Size in bytes and SHA256 are zero where they are not known.
	Size    int64  `json:"size,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Licence string `json:"licence,omitempty"`
	// Taggers are the names of those that read it.
	Taggers []string `json:"taggers"`
}

// published are the models by file; the lists of addresses are in urllists.txt.
var published = []Model{
	{
		File: "lid.176.bin", URL: "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.bin",
		Size: 131_266_198, SHA256: "7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e", Licence: "CC BY-SA 3.0",
	},
	{
		File: "lid.176.ftz", URL: "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.ftz",
		Size: 938_013, SHA256: "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83", Licence: "CC BY-SA 3.0",
	},
	{
		File: "openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin", Licence: "MIT",
		URL: "https://huggingface.co/mlfoundations/fasttext-oh-eli5/resolve/main/openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin",
	},
	{
		File: "cc_wiki_wikiref_sw_pes2o_adult_fakenews_math_books_openhermes.bin",
		URL:  artifacts + "fasttext_models/dolma-1_7/cc_wiki_wikiref_sw_pes2o_adult_fakenews_math_books_openhermes.bin",
	},
	{
		File: "jigsaw_fasttext_bigrams_hatespeech_final.bin",
		URL:  artifacts + "fasttext_models/jigsaw_fasttext_bigrams_20230515/jigsaw_fasttext_bigrams_hatespeech_final.bin",
	},
	{
		File: "jigsaw_fasttext_bigrams_nsfw_final.bin",
		URL:  artifacts + "fasttext_models/jigsaw_fasttext_bigrams_20230515/jigsaw_fasttext_bigrams_nsfw_final.bin",
	},
	{
		File: "code-comment-prose-model.bin",
		URL:  "https://huggingface.co/techarb/code-prose-composition/resolve/main/code-comment-prose-model.bin",
	},
	tokenizerModel("EleutherAI/gpt-neox-20b"),
	tokenizerModel("allenai/eleuther-ai-gpt-neox-20b-pii-special"),
	tokenizerModel("allenai/gpt-neox-olmo-dolma-v1_5"),
	tokenizerModel("allenai/dolma2-tokenizer"),
}

const artifacts = "https://dolma-artifacts.org/"

func tokenizerModel(id string) Model {
	return Model{File: id + "/tokenizer.json", URL: "https://huggingface.co/" + id + "/resolve/main/tokenizer.json", Licence: "Apache-2.0"}
}

// Catalogue lists the files that taggers of this program need, as Dolma 1.2.1
// names them, sorted by file.
func Catalogue() []Model {
	byFile := map[string]*Model{}
	for _, m := range published {
		byFile[m.File] = &m
	}
	for name, e := range registry {
		for _, f := range e.files {
			m := byFile[f]
			if m == nil {
				m = &Model{File: f, URL: artifacts + f}
				byFile[f] = m
			}
			m.Taggers = append(m.Taggers, name)
		}
	}
	var out []Model
	for _, m := range byFile {
		slices.Sort(m.Taggers)
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b Model) int { return strings.Compare(a.File, b.File) })
	return out
}

// FindModels returns the files of the catalogue with this name: a file's own,
// or a tagger's, which stands for all files that it reads (of the language
// models, for the larger).
func FindModels(name string) ([]Model, error) {
	var out, alike []Model
	names := Names()
	for _, m := range Catalogue() {
		if m.File == name {
			return []Model{m}, nil
		}
		if path.Base(m.File) == name {
			alike = append(alike, m)
		}
		if slices.Contains(m.Taggers, name) && m.File != "lid.176.ftz" {
			out = append(out, m)
		}
		names = append(names, m.File)
	}
	switch {
	case len(out) > 0:
		return out, nil
	case len(alike) == 1:
		return alike, nil
	case len(alike) > 1:
		return nil, fmt.Errorf("%d files are called %s\nhint: name one with its folder, such as %s", len(alike), name, alike[0].File)
	}
	if _, ok := registry[name]; ok {
		return nil, fmt.Errorf("the tagger %s reads no file", name)
	}
	hint := "'olmo data models list' shows all"
	if near, ok := config.Nearest(name, names); ok {
		hint = "did you mean " + near + "?"
	}
	return nil, fmt.Errorf("no model or list is called %s\nhint: %s", name, hint)
}

// ModelFolder is where fetched models are kept, and looked for last: the
// user's cache.
func ModelFolder() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep models in: %w\nhint: name one with --dir, and set OLMO_MODELS to it", err)
	}
	return filepath.Join(dir, "olmo", "models"), nil
}

// Find returns where a file of the catalogue is on this machine, "" when it is
// not.
func (m Model) Find(o Options) string {
	path, err := o.findModel(m.File)
	if err != nil {
		return ""
	}
	return path
}
