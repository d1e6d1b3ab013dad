package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	evaldata "olmo/eval/data"
)

// palomaSources are those of Paloma (Magnusson et al. 2023, arXiv:2312.10523) as its data set
// allenai/paloma calls them; the last two are not in its public part.
var palomaSources = []string{
	"4chan_meta_sep", "c4_100_domains", "c4_en", "dolma_100_programing_languages", "dolma_100_subreddits", "dolma-v1_5", "falcon-refinedweb", "gab",
	"m2d2_s2orc_unsplit", "m2d2_wikipedia_unsplit", "manosphere_meta_sep", "mc4", "ptb", "redpajama", "twitterAAE_HELM_fixed", "wikitext_103",
	"ice_fixed", "pile",
}

func init() {
	for _, source := range palomaSources {
		define(Task{
			Name: "paloma_" + source + "::paloma", Kind: Documents, Quoted: "bits_per_byte", overlap: true, Version: "1",
			About: About{Source: "Magnusson et al. 2023, arXiv:2312.10523; windows as catwalk", Data: "allenai/paloma " + source + " test"},
			Sets: func(in *Inputs) ([]*evaldata.Set, error) {
				s, err := evaldata.FindSplit(in.Data, "allenai/paloma", source, "test")
				return []*evaldata.Set{s}, err
			},
		})
	}
}

// textsOfSets asks the whole text of each row of the task's sets.
func (t *Task) textsOfSets(in *Inputs) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		sets, err := t.Sets(in)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, set := range sets {
			for r, err := range set.Rows() {
				var d *Document
				if err == nil {
					d, err = rowText(&r)
				}
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// rowText is a row with its text under the name text, and an id of its own where it has one.
func rowText(r *evaldata.Row) (*Document, error) {
	var row struct {
		ID   any `json:"id"`
		Text *string
	}
	err := json.Unmarshal(r.JSON, &row)
	if err == nil && row.Text == nil {
		err = errors.New("the row has no field text")
	}
	if err != nil {
		return nil, r.Bad(err)
	}
	d := &Document{Row: bytes.Clone(r.JSON), From: r.Place, Requests: []Request{{Form: Rolling, Continuation: *row.Text}}, Targets: []string{*row.Text}}
	if row.ID != nil {
		d.ID = fmt.Sprint(row.ID)
	}
	return d, nil
}
