package report

import (
	"fmt"
	"path/filepath"

	"olmo/internal/pyjson"
	"olmo/store"
	"olmo/weights"
)

// modelFacts are what model/main says.
type modelFacts struct {
	known      bool // it is in the release
	Config     map[string]any
	Kind       string // model_type of Transformers: olmo2
	Class      string // of Transformers: Olmo2ForCausalLM
	Parameters int64
}

func (f *facts) readModel(dir string) (modelFacts, error) {
	var m modelFacts
	if !f.has(mainFolder + "/config.json") {
		return m, nil
	}
	folder := filepath.Join(dir, filepath.FromSlash(mainFolder))
	file := filepath.Join(folder, "config.json")
	b, err := store.ReadFile(file)
	if err == nil {
		err = pyjson.Unmarshal(b, &m.Config)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	m.known = true
	m.Kind, _ = m.Config["model_type"].(string)
	if classes, ok := m.Config["architectures"].([]any); ok && len(classes) > 0 {
		m.Class, _ = classes[0].(string)
	}
	set, err := weights.Open(folder)
	if err != nil {
		return m, err
	}
	defer set.Close()
	for _, t := range set.All() {
		n := int64(1)
		for _, d := range t.Shape {
			n *= int64(d)
		}
		m.Parameters += n
	}
	return m, nil
}
