package adapt

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"olmo/eval/python"
)

// Part is one data set of a mixture, and how much of it.
type Part struct {
	Name  string
	Split string
	// Share of its rows, above 1 some of them several times; used where Rows is 0.
	Share float64
	// Rows is their number.
	Rows int
}

// trainSplit is the split of a data set that counts where none is named.
const trainSplit = "train"

// ParseMixer reads open-instruct's dataset_mixer_list: names, each with its amount behind it. An
// amount with a point is a share of the rows, one without a number of rows. splits are
// dataset_mixer_list_splits, one for each data set, or one for all; none: train.
func ParseMixer(list, splits []string) ([]Part, error) {
	if len(list)%2 != 0 {
		return nil, fmt.Errorf("dataset_mixer_list has %d entries, want a name and an amount for each data set\nhint: [data.jsonl, \"1.0\"] takes all of a file", len(list))
	}
	if len(splits) > 1 && len(splits) != len(list)/2 {
		return nil, fmt.Errorf("dataset_mixer_list_splits has %d entries for %d data sets, want one for each, or one for all", len(splits), len(list)/2)
	}
	var parts []Part
	for i := 0; i < len(list); i += 2 {
		p := Part{Name: list[i], Split: trainSplit}
		switch len(splits) {
		case 0:
		case 1:
			p.Split = splits[0]
		default:
			p.Split = splits[i/2]
		}
		var err error
		if text := list[i+1]; strings.Contains(text, ".") {
			p.Share, err = strconv.ParseFloat(text, 64)
			if err == nil && (math.IsNaN(p.Share) || math.IsInf(p.Share, 0) || p.Share <= 0) {
				err = strconv.ErrRange
			}
		} else if p.Rows, err = strconv.Atoi(text); err == nil && p.Rows <= 0 {
			err = strconv.ErrRange
		}
		if err != nil {
			return nil, fmt.Errorf("dataset_mixer_list[%d] is %q, want how much of %s to take: a share with a point such as 1.0, or a number of rows", i+1, list[i+1], p.Name)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// Of is how many rows the part takes of a data set that has so many.
func (p Part) Of(rows int) int {
	if p.Rows > 0 {
		return p.Rows
	}
	return int(p.Share * float64(rows))
}

// Pick chooses target of so many rows, by number: all of them as often as they fit, and for the
// rest some drawn by the seed, none twice.
//
// open-instruct e6c3044, dataset_transformation.py, DatasetConfig.select_samples.
func Pick(rows, target int, seed uint32) []int {
	if rows == 0 {
		return nil
	}
	var out []int
	for len(out)+rows <= target {
		for i := range rows {
			out = append(out, i)
		}
	}
	if left := target - len(out); left > 0 {
		out = append(out, python.Permutation(seed, rows)[:left]...)
	}
	return out
}

// Suspicious says what is odd about the amount, "" for nothing: "1" is one row, and "1.0" all.
func (p Part) Suspicious(rows int) string {
	if p.Rows == 0 || p.Rows > 10 || rows <= 100 {
		return ""
	}
	return fmt.Sprintf("%s: %d of its %d rows are taken\nhint: %d.0 takes them %d times", p.Name, p.Rows, rows, p.Rows, p.Rows)
}
