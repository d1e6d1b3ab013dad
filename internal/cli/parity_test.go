package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// generationConfig are the settings of Transformers 5.24's GenerationConfig (generation/configuration_utils.py).
const generationConfig = `max_length max_new_tokens min_length min_new_tokens early_stopping max_time stop_strings do_sample num_beams use_mtp use_cache
cache_implementation cache_config max_cache_len temperature top_k top_p min_p top_h typical_p epsilon_cutoff eta_cutoff repetition_penalty
encoder_repetition_penalty length_penalty no_repeat_ngram_size bad_words_ids renormalize_logits forced_bos_token_id forced_eos_token_id
remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens sequence_bias token_healing guidance_scale
watermarking_config num_return_sequences output_attentions output_hidden_states output_scores output_logits return_dict_in_generate pad_token_id
bos_token_id eos_token_id encoder_no_repeat_ngram_size decoder_start_token_id is_assistant num_assistant_tokens num_assistant_tokens_schedule
assistant_confidence_threshold prompt_lookup_num_tokens max_matching_ngram_size assistant_early_exit assistant_lookbehind target_lookbehind
assistant_ensemble_weight speculation_type compile_config disable_compile continuous_batching_config low_memory penalty_alpha dola_layers
diversity_penalty num_beam_groups constraints force_words_ids prefill_chunk_size`

// samplingParams are the settings of vLLM's SamplingParams (sampling_params.py, 00388f6).
const samplingParams = `n presence_penalty frequency_penalty repetition_penalty temperature top_p top_k min_p seed stop stop_token_ids ignore_eos
max_tokens min_tokens logprobs prompt_logprobs prompt_logprob_token_ids prompt_logprob_start logprob_token_ids flat_logprobs detokenize
skip_special_tokens spaces_between_special_tokens include_stop_str_in_output output_kind stream_interval skip_clone structured_outputs logit_bias
allowed_token_ids extra_args bad_words skip_reading_prefix_cache thinking_token_budget repetition_detection routed_experts_prompt_start
trace_decode_token_ids`

// TestOtherPrograms holds the table of other programs' settings in docs/inference.md to the flags that there are: each
// flag of generate that settles an answer is in it, and each flag of it is one; and each setting of Transformers and
// vLLM stands in the section.
func TestOtherPrograms(t *testing.T) {
	text, err := os.ReadFile("../../docs/inference.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Other programs' settings\n")
	if !ok {
		t.Fatal("docs/inference.md has no section about other programs' settings")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	name, flag := regexp.MustCompile("`([^`]+)`"), regexp.MustCompile(`^--([a-z-]+)`)
	flags := newGenerateCommand().Flags()
	listed := map[string]bool{}
	for line := range strings.Lines(section) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `--") {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(cell, -1) {
			f := flag.FindStringSubmatch(m[1])
			if f == nil {
				continue
			}
			if prefix, all := strings.CutSuffix(m[1], "…"); all {
				flags.VisitAll(func(f *pflag.Flag) {
					if strings.HasPrefix("--"+f.Name, prefix) {
						listed[f.Name] = true
					}
				})
				continue
			}
			if flags.Lookup(f[1]) == nil {
				t.Errorf("olmo generate has no --%s, which the table lists", f[1])
			}
			listed[f[1]] = true
		}
	}
	// What no other program has, and what is no setting of an answer.
	ours := strings.Fields("base help ignore-extra model output precision quantize strict tokenizer")
	flags.VisitAll(func(f *pflag.Flag) {
		if !listed[f.Name] && !slices.Contains(ours, f.Name) {
			t.Errorf("the table of other programs' settings lacks --%s", f.Name)
		}
	})
	for program, settings := range map[string]string{"Transformers": generationConfig, "vLLM": samplingParams} {
		for _, s := range strings.Fields(settings) {
			if !regexp.MustCompile("`"+s+"[`:]").MatchString(section) && !slices.ContainsFunc(name.FindAllStringSubmatch(section, -1), func(m []string) bool {
				prefix, all := strings.CutSuffix(m[1], "…")
				return all && strings.HasPrefix(s, prefix)
			}) {
				t.Errorf("%s of %s is neither in the table nor left out by name", s, program)
			}
		}
	}
}
