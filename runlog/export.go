package runlog

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"olmo/store"
)

// WriteCSV writes records as a table with one row for each and a column for each key,
// the step first. What a record lacks is empty.
func WriteCSV(path string, records []Record) error {
	columns := columnsOf(records)
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	row := slices.Clone(columns)
	for i := -1; i < len(records); i++ {
		if i >= 0 {
			for j, k := range columns {
				row[j] = cell(records[i][k])
			}
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	if err := store.WriteFile(path, b.Bytes()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func columnsOf(records []Record) []string {
	keys := map[string]bool{}
	for _, r := range records {
		for k := range r {
			keys[k] = true
		}
	}
	delete(keys, "step")
	return append([]string{"step"}, slices.Sorted(maps.Keys(keys))...)
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// WandbRun names a run as Weights & Biases does.
type WandbRun struct {
	Project, Entity, Group, Name string
	Tags                         []string
	Config                       any // becomes config.yaml
}

// WriteWandb writes a run in the shape of the files folder of a Weights & Biases run, for
// programs that read those; nothing is sent anywhere: wandb-history.jsonl with _step,
// wandb-summary.json with the last value of each key, wandb-metadata.json, and
// config.yaml with each key under value.
func WriteWandb(dir string, run WandbRun, records []Record) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("writing the W&B export: %w", err)
	}
	var history bytes.Buffer
	summary := map[string]any{}
	for _, r := range records {
		line := maps.Clone(map[string]any(r))
		step, _ := r.Step()
		delete(line, "step")
		line["_step"] = step
		maps.Copy(summary, line)
		text, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("writing the W&B export, step %d: %w", step, err)
		}
		history.Write(append(text, '\n'))
	}
	metadata := map[string]any{"project": run.Project, "entity": run.Entity, "group": run.Group, "displayName": run.Name, "tags": run.Tags, "program": "olmo"}
	config := map[string]any{"wandb_version": 1}
	values := map[string]any{}
	text, err := json.Marshal(run.Config)
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err != nil {
		return fmt.Errorf("writing the W&B export: %w", err)
	}
	for k, v := range values {
		config[k] = map[string]any{"value": v}
	}
	for name, v := range map[string]any{"wandb-summary.json": summary, "wandb-metadata.json": metadata, "config.yaml": config} { // JSON is YAML too
		text, err := json.MarshalIndent(v, "", "  ")
		if err == nil {
			err = store.WriteFile(filepath.Join(dir, name), append(text, '\n'))
		}
		if err != nil {
			return fmt.Errorf("writing the W&B export: %w", err)
		}
	}
	if err := store.WriteFile(filepath.Join(dir, "wandb-history.jsonl"), history.Bytes()); err != nil {
		return fmt.Errorf("writing the W&B export: %w", err)
	}
	return nil
}
