package quickstart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"olmo/config"
	"olmo/data"
	"olmo/data/dedupe"
	"olmo/data/mix"
	"olmo/data/tagger"
	"olmo/store"
)

const experiment = "quickstart"

// longParagraph is the length in characters from which a repeated paragraph
// counts as a copy. Shorter ones (licence lines, "See the documentation of
// …") belong to the language of the corpus.
const longParagraph = 200

// rule is a reason to leave a document out: a jq expression over its attributes, with what
// the report calls it.
type rule struct{ reason, jq string }

// The rules' attributes.
var (
	wordCount  = value("gopher_v2__word_count")
	characters = value("gopher_v2__character_count")
	twoWords   = value("gopher_v2__fraction_of_characters_in_most_common_2grams")
	tenWords   = value("gopher_v2__fraction_of_characters_in_duplicate_10grams")
	symbols    = value("gopher_v2__symbol_to_word_ratio")
	// Writing without spaces has "words" of a whole sentence.
	spaced = value("gopher_v2__median_word_length") + ` < 15`
)

// curation is what is done to a corpus, which depends on its languages.
type curation struct {
	taggers []string // in one attribute file
	rules   []rule
	spans   []string // attributes whose spans are cut out
}

// curationOf is the curation of a corpus. Gopher's own thresholds are made for web pages;
// these keep documents of a dozen words and tables with some prose. Only from an English
// corpus other languages are taken out, and where some of the writing has no spaces the
// rules about words are for documents that have them.
func curationOf(corpus *CorpusInfo) curation {
	c := curation{
		taggers: []string{"gopher_v2", "c4_v2", "lang_id_en_doc_v1"},
		rules: []rule{
			{copyOfDocument, `.attributes.duplicate_documents | length > 0`},
			{heldOutParagraph, `([.attributes.held_out_paragraphs[]? | .[2]] | add // 0) >= 3`},
			{"fewer than 12 words", wordCount + ` < 12`},
			{"most words without a letter", value("gopher_v2__fraction_of_words_with_alpha_character") + ` < 0.5`},
			{"one pair of words over and over", twoWords + ` > 0.3`},
			{"runs of ten words repeated", tenWords + ` > 0.6`},
			{"words of symbols", symbols + ` > 0.15`},
		},
		spans: []string{duplicateParagraphs, heldOutParagraphs},
	}
	if corpus.withoutSpaces() {
		for i, r := range c.rules[2:] {
			if r.reason != "most words without a letter" {
				c.rules[2+i].jq = `(` + r.jq + `) and (` + spaced + `)`
			}
		}
		c.rules = append(c.rules, rule{"fewer than 40 characters, without spaces", `(` + characters + ` < 40) and (` + spaced + ` | not)`})
	}
	if corpus.English() {
		c.rules = append(c.rules, rule{"not in English", value("lang_id_en_doc_v1__en") + ` < 0.2`})
	} else {
		c.taggers[2] = languageTagger
	}
	return c
}

// Reasons and attributes that are named in several places.
const (
	copyOfDocument      = "copy of another document"
	heldOutParagraph    = "contains a held-out paragraph"
	duplicateParagraphs = "duplicate_paragraphs"
	heldOutParagraphs   = "held_out_paragraphs"
)

// drop leaves out what belongs to an attribute that there is none of.
func (c *curation) drop(attribute string) {
	c.spans = slices.DeleteFunc(c.spans, func(s string) bool { return s == attribute })
	if attribute == heldOutParagraphs {
		c.rules = slices.DeleteFunc(c.rules, func(r rule) bool { return r.reason == heldOutParagraph })
	}
}

// inputs are what the stage's result depends on.
func (c *curation) inputs() []string {
	in := slices.Clone(c.taggers)
	for _, r := range c.rules {
		in = append(in, r.jq)
	}
	return in
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
	// Steps are those of deduplication that found something to compare: texts of short
	// paragraphs have none that could be copies.
	Steps []string `json:"steps"`
}

// curate tags, deduplicates, decontaminates and mixes the corpus. Each step's
// configuration is kept in the folder config/, for the same step by hand.
func (q *quick) curate(ctx context.Context, corpus CorpusInfo) (curated, error) {
	var out curated
	c := curationOf(&corpus)
	execution := func(name string) data.Execution {
		q.Progress(Progress{Stage: "curate", Note: name})
		return data.Execution{Processes: threads()}
	}
	if _, err := tagger.Run(ctx, tagger.Config{
		Documents: q.corpusGlob(), Taggers: c.taggers, Experiment: experiment, Execution: execution("tag"),
	}); err != nil {
		return out, fmt.Errorf("tagging: %w", err)
	}
	var err error
	if out.Steps, err = q.deduplicate(ctx, &c, execution); err != nil {
		return out, err
	}
	cfg := q.mixConfig(&c)
	if err := q.writeConfig("mix", cfg); err != nil {
		return out, err
	}
	cfg.Execution = execution("mix")
	report, err := mix.Run(ctx, cfg)
	if errors.Is(err, data.ErrNothing) && len(report.Streams) > 0 {
		return out, c.nothingLeft(report.Streams[0])
	}
	if err != nil {
		return out, fmt.Errorf("mixing: %w", err)
	}
	s := report.Streams[0]
	out.Documents, out.Bytes = s.Kept, s.TextOut
	for _, f := range s.Shards {
		rel, err := filepath.Rel(q.Out, f)
		if err != nil {
			return out, err
		}
		out.Files = append(out.Files, filepath.ToSlash(rel))
	}
	out.Funnel = c.funnel(corpus, s)
	return out, q.writeFunnel(&c, s)
}

// deduplicate marks copies and held-out text, and returns the steps that found something
// to compare; what belongs to the others is taken out of the curation.
func (q *quick) deduplicate(ctx context.Context, c *curation, execution func(string) data.Execution) ([]string, error) {
	var done []string
	for _, s := range q.dedupeSteps() {
		if s.after != "" && !slices.Contains(done, s.after) {
			c.drop(s.cfg.Dedupe.Name)
			continue
		}
		cfg := s.cfg
		cfg.Execution = execution(s.name)
		_, err := dedupe.Run(ctx, cfg)
		if errors.Is(err, data.ErrNothing) && cfg.Dedupe.Paragraphs != nil {
			c.drop(cfg.Dedupe.Name)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		s.cfg.Processes = threads()
		if err := q.writeConfig(s.name, s.cfg); err != nil {
			return nil, err
		}
		done = append(done, s.name)
	}
	return done, nil
}

// nothingLeft says which rules removed all documents.
func (c *curation) nothingLeft(s mix.StreamReport) error {
	var why []string
	for _, r := range s.Rules {
		if i := slices.IndexFunc(c.rules, func(own rule) bool { return own.jq == r.Rule }); i >= 0 && r.Documents > 0 {
			why = append(why, fmt.Sprintf("%d %s", r.Documents, c.rules[i].reason))
		}
	}
	return textError{fmt.Errorf("none of %d documents is left (%s)\nhint: give --docs more text, in sentences", s.Documents, strings.Join(why, ", "))}
}

// funnelPage is the page of what curation removed, with examples, beside the report card.
const funnelPage = "funnel.html"

// writeFunnel writes the page, with the filters under the names that the report has for
// them.
func (q *quick) writeFunnel(c *curation, s mix.StreamReport) error {
	s.Rules = slices.Clone(s.Rules)
	for i, r := range s.Rules {
		for _, f := range c.rules {
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
	"$.attributes." + duplicateParagraphs: "paragraphs that stand elsewhere",
	"$.attributes." + heldOutParagraphs:   "held-out paragraphs",
}

// dedupeStep is one pass over the documents or the held-out text.
type dedupeStep struct {
	name  string // of its configuration
	cfg   dedupe.Config
	after string // the step whose filter it reads
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
		}, ""},
		{"dedupe-paragraphs", dedupe.Config{
			Documents: docs,
			Dedupe: dedupe.Settings{
				Name: duplicateParagraphs, MinLength: longParagraph,
				Paragraphs: &dedupe.Paragraphs{AttributeName: duplicateParagraphs, Separator: "\n\n"},
			},
			BloomFilter: dedupe.Bloom{File: q.slashed("data", "bloom", "paragraphs.bin")},
		}, ""},
		{"decontaminate-build", dedupe.Config{
			Documents: []string{q.slashed("data", HeldOutFolder, "*.jsonl.zst")},
			Dedupe: dedupe.Settings{
				Name: heldOutParagraphs, MinLength: longParagraph,
				Paragraphs: &dedupe.Paragraphs{AttributeName: heldOutParagraphs, Separator: "\n\n"},
			},
			BloomFilter: dedupe.Bloom{File: q.slashed("data", "bloom", "heldout.bin")},
		}, ""},
		{"decontaminate", dedupe.Config{
			Documents: docs,
			Dedupe: dedupe.Settings{
				Name: heldOutParagraphs, MinLength: longParagraph,
				Paragraphs: &dedupe.Paragraphs{AttributeName: heldOutParagraphs, Separator: "\n\n"},
			},
			BloomFilter: dedupe.Bloom{File: q.slashed("data", "bloom", "heldout.bin"), ReadOnly: true},
		}, "decontaminate-build"},
	}
}

// mixConfig is the configuration of the last step, which leaves documents out and cuts
// paragraphs.
func (q *quick) mixConfig(c *curation) mix.Config {
	zst, low, high := "zst", 0.5, 2.0
	stream := mix.Stream{
		Name: "curated", Documents: q.corpusGlob(),
		Attributes:  append([]string{experiment, "duplicate_documents"}, c.spans...),
		Output:      mix.Output{Path: q.slashed("data", "curated", "documents"), MaxSizeInBytes: 2 << 30, DiscardFields: []string{"attributes"}, MinTextLength: 1},
		Filter:      &mix.Filter{Syntax: "jq"},
		Compression: mix.Compression{Output: &zst},
	}
	for _, r := range c.rules {
		stream.Filter.Exclude = append(stream.Filter.Exclude, r.jq)
	}
	for _, name := range c.spans {
		stream.SpanReplacement = append(stream.SpanReplacement, mix.SpanReplacement{Span: "$.attributes." + name, MinScore: &low, MaxScore: &high, Syntax: "jsonpath"})
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
func (c *curation) funnel(corpus CorpusInfo, s mix.StreamReport) []FunnelRow {
	reasons := map[string]string{}
	for _, f := range c.rules {
		reasons[f.jq] = f.reason
	}
	rows := []FunnelRow{{Stage: "corpus", Documents: int64(corpus.Train.Documents), Bytes: corpus.Train.Bytes, Left: true}}
	for _, r := range s.Rules {
		row := FunnelRow{Stage: "filter", Reason: reasons[r.Rule], Documents: r.Documents, Bytes: r.Bytes}
		switch {
		case r.Kind == "span" && r.Rule == "$.attributes."+duplicateParagraphs:
			row.Stage, row.Reason = "deduplicate", cuts[r.Rule]+" (documents changed)"
		case r.Kind == "span":
			row.Stage, row.Reason = "decontaminate", cuts[r.Rule]+" (documents changed)"
		case row.Reason == copyOfDocument:
			row.Stage = "deduplicate"
		case row.Reason == heldOutParagraph:
			row.Stage = "decontaminate"
		case row.Reason == "":
			row.Reason = r.Kind
		}
		rows = append(rows, row)
	}
	return append(rows, FunnelRow{Stage: "curated", Documents: s.Kept, Bytes: s.TextOut, Left: true})
}
