package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"olmo/config"
	"olmo/store"
	"olmo/train"
)

// training is the config of `olmo train`. Whether the files that it names are there is for
// a start to see: a config may be read far from them.
var training = ConfigKind{
	Name: "config of olmo train",
	Keys: []string{"model", "optimizer", "scheduler", "max_duration", "global_train_batch_size", "device_train_microbatch_size", "precision", "save_folder", "tokenizer"},
	Parse: func(path string, _ []byte) error {
		c := train.DefaultConfig()
		if err := config.LoadWithoutPaths(path, nil, c); err != nil {
			return err
		}
		return c.Validate()
	},
}

// configOf returns the kind of config that has most of the keys; nil when none has one.
func configOf(text []byte, kinds []ConfigKind) (*ConfigKind, error) {
	var top map[string]any
	if err := config.CheckDepth(text); err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(text, &top); err != nil {
		return nil, err
	}
	var best *ConfigKind
	most := 0
	all := append([]ConfigKind{training}, kinds...)
	for i := range all {
		n := 0
		for key := range top {
			if slices.Contains(all[i].Keys, key) {
				n++
			}
		}
		if n > most || n == most && n > 0 && best != nil && len(all[i].Keys) < len(best.Keys) {
			best, most = &all[i], n
		}
	}
	return best, nil
}

// config checks a YAML file of settings.
func (c *checker) config(path string) {
	text, err := store.ReadFile(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	c.count(path, int64(len(text)))
	if len(strings.TrimSpace(string(text))) == 0 {
		c.problem(Truncated, path, "%s is empty", c.rel(path))
		return
	}
	kind, err := configOf(text, c.options.Configs)
	if err != nil {
		c.problem(Damaged, path, "%s: %s", c.rel(path), firstLine(err))
		return
	}
	if kind == nil {
		c.note(path, "not the config of a verb, so that only its syntax could be checked")
		return
	}
	if path == c.root {
		c.report.Kind = kind.Name
	}
	if err := kind.Parse(path, text); err != nil {
		c.problem(Config, path, "%s: %v", kind.Name, err)
		return
	}
	c.form(path)
}

// firstLine leaves out the picture of the place that the YAML parser draws.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// describeConfig says what a config is of.
func describeConfig(path string) (*Description, error) {
	text, err := store.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "config"}
	var top yaml.MapSlice
	if err := config.CheckDepth(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := yaml.Unmarshal(text, &top); err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.New(firstLine(err)))
	}
	var keys []string
	for _, item := range top {
		keys = append(keys, fmt.Sprint(item.Key))
	}
	d.add("keys", strings.Join(keys, ", "))
	return d, nil
}
