package report

import (
	"fmt"
	"strings"

	"olmo/page"
)

// openness says which parts of the work are open, by the Model Openness Framework (White et al.
// 2024, arXiv:2403.13784) and the Open Source AI Definition 1.0.
type openness struct {
	// MOFClass is 1 (open science), 2 (open tooling), 3 (open model), or nil where a component of
	// class III is missing. It counts components; their terms are in Licenses.
	MOFClass *int   `json:"mof_class"`
	MOFWhy   string `json:"mof_why"` // what a better class would need
	// OSAID tells whether data information, code and parameters are there, the last under terms
	// that were stated and are open; OSAIDWhy says what is missing.
	OSAID    bool   `json:"osaid"`
	OSAIDWhy string `json:"osaid_why"`
	Licenses terms  `json:"licenses"`

	Components []component `json:"components"`
}

// terms are the terms of the parts of a release; nil where nobody stated them.
type terms struct {
	Parameters *string  `json:"parameters"`
	Code       *string  `json:"code"`
	Datasets   []string `json:"datasets"`
}

// component is a part of the work. It is present only while its files are in the release, and whole.
type component struct {
	Name    string   `json:"name"`
	Present bool     `json:"present"`
	Files   []string `json:"files"`
	Why     string   `json:"why"`
}

// The components of the three classes. A research paper stands in for the technical report, which
// it contains.
var (
	classIII = []string{"architecture", "parameters", "evaluation_results", "model_card", "data_card", "technical_report"}
	classII  = []string{"training_code", "inference_code", "evaluation_code", "evaluation_data"}
	classI   = []string{"research_paper", "datasets", "data_preprocessing_code", "intermediate_parameters"}
)

// codeLicence is that of this program, whose source is public.
const codeLicence = "Apache-2.0"

func (f *facts) openness() *openness {
	o := &openness{Licenses: terms{Parameters: maybe(f.about.license()), Code: maybe(codeLicence), Datasets: []string{}}}
	for _, l := range f.data.Licenses {
		if l.Name != "" {
			o.Licenses.Datasets = append(o.Licenses.Datasets, l.Name)
		}
	}
	code := "the program's build record: " + f.in.Program.String() + " with the hashes of its modules, against which olmo version --json can be held"
	if f.in.Program.Revision == "" {
		code += "; the build does not know its revision"
	}
	for _, c := range []struct {
		name string
		of   func() (files []string, why string)
	}{
		{"architecture", f.architecture},
		{"parameters", func() ([]string, string) { return f.parameters(mainFolder) }},
		{"intermediate_parameters", f.intermediate},
		{"datasets", f.datasets},
		{"data_preprocessing_code", func() ([]string, string) { return []string{programFile}, code }},
		{"training_code", func() ([]string, string) { return []string{programFile}, code }},
		{"inference_code", func() ([]string, string) { return []string{programFile}, code }},
		{"evaluation_code", func() ([]string, string) { return []string{programFile}, code }},
		{"evaluation_data", f.evaluationData},
		{"evaluation_results", f.evaluationResults},
		{"model_card", func() ([]string, string) { return []string{modelCardFile}, "computed from the run and its evaluations" }},
		{"data_card", func() ([]string, string) { return []string{dataCardFile}, "counted in the data" }},
		{"technical_report", f.technical},
		{"research_paper", func() ([]string, string) {
			if p := f.paper("research_paper"); p != "" {
				return []string{p}, "given by the provider"
			}
			return nil, "nobody gave one (research_paper in --about)"
		}},
	} {
		files, why := c.of()
		if files == nil {
			files = []string{}
		}
		o.Components = append(o.Components, component{c.name, len(files) > 0, files, why})
	}
	o.classify(f)
	return o
}

// classify finds the class, and whether the definition is met.
func (o *openness) classify(f *facts) {
	there := map[string]bool{}
	for _, c := range o.Components {
		there[c.Name] = c.Present
	}
	there["technical_report"] = there["technical_report"] || there["research_paper"]
	lacks := func(names []string) (missing []string) {
		for _, n := range names {
			if !there[n] {
				missing = append(missing, n)
			}
		}
		return missing
	}
	o.MOFWhy = "all components are there"
	for i, names := range [][]string{classIII, classII, classI} {
		class := 3 - i
		if missing := lacks(names); missing != nil {
			o.MOFWhy = fmt.Sprintf("class %d would need %s", class, strings.Join(missing, ", "))
			break
		}
		o.MOFClass = &class
	}
	missing := lacks([]string{"parameters", "training_code", "data_preprocessing_code", "inference_code", "data_card"})
	license, known := licenceOf(f.about.license())
	switch {
	case len(missing) > 0:
		o.OSAIDWhy = "missing: " + strings.Join(missing, ", ")
	case !f.data.known:
		o.OSAIDWhy = "the documents are not listed, so that nobody could find an equivalent of the data"
	case f.about.license() == "":
		o.OSAIDWhy = "the licence of the parameters is not stated (model.license in --about)"
	case !known || !license.open:
		o.OSAIDWhy = "the licence of the parameters, " + f.about.license() + ", is not known to be open"
	default:
		o.OSAID, o.OSAIDWhy = true, "data information, code and parameters are there, under open terms"
	}
}

func (f *facts) architecture() ([]string, string) {
	if !f.model.known {
		return nil, "there is no " + mainFolder + "/config.json"
	}
	return []string{mainFolder + "/config.json"}, "the config of " + orNot(f.model.Class) + " in Transformers, whose code is public; report/program.json names the program that trained it"
}

// parameters are the files with weights in a folder that Transformers loads.
func (f *facts) parameters(folder string) ([]string, string) {
	var files []string
	for _, x := range f.below(folder + "/") {
		if strings.HasSuffix(x.Path, ".safetensors") || strings.HasSuffix(x.Path, ".safetensors.index.json") {
			files = append(files, x.Path)
		}
	}
	if len(files) == 0 {
		return nil, "there are no weights in " + folder
	}
	if f.leftOut(folder + "/") {
		return nil, "some files of " + folder + " were left out"
	}
	return files, page.Grouped(f.model.Parameters) + " parameters, in the precision of the training"
}

func (f *facts) intermediate() ([]string, string) {
	var out []string
	n := 0
	for _, r := range f.in.Revisions {
		if r.Path == mainFolder {
			continue
		}
		if files, _ := f.parameters(r.Path); files != nil {
			n++
			out = append(out, files...)
		}
	}
	if n == 0 {
		return nil, "there is no checkpoint but the last"
	}
	why := fmt.Sprintf("checkpoints of %d steps", n)
	if len(f.below("train/step")) > 0 {
		why += ", those of train/ with the state of optimiser and trainer"
	}
	return out, why
}

func (f *facts) datasets() ([]string, string) {
	texts, tokens := f.below(documentsFolder), f.below(tokensFolder)
	switch {
	case !f.data.known || !f.has(manifestFile):
		return nil, "there is no " + manifestFile
	case len(tokens) == 0 || f.leftOut(tokensFolder):
		return nil, "the token files were left out"
	}
	files := []string{manifestFile}
	for _, x := range append(tokens, texts...) {
		files = append(files, x.Path)
	}
	switch {
	case len(texts) == 0 || f.leftOut(documentsFolder):
		return files, "all token files with the places of their documents; not all texts, which can be read from the tokens"
	case !f.data.texts:
		return files, "all token files with the places of their documents; of some documents there is no text"
	}
	return files, "all token files, and the texts of all documents"
}

func (f *facts) evaluationData() ([]string, string) {
	var files []string
	for _, x := range f.below(evaluationFolder) {
		// Requests, and the texts that a run was judged on; samples answer no task.
		if strings.HasPrefix(x.Path, evaluationFolder+"data/") || strings.HasSuffix(x.Path, ".jsonl") && !strings.HasSuffix(x.Path, "samples.jsonl") {
			files = append(files, x.Path)
		}
	}
	if files == nil {
		return nil, "there are no requests in eval/"
	}
	return files, "every request of the evaluations, as it was put to the model, with its answer, and the texts beside them"
}

func (f *facts) evaluationResults() ([]string, string) {
	var files []string
	for _, s := range f.scores {
		if len(files) == 0 || files[len(files)-1] != s.File {
			files = append(files, s.File)
		}
	}
	if files == nil {
		return nil, "there are no results in eval/"
	}
	return files, fmt.Sprintf("%d figures", len(f.scores))
}

func (f *facts) technical() ([]string, string) {
	if p := f.paper("technical_report"); p != "" {
		return []string{p}, "given by the provider"
	}
	if f.training.Recipe == nil || f.training.Steps == 0 {
		return nil, "the run's recipe or its log is not there, so that report/technical-report.md is not whole"
	}
	return []string{technicalFile}, "computed from the run: architecture, data, every setting, course and results"
}
