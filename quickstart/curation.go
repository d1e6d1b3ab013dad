package quickstart

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"olmo/config"
	"olmo/data"
	"olmo/data/dedupe"
	"olmo/data/mix"
	"olmo/data/tagger"
	"olmo/store"
)

// The taggers of the curation, in one attribute file.
var taggers = []string{"gopher_v2", "c4_v2", "lang_id_en_doc_v1"}

const experiment = "quickstart"

// longParagraph is the length in characters from which a repeated paragraph
// counts as a copy. Shorter ones (licence lines, "See the documentation of
// …") belong to the language of the corpus.
const longParagraph = 200

// filters are the reasons to leave a document out: jq expressions over its
// attributes, with what the report calls them. Gopher's own thresholds are made for web
// pages; these keep documents of a dozen words and tables with some prose.
var filters = []struct{ reason, jq string }{
	{"copy of another document", `.attributes.duplicate_documents | length > 0`},
	{"contains a held-out paragraph", `([.attributes.held_out_paragraphs[]? | .[2]] | add // 0) >= 3`},
	{"fewer than 12 words", value("gopher_v2__word_count") + ` < 12`},
	{"most words without a letter", value("gopher_v2__fraction_of_words_with_alpha_character") + ` < 0.5`},
	{"one pair of words over and over", value("gopher_v2__fraction_of_characters_in_most_common_2grams") + ` > 0.3`},
	{"runs of ten words repeated", value("gopher_v2__fraction_of_characters_in_duplicate_10grams") + ` > 0.6`},
	{"words of symbols", value("gopher_v2__symbol_to_word_ratio") + ` > 0.15`},
	{"not in English", value("lang_id_en_doc_v1__en") + ` < 0.2`},
}

// value reads a document's score; an absent one fails no rule.
func value(key string) string {
	return fmt.Sprintf(`(.attributes.%s__%s[0][2] // 0.5)`, experiment, key)
}

// curated is the result of the curation.
type curated struct {
	Files     []string    `json:"files"` // slashed, below the output folder
	Documents int64       `json:"documents"`
	Bytes     int64       `json:"bytes"`
	Funnel    []FunnelRow `json:"funnel"`
}

// curate tags, deduplicates, decontaminates and mixes the corpus. Each step's
// configuration is kept in the folder config/, for the same step by hand.
func (q *quick) curate(ctx context.Context, corpus CorpusInfo) (curated, error) {
	var out curated
	execution := func(name string) data.Execution {
		q.Progress(Progress{Stage: name})
		return data.Execution{Processes: threads()}
	}
	if _, err := tagger.Run(ctx, tagger.Config{
		Documents: q.corpusGlob(), Taggers: taggers, Experiment: experiment, Execution: execution("tag"),
	}); err != nil {
		return out, fmt.Errorf("tagging: %w", err)
	}
	for _, s := range q.dedupeSteps() {
		s.cfg.Processes = threads()
		if err := q.writeConfig(s.name, s.cfg); err != nil {
			return out, err
		}
		s.cfg.Execution = execution(s.name)
		if _, err := dedupe.Run(ctx, s.cfg); err != nil {
			return out, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	cfg := q.mixConfig()
	if err := q.writeConfig("mix", cfg); err != nil {
		return out, err
	}
	cfg.Execution = execution("mix")
	report, err := mix.Run(ctx, cfg)
	if err != nil {
		return out, fmt.Errorf("mixing: %w", err)
	}
	s := report.Streams[0]
	if s.Kept == 0 {
		return out, fmt.Errorf("curation left none of %d documents\nhint: give more text, or text in English; the rules are in %s", s.Documents, q.path("config", "mix.yaml"))
	}
	out.Documents, out.Bytes = s.Kept, s.TextOut
	for _, f := range s.Shards {
		rel, err := filepath.Rel(q.Out, f)
		if err != nil {
			return out, err
		}
		out.Files = append(out.Files, filepath.ToSlash(rel))
	}
	out.Funnel = funnel(corpus, s)
	return out, q.writeFunnel(s)
}

// funnelPage is the page of what curation removed, with examples, beside the report card.
const funnelPage = "funnel.html"

// writeFunnel writes the page, with the filters under the names that the report has for
// them.
func (q *quick) writeFunnel(s mix.StreamReport) error {
	s.Rules = slices.Clone(s.Rules)
	for i, r := range s.Rules {
		for _, f := range filters {
			if f.jq == r.Rule {
				s.Rules[i].Name = f.reason
			}
		}
		if name := cuts[r.Rule]; name != "" {
			s.Rules[i].Name = name
		}
	}
	var page bytes.Buffer
	if err := (&mix.Report{Streams: []mix.StreamReport{s}}).WriteHTML(&page); err != nil {
		return err
	}
	return store.WriteFile(q.path(funnelPage), page.Bytes())
}

// cuts are the spans that are cut from texts, in words.
var cuts = map[string]string{
	"$.attributes.duplicate_paragraphs": "paragraphs that stand elsewhere",
	"$.attributes.held_out_paragraphs":  "held-out paragraphs",
}

// dedupeStep is one pass over the documents or the held-out text.
type dedupeStep struct {
	name string // of its configuration
	cfg  dedupe.Config
}

// corpusGlob names the documents to train on.
func (q *quick) corpusGlob() []string { return []string{q.slashed("data", TrainFolder, "*.jsonl.zst")} }

// dedupeSteps are the configurations of deduplication and decontamination, in order.
func (q *quick) dedupeSteps() []dedupeStep {
	docs := q.corpusGlob()
	return []dedupeStep{
		{"dedupe-documents", dedupe.Config{
			Documents:   docs,
			Dedupe:      dedupe.Settings{Name: "duplicate_documents", Documents: &dedupe.Documents{AttributeName: "duplicate_documents", Key: "$.text"}, SkipEmpty: true},
			BloomFilter: dedupe.Bloom{File: q.slashed("data", "bloom", "documents.bin")},
		}},
		{"dedupe-paragraphs", dedupe.Config{
			Documents: docs,
			Dedupe: dedupe.Settings{
				Name: "duplicate_paragraphs", MinLength: longParagraph,
				Paragraphs: &dedupe.Paragraphs{AttributeName: "duplicate_paragraphs", Separator: "\n\n"},
			},
			BloomFilter: dedupe.Bloom{File: q.slashed("data", "bloom", "paragraphs.bin")},
		}},
		{"decontaminate-build", dedupe.Config{
			Documents: []string{q.slashed("data", HeldOutFolder, "*.jsonl.zst")},
			Dedupe: dedupe.Settings{
				Name: "held_out_paragraphs", MinLength: longParagraph,
				Paragraphs: &dedupe.Paragraphs{AttributeName: "held_out_paragraphs", Separator: "\n\n"},
			},
			BloomFilter: dedupe.Bloom{File: q.slashed("data", "bloom", "heldout.bin")},
		}},
		{"decontaminate", dedupe.Config{
			Documents: docs,
			Dedupe: dedupe.Settings{
				Name: "held_out_paragraphs", MinLength: longParagraph,
				Paragraphs: &dedupe.Paragraphs{AttributeName: "held_out_paragraphs", Separator: "\n\n"},
			},
			BloomFilter: dedupe.Bloom{File: q.slashed("data", "bloom", "heldout.bin"), ReadOnly: true},
		}},
	}
}

// mixConfig is the configuration of the last step, which leaves documents out and cuts
// paragraphs.
func (q *quick) mixConfig() mix.Config {
	zst, low, high := "zst", 0.5, 2.0
	stream := mix.Stream{
		Name: "curated", Documents: q.corpusGlob(),
		Attributes: []string{experiment, "duplicate_documents", "duplicate_paragraphs", "held_out_paragraphs"},
		Output:     mix.Output{Path: q.slashed("data", "curated", "documents"), MaxSizeInBytes: 2 << 30, DiscardFields: []string{"attributes"}, MinTextLength: 1},
		Filter:     &mix.Filter{Syntax: "jq"},
		SpanReplacement: []mix.SpanReplacement{
			{Span: "$.attributes.duplicate_paragraphs", MinScore: &low, MaxScore: &high, Syntax: "jsonpath"},
			{Span: "$.attributes.held_out_paragraphs", MinScore: &low, MaxScore: &high, Syntax: "jsonpath"},
		},
		Compression: mix.Compression{Output: &zst},
	}
	for _, f := range filters {
		stream.Filter.Exclude = append(stream.Filter.Exclude, f.jq)
	}
	return mix.Config{Streams: []mix.Stream{stream}, Shuffle: true, Execution: data.Execution{Processes: threads()}}
}

// slashed is a path below the output folder as the data stages' configurations have it.
func (q *quick) slashed(elem ...string) string { return filepath.ToSlash(q.path(elem...)) }

// writeConfig keeps the configuration of a step by hand in config/. Its paths start at
// that folder, so that a quickstart folder that was moved or copied means itself.
func (q *quick) writeConfig(name string, cfg any) error {
	return config.WriteBeside(q.path("config", name+".yaml"), cfg, q.slashed("data"), q.slashed("run"), q.slashed("tokenizer"))
}

// funnel turns the mixer's counts into the report's table.
func funnel(corpus CorpusInfo, s mix.StreamReport) []FunnelRow {
	reasons := map[string]string{}
	for _, f := range filters {
		reasons[f.jq] = f.reason
	}
	rows := []FunnelRow{{Stage: "corpus", Documents: int64(corpus.Train.Documents), Bytes: corpus.Train.Bytes, Left: true}}
	for _, r := range s.Rules {
		row := FunnelRow{Stage: "filter", Reason: reasons[r.Rule], Documents: r.Documents, Bytes: r.Bytes}
		switch {
		case r.Kind == "span" && r.Rule == "$.attributes.duplicate_paragraphs":
			row.Stage, row.Reason = "deduplicate", cuts[r.Rule]+" (documents changed)"
		case r.Kind == "span":
			row.Stage, row.Reason = "decontaminate", cuts[r.Rule]+" (documents changed)"
		case row.Reason == "copy of another document":
			row.Stage = "deduplicate"
		case row.Reason == "contains a held-out paragraph":
			row.Stage = "decontaminate"
		case row.Reason == "":
			row.Reason = r.Kind
		}
		rows = append(rows, row)
	}
	return append(rows, FunnelRow{Stage: "curated", Documents: s.Kept, Bytes: s.TextOut, Left: true})
}
