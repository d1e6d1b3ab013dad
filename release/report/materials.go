package report

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"olmo/internal/pyjson"
)

// object is one of JSON.
type object = map[string]any

// materials is the bill of materials in CycloneDX 1.6: the model with its files and model card, the
// data that it was trained on, and the program with its modules.
func (f *facts) materials() ([]byte, error) {
	const modelRef, dataRef, programRef = "model", "training-data", "program"
	model := object{
		"type": "machine-learning-model", "bom-ref": modelRef, "name": f.bomName(),
		"description": f.modelLead(), "modelCard": f.bomCard(dataRef),
		"components": f.bomFiles(mainFolder + "/"),
	}
	if l := f.about.license(); l != "" {
		model["licenses"] = bomLicenses([]string{l})
	}
	if name := said(f.about.Provider, "name"); name != "" {
		model["supplier"] = object{"name": name}
	}
	model["externalReferences"] = []object{{"type": "model-card", "url": modelCardFile}, {"type": "release-notes", "url": technicalFile}}
	if p := f.paper("technical_report"); p != "" {
		model["externalReferences"].([]object)[1]["url"] = p
	}
	dependsOn := []string{dataRef, programRef}
	components := []object{f.bomData(dataRef), {
		"type": "application", "bom-ref": programRef, "name": "olmo", "version": f.in.Program.Version,
		"properties": properties("olmo:revision", f.in.Program.Revision, "olmo:go", f.in.Program.Go),
	}}
	var modules []string
	for _, m := range f.in.Program.Modules {
		ref := "pkg:golang/" + strings.ReplaceAll(url.PathEscape(m.Path), "%2F", "/") + "@" + url.QueryEscape(m.Version)
		modules = append(modules, ref)
		components = append(components, object{
			"type": "library", "bom-ref": ref, "name": m.Path, "version": m.Version, "purl": ref, "properties": properties("olmo:go.sum", m.Sum),
		})
	}
	dependencies := []object{{"ref": modelRef, "dependsOn": dependsOn}, {"ref": dataRef}}
	if program := (object{"ref": programRef}); len(modules) > 0 {
		program["dependsOn"] = modules
		dependencies = append(dependencies, program)
	} else {
		dependencies = append(dependencies, program)
	}
	bom := object{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": object{"component": model},
		"components": components, "dependencies": dependencies,
	}
	if !f.in.Date.IsZero() {
		bom["metadata"].(object)["timestamp"] = f.in.Date.UTC().Format(time.RFC3339)
	}
	text, err := json.Marshal(bom)
	if err != nil {
		return nil, err
	}
	// The number that a bill of materials should have is one of its content, not a random one.
	sum := sha256.Sum256(text)
	sum[6], sum[8] = 0x80|sum[6]&0x0f, 0x80|sum[8]&0x3f // RFC 9562: version 8, its variant
	bom["serialNumber"] = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	return pyjson.Indented(bom)
}

func (f *facts) bomName() string {
	if f.in.Name == "" {
		return "unnamed model"
	}
	return f.in.Name
}

// bomFiles are the files of a folder with their hashes.
func (f *facts) bomFiles(folder string) []object {
	out := []object{}
	for _, x := range f.below(folder) {
		if x.Path == readmeFile {
			continue // this report's own
		}
		out = append(out, object{
			"type": "file", "bom-ref": "file:" + x.Path, "name": x.Path,
			"hashes": []object{{"alg": "SHA-256", "content": x.SHA256.String()}},
		})
	}
	return out
}

// bomCard is the model card in CycloneDX's form.
func (f *facts) bomCard(dataRef string) object {
	parameters := object{
		"approach": object{"type": "self-supervised"}, "task": "text-generation", "architectureFamily": "transformer",
		"datasets": []object{{"ref": dataRef}},
		"inputs":   []object{{"format": "text"}}, "outputs": []object{{"format": "text"}},
	}
	if f.model.Class != "" {
		parameters["modelArchitecture"] = f.model.Class
	}
	card := object{"modelParameters": parameters}
	var figures []object
	for _, s := range f.scores {
		x := object{"type": s.name(), "value": number(s.Value), "slice": s.Task}
		if s.Error != nil {
			x["confidenceInterval"] = object{"lowerBound": number(s.Value - 1.96**s.Error), "upperBound": number(s.Value + 1.96**s.Error)}
		}
		figures = append(figures, x)
	}
	if len(figures) > 0 {
		card["quantitativeAnalysis"] = object{"performanceMetrics": figures}
	}
	considerations := object{}
	if use := said(f.about.Model, "intended_use"); use != "" {
		considerations["useCases"] = []string{use}
	}
	if limits := said(f.about.Model, "limitations"); limits != "" {
		considerations["technicalLimitations"] = []string{limits}
	}
	if f.training.Energy > 0 {
		activity := object{"activity": "training", "activityEnergyCost": object{"value": f.training.Energy, "unit": "kWh"}, "energyProviders": []object{}}
		activity["energyProviders"] = []object{{
			"organization": object{"name": notStated}, "energySource": "unknown", "energyProvided": object{"value": f.training.Energy, "unit": "kWh"},
		}}
		considerations["environmentalConsiderations"] = object{"energyConsumptions": []object{activity}}
	}
	if len(considerations) > 0 {
		card["considerations"] = considerations
	}
	return card
}

// bomData is the training data. Its files are in Croissant's list, and each document is in the manifest.
func (f *facts) bomData(ref string) object {
	contents := object{"type": "dataset", "name": "training data"}
	data := object{"type": "data", "bom-ref": ref, "name": "training data of " + f.bomName(), "data": []object{contents}}
	c := &f.data
	if c.known {
		values := []string{"olmo:documents", fmt.Sprint(c.Documents), "olmo:tokens", fmt.Sprint(c.Tokens)}
		if c.texts {
			values = append(values, "olmo:bytes", fmt.Sprint(c.Bytes))
		}
		data["properties"] = properties(values...)
	}
	var ids []string
	for _, l := range c.Licenses {
		if l.Name != "" {
			ids = append(ids, l.Name)
		}
	}
	if len(ids) > 0 {
		data["licenses"] = bomLicenses(ids)
	}
	for _, x := range f.in.Files {
		if x.Path == manifestFile {
			data["hashes"] = []object{{"alg": "SHA-256", "content": x.SHA256.String()}}
			data["externalReferences"] = []object{{"type": "distribution", "url": manifestFile}, {"type": "documentation", "url": dataCardFile}}
		}
	}
	return data
}

// bomLicenses names licences by their SPDX identifier where they are known to have one.
func bomLicenses(names []string) []object {
	var out []object
	for _, name := range names {
		if l, ok := licenceOf(name); ok {
			out = append(out, object{"license": object{"id": l.id}})
		} else {
			out = append(out, object{"license": object{"name": name}})
		}
	}
	return out
}

// properties are names and values, without those that are empty.
func properties(pairs ...string) []object {
	out := []object{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, object{"name": pairs[i], "value": pairs[i+1]})
		}
	}
	return out
}
