// Package report writes what a release says of itself in words, and in the formats by which others
// read it: model card, data card, technical report, bill of materials (CycloneDX), Croissant,
// openness, and the European Union's public summary of training content.
//
// Figures come from the files of the release; what only a person can say comes from a file of
// theirs (About), and what nobody said is called "not stated". The same release and the same
// statements give the same bytes.
package report

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"olmo/internal/program"
	"olmo/proof"
	"olmo/store"

	"olmo/internal/pyjson"
)

// Input is what reports are made of beside the files of a release.
type Input struct {
	Name string // ORG/NAME; empty for none
	// Date is that of the cards; zero leaves it out.
	Date    time.Time
	Program program.Build
	// Files are those that the release has, but for what Write writes; LeftOut those that it was
	// made without. Paths are slashed, from the release on.
	Files, LeftOut []File
	Revisions      []Revision // main last
	// Manifest is the data manifest, and Documents are the files with the texts, where they lie. The
	// release need not have them: figures are of all that it was trained on.
	Manifest  string
	Documents []string
	// Removed is what curation took out, in the order of its rules; Languages are those that a
	// measurement on the texts has found. Either may be empty.
	Removed   []Removal
	Languages []Language
	About     *About // nil says nothing

	scores []score // of an evaluation without results.json
}

// File is a file of a release.
type File struct {
	Path   string
	Size   int64
	SHA256 proof.Hash
}

// Revision is a model of a release, a Hugging Face folder.
type Revision struct {
	Name string // a branch: main, or stepN-tokensMB
	Step int
	Path string // of the folder
}

// Removal is what a rule of the curation took out.
type Removal struct {
	Rule      string `json:"rule"` // in words
	Documents int64  `json:"documents"`
	Bytes     int64  `json:"bytes"` // of texts, as UTF-8
}

// Language is how much of the texts is in a language, as a measurement says.
type Language struct {
	Code  string  // ISO 639
	Share float64 // of the bytes that were looked at, 0 to 1; 0 where nobody measured
}

// Folder is where reports lie in a release.
const Folder = "report"

// The files that Write makes.
const (
	modelCardFile    = Folder + "/model-card.md"
	readmeFile       = mainFolder + "/README.md"
	dataCardFile     = Folder + "/data-card.md"
	technicalFile    = Folder + "/technical-report.md"
	programFile      = Folder + "/program.json"
	materialsFile    = Folder + "/mlbom.cdx.json"
	croissantFile    = Folder + "/croissant.json"
	opennessFile     = Folder + "/openness.json"
	trainingJSONFile = Folder + "/training-content.json"
	trainingMDFile   = Folder + "/training-content.md"
	trainingHTMLFile = Folder + "/training-content.html"
	manifestFile     = "data/manifest.jsonl.gz"
	mainFolder       = "model/main"
	documentsFolder  = "data/documents/"
	tokensFolder     = "data/tokens/"
	evaluationFolder = "eval/"
	metricsFile      = "train/metrics.jsonl"
	recipeFile       = "train/recipe.json"
)

// facts are what reports know.
type facts struct {
	in       *Input
	about    *About
	model    modelFacts
	training trainingFacts
	data     corpus
	scores   []score
	content  *trainingContent
	papers   []paperFile // of the user's
}

// Write writes the reports of the release in the folder dir, whose other files are there, and
// returns their paths in it.
func Write(dir string, in Input) ([]string, error) {
	f, err := gather(dir, &in)
	if err != nil {
		return nil, fmt.Errorf("reporting on the release: %w", err)
	}
	card := f.modelCard()
	files := []struct {
		path string
		text func() ([]byte, error)
	}{
		{modelCardFile, func() ([]byte, error) { return card, nil }},
		{readmeFile, func() ([]byte, error) { return card, nil }},
		{dataCardFile, func() ([]byte, error) { return f.dataCard(), nil }},
		{technicalFile, func() ([]byte, error) { return f.technicalReport(), nil }},
		{programFile, func() ([]byte, error) { return pyjson.Indented(in.Program) }},
		{materialsFile, f.materials},
		{croissantFile, f.croissant},
		{trainingJSONFile, func() ([]byte, error) { return pyjson.Indented(f.content) }},
		{trainingMDFile, func() ([]byte, error) { return f.summary().markdown(), nil }},
		{trainingHTMLFile, func() ([]byte, error) { return f.summary().page() }},
		{opennessFile, func() ([]byte, error) { return pyjson.Indented(f.openness()) }},
	}
	var paths []string
	put := func(path string, text []byte) error {
		paths = append(paths, path)
		return store.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), text)
	}
	for _, file := range files {
		if file.path == readmeFile && !f.has(mainFolder+"/config.json") || file.path == technicalFile && f.paper("technical_report") != "" {
			continue // there is no model in the release; the user's own report stands there
		}
		text, err := file.text()
		if err == nil {
			err = put(file.path, text)
		}
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", file.path, err)
		}
	}
	for _, p := range f.papers {
		if err := put(p.path, p.text); err != nil {
			return nil, fmt.Errorf("writing %s: %w", p.path, err)
		}
	}
	return paths, nil
}

// gather reads everything that reports are made of.
func gather(dir string, in *Input) (*facts, error) {
	f := &facts{in: in, about: in.About}
	if f.about == nil {
		f.about = &About{}
	}
	var err error
	if f.papers, err = f.about.papers(); err != nil {
		return nil, err
	}
	if f.model, err = f.readModel(dir); err != nil {
		return nil, err
	}
	if f.training, err = f.readTraining(dir); err != nil {
		return nil, err
	}
	if f.data, err = f.readData(dir); err != nil {
		return nil, err
	}
	if f.scores, err = f.readScores(dir); err != nil {
		return nil, err
	}
	f.content = f.trainingContent()
	return f, nil
}

// paper is the path of a document of the user's, empty where there is none.
func (f *facts) paper(key string) string {
	for _, p := range f.papers {
		if p.key == key {
			return p.path
		}
	}
	return ""
}

// has tells whether the release has a file.
func (f *facts) has(path string) bool {
	return slices.ContainsFunc(f.in.Files, func(x File) bool { return x.Path == path })
}

// below are the release's files in a folder, whose name ends in a slash.
func (f *facts) below(folder string) []File {
	var out []File
	for _, x := range f.in.Files {
		if strings.HasPrefix(x.Path, folder) {
			out = append(out, x)
		}
	}
	return out
}

// leftOut tells whether the release was made without a file in a folder.
func (f *facts) leftOut(folder string) bool {
	return slices.ContainsFunc(f.in.LeftOut, func(x File) bool { return strings.HasPrefix(x.Path, folder) })
}

// title is what the model is called.
func (f *facts) title() string {
	if f.in.Name == "" {
		return "This model"
	}
	return path.Base(f.in.Name)
}

// date is the day of the cards, empty for none.
func (f *facts) date() string {
	if f.in.Date.IsZero() {
		return ""
	}
	return f.in.Date.UTC().Format(time.DateOnly)
}
