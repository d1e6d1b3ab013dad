package verify

import (
	"slices"

	"olmo/internal/pyjson"
	"olmo/model"
)

// judgeModelConfig compares config.json of a model, and the ids of generation_config.json that end a text, with
// the settings of the run: tensors that are right compute something else under another rotation, say.
func (v *verifier) judgeModelConfig(r *revision, m *model.Config) {
	name := r.Path + "/config.json"
	wrong := func(key, format string, args ...any) {
		v.problem(Revision, name, format, args...).at(r.Step).Key = key
	}
	if v.usable(name) != nil {
		text, err := v.text(name)
		var keys []string
		if err == nil {
			keys, err = m.HFDifferences(text)
		}
		if err != nil {
			wrong("", "%s: %v", name, err)
		}
		for _, key := range keys {
			wrong(key, "%s has another %s than the settings of the run give", name, key)
		}
	}
	name = r.Path + "/generation_config.json"
	if v.usable(name) == nil || m.EOS < 0 {
		return
	}
	text, err := v.text(name)
	var generation struct {
		EOS any `json:"eos_token_id"`
	}
	if err == nil {
		err = pyjson.Unmarshal(text, &generation)
	}
	if err != nil {
		wrong("", "%s: %v", name, err)
		return
	}
	// A run that began with a model of others may have more ids that end a text.
	ends, ok := generation.EOS.([]any)
	if !ok {
		ends = []any{generation.EOS}
	}
	if !slices.Contains(ends, any(float64(m.EOS))) {
		wrong("eos_token_id", "%s ends a text with %v, the run with %d", name, generation.EOS, m.EOS)
	}
}
