package stage

import (
	"fmt"

	"olmo/adapt"
)

// transforms are the functions of open-instruct's dataset_transform_fn that a stage has, by what of a
// conversation they let train; filters, whose work is always done here, have none.
//
// TRANSFORM_FNS of dataset_transformation.py, e6c3044.
type transforms map[string]adapt.TrainOn

var (
	sftTransforms = transforms{
		"sft_tulu_tokenize_and_truncate_v1":       adapt.EveryAnswer,
		"last_turn_tulu_tokenize_and_truncate_v1": adapt.LastAnswer,
		"sft_tokenize_mask_out_prompt_v1":         adapt.LastAnswer,
		"sft_tokenize_v1":                         adapt.EveryTurn,
		"sft_tulu_filter_v1":                      "",
		"sft_filter_v1":                           "",
	}
	preferenceTransforms = transforms{
		"preference_tulu_tokenize_and_truncate_v1": adapt.LastAnswer,
		"preference_tulu_filter_v1":                "",
	}
	rewardTransforms = transforms{
		"preference_tokenize_v1": adapt.LastAnswer,
		"preference_filter_v1":   "",
	}
)

// trainOn is what the functions that a config names let train.
func (t transforms) trainOn(names []string) (on adapt.TrainOn, err error) {
	for _, name := range names {
		what, ok := t[name]
		switch {
		case !ok:
			return "", fmt.Errorf("dataset_transform_fn names %q, want some of %v", name, sortedKeys(t))
		case what == "":
		case on != "" && on != what:
			return "", fmt.Errorf("dataset_transform_fn names functions of which one lets %s train, another %s", on, what)
		default:
			on = what
		}
	}
	if on == "" {
		return "", fmt.Errorf("dataset_transform_fn %v tokenises nothing\nhint: leave it out", names)
	}
	return on, nil
}
