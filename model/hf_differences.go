package model

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"olmo/internal/pyjson"
)

// HFDifferences names the members of a config.json of Transformers that say of another model than c, in byte
// order. Both are read and written again, so that other words for the same make no difference. ErrLayout:
// Transformers has no such model.
func (c *Config) HFDifferences(text []byte) ([]string, error) {
	theirs, err := pyjson.Object(text)
	if err != nil {
		return nil, err
	}
	ours, err := c.hfConfig()
	if err != nil {
		return nil, err
	}
	want, err := again(ours)
	if err != nil {
		return nil, err
	}
	got, err := again(theirs)
	if err != nil {
		return nil, err
	}
	var keys []string
	for key := range want {
		if !reflect.DeepEqual(want[key], got[key]) {
			keys = append(keys, key)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// again is what this program would write for the model of a config.json.
func again(m map[string]any) (map[string]any, error) {
	text, err := json.Marshal(m) // numbers become what a file has
	if err != nil {
		return nil, err
	}
	if m, err = pyjson.Object(text); err != nil {
		return nil, err
	}
	c, err := configFromHF(m)
	if err != nil {
		return nil, err
	}
	if m, err = c.hfConfig(); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(m); err != nil {
		return nil, fmt.Errorf("writing config.json: %w", err)
	}
	return pyjson.Object(text)
}
