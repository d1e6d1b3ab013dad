package taskfile

import "maps"

// whole is a task's file as results.json keeps it, with what lm-eval takes for keys that the file
// lacks (config/task.py, TaskConfig.to_dict): two runs can be compared by it.
func (d *definition) whole(file map[string]any) map[string]any {
	out := map[string]any{
		"unsafe_code": false, "description": "", "should_decontaminate": false, "metadata": map[string]any{}, "output_type": d.output,
		"target_delimiter": d.targetDelimiter, "fewshot_delimiter": d.fewshotDelimiter, "num_fewshot": d.shots, "repeats": d.repeats,
	}
	maps.Copy(out, file)
	out["num_fewshot"] = d.shots
	if d.output == "generate_until" {
		out["generation_kwargs"] = d.kwargs(file["generation_kwargs"])
	}
	out["fewshot_config"] = d.examples(file)
	for _, name := range []string{"tag", "group", "task_list"} {
		delete(out, name)
	}
	maps.DeleteFunc(out, func(_ string, v any) bool { return v == nil })
	return out
}

// kwargs are generation_kwargs with the text that ends an answer.
func (d *definition) kwargs(given any) map[string]any {
	out := map[string]any{"until": []any{d.fewshotDelimiter}}
	own, ok := given.(map[string]any)
	if !ok {
		maps.Copy(out, map[string]any{"do_sample": false, "temperature": 0.0, "max_gen_toks": d.generation.maxTokens})
	}
	maps.Copy(out, own)
	if _, ok := own["temperature"]; ok {
		out["temperature"] = d.generation.temperature
	}
	return out
}

// examples is fewshot_config over what it stands for.
func (d *definition) examples(file map[string]any) map[string]any {
	out := map[string]any{
		"sampler": d.fewshot.sampler, "split": nil, "process_docs": nil, "fewshot_indices": nil, "samples": nil,
		"fewshot_delimiter": d.fewshotDelimiter, "target_delimiter": d.targetDelimiter,
	}
	for _, name := range []string{"doc_to_text", "doc_to_choice", "doc_to_target", "gen_prefix"} {
		out[name] = file[name]
	}
	if split := file["fewshot_split"]; split != nil {
		out["split"] = split
	}
	own, _ := file["fewshot_config"].(map[string]any)
	maps.Copy(out, own)
	return out
}
