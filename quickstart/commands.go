package quickstart

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"olmo/page"
)

// commands are the lines that repeat each stage by hand, for a shell.
func (q *quick) commands(corpus *CorpusInfo, c curated, t encoded) []Command {
	p := func(elem ...string) string { return shellWord(q.slashed(elem...)) }
	config := func(name string) string { return p("config", name+".yaml") }
	dedupe := func(names ...string) string {
		var lines []string
		for _, name := range names {
			if slices.Contains(c.Steps, name) {
				lines = append(lines, fmt.Sprintf("olmo data -c %s dedupe", config(name)))
			}
		}
		return strings.Join(lines, " && ")
	}
	encode := func(documents, destination string) string {
		return fmt.Sprintf("olmo data tokens --documents %s --destination %s --tokenizer.name_or_path %s --tokenizer.eos_token_id 0 --dtype uint16",
			documents, destination, p("tokenizer", "tokenizer.json"))
	}
	curation := curationOf(corpus)
	lines := []Command{
		{"tag", fmt.Sprintf("olmo data tag --documents %s --taggers %s --experiment %s", p("data", TrainFolder, "*.jsonl.zst"), strings.Join(curation.taggers, " "), experiment)},
		{"deduplicate", dedupe("dedupe-documents", "dedupe-paragraphs")},
		{"decontaminate", dedupe("decontaminate-build", "decontaminate")},
		{"mix", fmt.Sprintf("olmo data -c %s mix", config("mix"))},
		{"tokenizer", fmt.Sprintf("olmo tokenizer train --input %s/*.jsonl.zst --vocab-size %d --pre-tokenizer %s --special-token %s --special-token %s --output %s",
			p("data", "curated", "documents"), vocabulary, preTokenizer, shellWord(endOfText), shellWord(padding), p("tokenizer", "tokenizer.json"))},
		{"tokens", encode(p("data", "curated", "documents", "*.jsonl.zst"), p("data", "tokens"))},
		{"tokens", encode(p("data", HeldOutFolder, "*.jsonl.zst"), p("data", heldOutTokens))},
		{"train", fmt.Sprintf("olmo train %s", config("train"))},
		{"evaluate", fmt.Sprintf("olmo eval --model %s --tasks bpb --end-of-text --documents %s --out eval-bpb", p("run"), p("data", HeldOutFolder, "*.jsonl.zst"))},
	}
	if corpus.English() {
		lines = append(lines, Command{"evaluate", fmt.Sprintf("olmo eval --model %s --tasks arc_easy --out eval-arc", p("run"))})
	}
	if len(corpus.Prompts) > 0 {
		lines = append(lines, Command{"generate", fmt.Sprintf("olmo generate --model %s %s", p("run"), shellWord(corpus.Prompts[0]))})
	}
	if q.Chat {
		adapt := func(stage string) Command {
			return Command{stage, fmt.Sprintf("olmo adapt %s %s", stage, p("chat", stage+".yaml"))}
		}
		lines = append(lines, adapt("sft"),
			Command{"pairs", fmt.Sprintf("olmo adapt sample --model %s --input %s --output pairs.jsonl --keep pairs --min-score %g --completions %d --max-tokens %d --temperature 1 --top-p 0 --seed %d",
				p("chat", "sft"), p("chat", "data", "asked.jsonl"), pairScore, pairEach, chatAnswer, chatSeed+1)},
			adapt("dpo"), adapt("grpo"))
	}
	lines = append(lines,
		Command{"release", fmt.Sprintf("olmo convert --from %s --to hf --out release", p("run"))},
		Command{"check", fmt.Sprintf("olmo check %s", p())})
	return slices.DeleteFunc(lines, func(c Command) bool { return c.Line == "" })
}

// next is what one can do with what was made.
func (q *quick) next(r *Report) []Command {
	p := func(elem ...string) string { return shellWord(q.slashed(elem...)) }
	lines := []Command{
		{"Let it go on with a text", r.Try(q.Out)},
		{"Watch how it learned, and what each step read", r.Watch(q.slashed())},
		{"Train longer on the same text, from where it stands", q.longer(r)},
		{"See the text of a step", fmt.Sprintf("olmo data order %s --step %d --text", p("run"), max(1, r.Steps/2))},
		{"See how it reads, token by token", fmt.Sprintf("olmo logits --model %s --text %s --html reading.html", p(), shellWord(r.prompt()))},
		{"Take it elsewhere, as one file for llama.cpp", fmt.Sprintf("olmo convert --from %s --to gguf --out model.gguf", p())},
		{"Check every file against this card", "olmo check " + p()},
		{"Give all of it away, as a folder that anybody can check and repeat", fmt.Sprintf("olmo release %s --out my-model --name lab/my-model", p())},
	}
	if q.Chat {
		lines = append(lines, Command{"Talk with it, about what it has learned to answer", r.Talk(q.Out)})
	} else {
		lines = append(lines, Command{"Make a model of it that answers", "olmo quickstart --chat --out " + p()})
	}
	if len(r.Corpus.Languages) == 0 { // none of the user's own text
		lines = append(lines, Command{"Make a model of your own text", "olmo quickstart --docs FOLDER --out mine"})
	}
	return lines
}

// Try is the command that has the model below out go on with a text like its corpus, for
// a shell.
func (r *Report) Try(out string) string {
	return fmt.Sprintf("olmo generate --model %s %s", shellWord(out), shellWord(r.prompt()))
}

// Watch is the command that shows the run below out, for a shell.
func (r *Report) Watch(out string) string { return "olmo dashboard " + shellWord(out) }

// Talk is the command that talks with the adapted model below out, for a shell.
func (r *Report) Talk(out string) string {
	return "olmo chat --model " + shellWord(filepath.ToSlash(filepath.Join(out, "chat")))
}

// prompt is the first of the model's prompts.
func (r *Report) prompt() string {
	if len(r.Corpus.Prompts) == 0 {
		return "The"
	}
	return r.Corpus.Prompts[0]
}

// remarks say what a reader would wonder about: the model behind a compressor, and what
// was left out of the judging.
func (q *quick) remarks(r *Report, p planned, t encoded) []string {
	out := []string{}
	if names := r.ahead(); len(names) > 0 {
		verb := "predicts"
		if len(names) > 1 {
			verb = "predict"
		}
		out = append(out, fmt.Sprintf("%s %s this text better than the model. %s", inList(names), verb, q.why(r, p, t)))
	}
	var less []string
	if n := p.Judge.HeldOut; n > 0 && n < r.Corpus.HeldOut.Documents {
		less = append(less, fmt.Sprintf("on the first %d of %d held-out documents", r.HeldOutDocuments, r.Corpus.HeldOut.Documents))
	}
	if n := p.Judge.Choices; n > 0 && len(r.Choices) > 0 {
		less = append(less, fmt.Sprintf("by the first %d of the questions", r.Choices[0].Questions))
	}
	if p.Judge.NoOther {
		less = append(less, "on no text of another kind")
	}
	if len(less) > 0 {
		out = append(out, "To keep to the time it was judged "+inList(less)+".")
	}
	return out
}

// ahead are the compressors that need fewer bits than the model.
func (r *Report) ahead() []string {
	var names []string
	for _, c := range r.comparisons() {
		if !c.model && c.bits != nil && *c.bits < r.BitsPerByte {
			names = append(names, c.name)
		}
	}
	return names
}

// why is the likely reason for a model behind a compressor, and what to do.
func (q *quick) why(r *Report, p planned, t encoded) string {
	const (
		manyTimes = 20      // that a text was read
		littleOf  = 500_000 // bytes
	)
	times := float64(r.Tokens) / float64(max(t.Tokens, 1))
	switch longer := q.longer(r); {
	case p.Few != "":
		return fmt.Sprintf("It was trained for only %d steps, which is what the time allowed: %s goes on from here.", r.Steps, longer)
	case r.Steps < fairSteps:
		return fmt.Sprintf("It was trained for only %d steps: %s goes on from here.", r.Steps, longer)
	case times > manyTimes && t.Bytes < littleOf:
		return fmt.Sprintf("It has read its %s bytes of text %.0f times and learns them by heart: more text helps, not more steps.", page.Grouped(t.Bytes), times)
	case r.Corpus.HeldOut.Bytes < 20_000:
		return fmt.Sprintf("The held-out text is only %s bytes, on which the figures say little: more text helps.", page.Grouped(r.Corpus.HeldOut.Bytes))
	default:
		return fmt.Sprintf("After %d steps it is still learning: %s goes on from here.", r.Steps, longer)
	}
}

// longer is the command that trains on in the same folder.
func (q *quick) longer(r *Report) string {
	return fmt.Sprintf("olmo quickstart --out %s --steps %d", shellWord(q.slashed()), max(4*r.Steps, 2*fairSteps))
}

// inList joins words as a sentence does.
func inList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// shellWord writes a text as one word of a shell's command, in single quotes where it has
// anything that a shell would read. Patterns may be quoted where the command expands them.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:,+@%", r) || r > unicode.MaxASCII && unicode.IsLetter(r)
	}
	if s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
