package olmes

import (
	"strings"

	"olmo/eval"
)

const suiteSource = "oe-eval (allenai/olmes), oe_eval/configs/task_suites.py"

// The parts of data sets that suites are made of.
var (
	core      = strings.Fields("arc_easy arc_challenge boolq csqa hellaswag openbookqa piqa socialiqa winogrande")
	mathTypes = strings.Fields("algebra counting_and_probability geometry intermediate_algebra number_theory prealgebra precalculus")
	bbh       = strings.Fields(`boolean_expressions causal_judgement date_understanding disambiguation_qa dyck_languages formal_fallacies geometric_shapes
		hyperbaton logical_deduction_five_objects logical_deduction_seven_objects logical_deduction_three_objects movie_recommendation
		multistep_arithmetic_two navigate object_counting penguins_in_a_table reasoning_about_colored_objects ruin_names
		salient_translation_error_detection snarks sports_understanding temporal_sequences tracking_shuffled_objects_five_objects
		tracking_shuffled_objects_seven_objects tracking_shuffled_objects_three_objects web_of_lies word_sorting`)
	agiEval     = strings.Fields("lsat-ar lsat-lr lsat-rc logiqa-en sat-math sat-en aqua-rat gaokao-english")
	mmluPro     = strings.Split("math,health,physics,business,biology,chemistry,computer science,economics,engineering,philosophy,other,history,psychology,law", ",")
	basicSkills = strings.Fields("arithmetic coding common_knowledge logical_reasoning string_operations pattern")
	languages   = strings.Fields("bash c cpp csharp go haskell java javascript matlab php python r ruby rust scala swift typescript")
	sixLangs    = strings.Fields("cpp java js php rs sh")
	genToMC     = strings.Fields("coqa drop jeopardy naturalqs squad")
	paloma      = strings.Fields(`4chan_meta_sep c4_100_domains c4_en dolma_100_programing_languages dolma_100_subreddits dolma-v1_5 falcon-refinedweb gab
		m2d2_s2orc_unsplit m2d2_wikipedia_unsplit manosphere_meta_sep mc4 ptb redpajama twitterAAE_HELM_fixed wikitext_103`)
)

// each puts names between two texts.
func each(before string, names []string, after string) (out []string) {
	for _, n := range names {
		out = append(out, before+n+after)
	}
	return out
}

// defineSuites adds the suites. Where oe-eval gives no figure and its successor (allenai/olmo-eval,
// olmo_eval/evals/suites) gives the mean, as of the two parts of ARC, the mean is taken: the suites
// above them would have no figure either.
func defineSuites() {
	suite := func(name string, average eval.Average, parts ...string) {
		eval.DefineSuite(eval.Suite{Name: name, Parts: parts, Average: average, Source: suiteSource})
	}
	words := func(name string, average eval.Average, parts string) { suite(name, average, strings.Fields(parts)...) }
	for _, regime := range []string{"::olmes", "::olmes:full"} {
		for _, t := range core {
			suite(t+regime, eval.Larger, t+":mc"+regime, t+":rc"+regime)
		}
		suite("core_9mcqa"+regime, eval.Macro, each("", core, regime)...)
		for _, f := range []string{":rc", ":mc"} {
			suite("core_9mcqa"+f+regime, eval.Macro, each("", core, f+regime)...)
		}
		suite("olmo_2_generative"+regime, eval.NoAverage, each("", strings.Fields("coqa squad jeopardy naturalqs drop"), regime)...)
	}
	for _, f := range []string{":rc", ":mc", ":rc:bpb"} {
		suite("arc"+f+"::olmes:full", eval.Macro, "arc_easy"+f+"::olmes:full", "arc_challenge"+f+"::olmes:full")
		suite("basic_skills"+f+"::olmes", eval.Macro, each("basic_skills_", basicSkills, f+"::olmes")...)
		var all []string
		for _, category := range []string{"stem", "humanities", "social_sciences", "other"} {
			subjects := each("mmlu_", eval.MMLUSubjects(category), f+"::olmes")
			suite("mmlu_"+category+f+"::olmes", eval.Macro, subjects...)
			all = append(all, subjects...)
		}
		suite("mmlu"+f+"::olmes", eval.Macro, all...)
	}
	suite("mmlu::olmes", eval.Larger, "mmlu:mc::olmes", "mmlu:rc::olmes")
	for _, t := range basicSkills {
		suite("basic_skills_"+t+"::olmes", eval.Larger, "basic_skills_"+t+":mc::olmes", "basic_skills_"+t+":rc::olmes")
	}
	suite("basic_skills::olmes", eval.Macro, each("basic_skills_", basicSkills, "::olmes")...)
	for _, f := range []string{":rc", ":mc"} {
		suite("arc"+f+"::xlarge", eval.Macro, "arc_easy"+f+"::xlarge", "arc_challenge"+f+"::xlarge")
	}
	for _, regime := range []string{"::olmes", ":bpb::olmes", "::olmes:n4:v2", "::tulu"} {
		suite("minerva_math"+regime, eval.Macro, each("minerva_math_", mathTypes, regime)...)
	}
	suite("bbh:cot-v1::olmes", eval.Macro, each("bbh_", bbh, ":cot-v1::olmes")...)
	suite("bbh:cot::olmes", eval.Macro, each("bbh_", bbh, ":cot::olmes")...)
	suite("bbh:cot-v1::tulu", eval.Micro, each("bbh_", bbh, ":cot-v1::tulu")...)
	suite("agi_eval_english::olmes", eval.Macro, each("agi_eval_", agiEval, "::olmes")...)
	suite("agi_eval_english:1shot::olmes", eval.Macro, each("agi_eval_", agiEval, ":1shot::olmes")...)
	suite("mmlu_pro:mc::none", eval.Micro, each("mmlu_pro_", mmluPro, ":mc::none")...)
	suite("mmlu:mc::tulu", eval.Macro, each("mmlu_", eval.MMLUSubjects(""), ":mc::tulu")...)
	suite("mt_mbpp", eval.Macro, each("mt_mbpp:", languages, "")...)
	suite("mt_mbpp_v2fix", eval.Macro, each("mt_mbpp_v2fix:", languages, "")...)
	words("gsm_symbolic_all::olmo3:n8:v2", eval.Macro, "gsm_symbolic::olmo3:n8:v2 gsm_symbolic:p1::olmo3:n8:v2 gsm_symbolic:p2::olmo3:n8:v2")
	for _, t := range []string{"multipl_e_humaneval", "multipl_e_mbpp"} {
		suite(t+":6lang::olmo3:n32:v2", eval.Macro, each(t+":", sixLangs, "::olmo3:n32:v2")...)
	}
	suite("paloma::paloma", eval.Macro, each("paloma_", paloma, "::paloma")...)

	words("main_suite::olmo1", eval.NoAverage, `arc_challenge::olmo1 arc_easy::olmo1 boolq::olmo1 copa::olmo1 hellaswag::olmo1 openbookqa::olmo1 piqa::olmo1
		sciq::olmo1 winogrande::olmo1 truthfulqa::olmo1 gsm8k::olmo1`)
	words("olmo_2_heldout::olmes", eval.NoAverage, "agi_eval_english:1shot::olmes bbh:cot-v1::olmes gsm8k::olmes mmlu_pro:mc::none triviaqa::olmes")
	words("tulu_3_dev", eval.NoAverage, `gsm8k::tulu drop::llama3 minerva_math::tulu codex_humaneval::tulu codex_humanevalplus::tulu ifeval::tulu popqa::tulu
		mmlu:mc::tulu alpaca_eval_v2::tulu bbh:cot-v1::tulu truthfulqa::tulu`)
	suite("olmo3:base_easy:math_bpb", eval.Macro, each("minerva_math_", mathTypes, ":bpb::olmes")...)
	words("olmo3:base_easy:code_bpb", eval.Macro, "codex_humaneval:3shot:bpb::none mbpp:3shot:bpb::none mt_mbpp_v2fix")
	for _, f := range []struct{ suite, form string }{{"qa_rc", ""}, {"qa_bpb", ":bpb"}} {
		var parts []string
		for _, t := range []string{
			"arc:rc#::olmes:full", "basic_skills:rc#::olmes", "coqa:rc#::gen2mc:xlarge", "csqa:rc#::olmes:full", "drop:rc#::gen2mc:xlarge",
			"hellaswag:rc#::olmes:full", "jeopardy:rc#::gen2mc:xlarge", "lab_bench_dbqa#", "lab_bench_protocolqa#", "lambada#", "medmcqa:rc#::none",
			"medqa_en:rc#::none", "mmlu:rc#::olmes", "naturalqs:rc#::gen2mc:xlarge", "piqa:rc#::olmes:full", "qasper_yesno:rc#::olmes", "sciq:rc#::olmo3",
			"sciriff_yesno:rc#::olmes", "socialiqa:rc#::olmes:full", "squad:rc#::gen2mc:xlarge", "winogrande:rc#::olmes:full",
		} {
			parts = append(parts, strings.Replace(t, "#", f.form, 1))
		}
		suite("olmo3:base_easy:"+f.suite, eval.Macro, parts...)
	}
	words("olmo3:base:stem_qa_mc", eval.Macro, "arc:mc::xlarge mmlu_stem:mc::olmes medmcqa:mc::none medqa_en:mc::none sciq:mc::xlarge")
	suite("olmo3:base:nonstem_qa_mc", eval.Macro, append(strings.Fields("mmlu_humanities:mc::olmes mmlu_social_sciences:mc::olmes mmlu_other:mc::olmes csqa:mc::xlarge piqa:mc::xlarge socialiqa:mc::xlarge"),
		each("", genToMC, ":mc::gen2mc:xlarge")...)...)
	suite("olmo3:base:gen", eval.Macro, append(strings.Fields("hellaswag:rc::xlarge winogrande:rc::xlarge lambada basic_skills:rc::olmes"), each("", strings.Fields("drop jeopardy naturalqs squad coqa"), "::xlarge")...)...)
	words("olmo3:base:math", eval.Macro, "gsm8k::olmo3:n8:v2 gsm_symbolic_all::olmo3:n8:v2 minerva_math::olmes:n4:v2")
	words("olmo3:base:code", eval.Macro, `bigcodebench:3shot::olmo3:v2 codex_humaneval:3shot::olmo3:n32:v2 deepseek_leetcode::olmo3:n32:v2 ds1000:3shot::olmo3:v2
		mbpp:3shot::olmo3:n32:v2 multipl_e_humaneval:6lang::olmo3:n32:v2 multipl_e_mbpp:6lang::olmo3:n32:v2`)
}
