package eval

import (
	"fmt"
	"slices"
)

func init() { Register(defineCore) }

// defineCore has OLMo-core's groups of in-loop tasks (src/olmo_core/eval/task_groups.py, 2026-06): what its runs
// are judged by. Small compute is a run of which letters are not expected to be understood, fast
// about a third of the whole.
func defineCore() {
	skills := form("basic_skills_%s_rc_5shot", "arithmetic", "coding", "common_knowledge", "logical_reasoning", "pattern", "string_operations")
	mathematics := form("minerva_math_%s_gold_bpb_0shot",
		"algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra", "precalculus")
	code := []string{"codex_humaneval_gold_bpb_3shot", "codex_mbpp_gold_bpb_3shot"}
	small := slices.Concat(
		form("%s_test_rc_5shot", "arc_challenge", "arc_easy"), []string{"hellaswag_rc_5shot"}, form("%s_val_rc_5shot", "winogrande", "csqa", "piqa", "socialiqa"),
		mmluTasks("_val_rc_5shot", "_test_rc_5shot"),
		[]string{"gsm8k_gold_bpb_5shot"}, mathematics, code,
		[]string{"coqa_bpb_0shot", "drop_bpb_5shot", "jeopardy_bpb_5shot", "lambada_bpb_0shot", "naturalqs_bpb_5shot", "squad_bpb_5shot"},
		form("mt_mbpp_%s_gold_bpb_3shot", mbppLanguages...), []string{"copycolors_10way_fast"}, skills,
		form("lab_bench_%s_rc_3shot", "dbqa", "protocolqa"), form("%s_rc_5shot", "medmcqa", "medqa_en", "qasper_yesno", "sciriff_yesno"),
	)
	large := slices.Concat(
		form("%s_test_mc_5shot_fast", "arc_challenge", "arc_easy"), []string{"hellaswag_rc_5shot"}, form("%s_val_mc_5shot_fast", "csqa", "piqa", "socialiqa"),
		[]string{"winogrande_val_rc_5shot"}, mmluTasks("_val_mc_5shot_fast", "_test_mc_5shot_fast"),
		[]string{"gsm8k_gold_bpb_5shot"}, mathematics, code, form("mt_mbpp_%s_gold_bpb_3shot", "rust", "java", "cpp"),
		[]string{"copycolors_10way_fast"}, skills,
	)
	full := slices.Clone(small)
	for _, task := range large {
		if !slices.Contains(full, task) {
			full = append(full, task)
		}
	}
	fast := slices.Concat(
		form("arc_challenge_test_%s", "bpb_5shot", "mc_5shot_fast"), form("arc_easy_test_%s", "bpb_5shot", "mc_5shot_fast"), []string{"hellaswag_bpb_5shot"},
		mmluTasks("_test_bpb_5shot", "_test_mc_5shot_fast"), skills, code, []string{"minerva_math_500_gold_bpb_0shot"},
		form("mt_mbpp_%s_gold_bpb_3shot", "cpp", "java", "rust"), []string{"copycolors_10way_fast"},
	)
	for name, parts := range map[string][]string{"full__small_compute": small, "full__large_compute": large, "full": full, "fast": fast} {
		DefineSuite(Suite{Name: name, Parts: parts, Source: "OLMo-core (task_groups.py)"})
	}
}

// form puts each of words in the place of %s.
func form(pattern string, words ...string) (names []string) {
	for _, w := range words {
		names = append(names, fmt.Sprintf(pattern, w))
	}
	return names
}

// mmluTasks are the tasks of MMLU's four categories with each ending.
func mmluTasks(endings ...string) (names []string) {
	for _, e := range endings {
		names = append(names, form("mmlu_%s"+e, "stem", "humanities", "social_sciences", "other")...)
	}
	return names
}
