package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"olmo/adapt"
	"olmo/runlog"
)

// shownRollout is a line of rollouts.jsonl: an answer that a run of reinforcement learning has sampled.
type shownRollout struct {
	Step, Prompt, Sample int
	PromptIDs            []int32 `json:"prompt_ids"`
	ResponseIDs          []int32 `json:"response_ids"`
	LogProbs             []float64
	Text                 string
	GroundTruth          json.RawMessage `json:"ground_truth"`
	Dataset              json.RawMessage
	Score, Advantage     float64
	Finish               string
	Trained              bool
}

// isRollout tells whether a row is a line of rollouts.jsonl, by its ids.
func isRollout(line []byte) bool {
	var prompt, response bool
	return runlog.Members(line, func(key string, _ []byte) {
		prompt, response = prompt || key == "prompt_ids", response || key == "response_ids"
	}) && prompt && response
}

// showRollout prints a sample as the model read and wrote it, with what came of it.
func showRollout(out io.Writer, e *adapt.Encoder, line []byte) error {
	var r shownRollout
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	x := &adapt.Example{IDs: append(append([]int32{}, r.PromptIDs...), r.ResponseIDs...)}
	for range r.PromptIDs {
		x.Labels = append(x.Labels, adapt.Masked)
	}
	for _, id := range r.ResponseIDs {
		if !r.Trained {
			id = adapt.Masked
		}
		x.Labels = append(x.Labels, id)
	}
	does, ended := "does not train", "cut at the longest length"
	if r.Trained {
		does = "trains"
	}
	if r.Finish == "stop" {
		ended = "ended by itself"
	}
	sum := 0.0
	for _, v := range r.LogProbs {
		sum += v
	}
	text := fmt.Sprintf("%s\n--- step %d, prompt %d, sample %d: %d tokens behind a prompt of %d, %s\n--- score %g, advantage %+g: %s; log-probability %.4g a token\n",
		marked(e, x, isTerminal(out)), r.Step, r.Prompt, r.Sample, len(r.ResponseIDs), len(r.PromptIDs), ended, r.Score, r.Advantage, does, sum/float64(max(len(r.LogProbs), 1)))
	if r.Dataset != nil {
		text += fmt.Sprintf("--- %s judges against %s\n", visible(string(r.Dataset)), visible(string(r.GroundTruth)))
	}
	if e.Tokenizer.Decode(r.ResponseIDs, true) != r.Text {
		text += "--- warning: the run wrote another text for these ids: is this its tokenizer?\n"
	}
	_, err := io.WriteString(out, text)
	return err
}
