package tokens

import (
	"context"
	"iter"
	"strings"

	"olmo/data"
	"olmo/tokenizer"
)

// TokenizerConfig says what a tokenizer is trained on and how.
type TokenizerConfig struct {
	Inputs []string // files, folders and patterns; see data.TextFiles
	Output string   // the tokenizer.json, packed as its name says
	tokenizer.TrainConfig
	data.Execution
}

// TrainTokenizer trains a tokenizer on the texts of documents and returns what it wrote.
// Lines without a text go to rejects files. Nothing stands under Output that was
// not there before unless all went well.
func TrainTokenizer(ctx context.Context, cfg TokenizerConfig) ([]byte, error) {
	files, err := data.TextFiles(cfg.Inputs)
	if err != nil {
		return nil, err
	}
	unit := &data.Unit{Key: cfg.Output, Inputs: files, Outputs: []string{cfg.Output}}
	for _, f := range files {
		unit.Rejects = append(unit.Rejects, data.RejectsPath(f, "tokenizer"))
	}
	stage, err := data.Begin(data.Plan{Stage: "tokenizer", Units: []*data.Unit{unit}, Locks: []string{cfg.Output}, Again: true}, cfg.Execution)
	if err != nil {
		return nil, err
	}
	defer stage.Close()
	texts, any := counted(stage.Texts(unit, files))
	text, err := tokenizer.Train(ctx, texts, cfg.TrainConfig)
	if err != nil {
		return nil, err
	}
	if !*any {
		return nil, stage.Nothing(strings.Join(cfg.Inputs, ", ")+": there is no text to learn from", "each line of a JSONL file needs a field text")
	}
	w, err := stage.Create(unit, cfg.Output, data.CompressionOf(cfg.Output))
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := stage.Finish(unit, nil); err != nil {
		return nil, err
	}
	return text, stage.Commit()
}

// counted tells afterwards whether there was any text.
func counted(texts iter.Seq2[string, error]) (iter.Seq2[string, error], *bool) {
	any := new(bool)
	return func(yield func(string, error) bool) {
		for text, err := range texts {
			*any = *any || err == nil
			if !yield(text, err) {
				return
			}
		}
	}, any
}
