package quickstart

import (
	"fmt"
	"strings"
)

// markdown is the twin of the page for those who read in a terminal.
func (r *Report) markdown() []byte {
	var m markdown
	m.line("# Report card")
	m.line(r.headline())
	for _, section := range []func(m *markdown){
		r.predictionSection, r.learningSection, r.sampleSection, r.corpusSection, r.figureSection, r.checkSection, r.commandSection, r.noticeSection, r.nextSection,
	} {
		section(&m)
	}
	return []byte(m.String())
}

func (r *Report) predictionSection(m *markdown) {
	m.line("## How well it predicts")
	m.table("|bits per byte:")
	for _, c := range r.comparisons() {
		figure := "–"
		if c.bits != nil {
			figure = fmt.Sprintf("%.3f", *c.bits)
		}
		name := c.name
		if c.note != "" {
			name += " (" + c.note + ")"
		}
		if c.model {
			name, figure = bold(name), bold(figure)
		}
		m.row(name, figure)
	}
	m.line(fmt.Sprintf("Bits per byte of %s that the model never saw (%s bytes); less is better. The compressors are this machine's own programs on the same bytes. Every byte is charged, and the end of each text.",
		documentsInWords(r.HeldOutDocuments), grouped(r.HeldOutBytes)))
	for _, text := range r.Remarks {
		m.line(text)
	}
	if o := r.OtherDomain; o != nil {
		m.line(fmt.Sprintf("On %s, a text unlike anything it was trained on: **%.3f** bits per byte (%s bytes).", o.Name, o.BitsPerByte, grouped(o.Bytes)))
	}
	if len(r.Choices) > 0 {
		m.table("multiple choice|questions:|right:|by chance:|scored by|requests")
		for _, c := range r.Choices {
			m.row(c.Task, fmt.Sprint(c.Questions), fmt.Sprintf("**%.1f %%**", 100*c.Accuracy), fmt.Sprintf("%.1f %%", 100*c.Chance), c.Metric, code(c.Requests))
		}
	}
}

func (r *Report) learningSection(m *markdown) {
	if len(r.Curve) == 0 {
		return
	}
	m.line("## How it learned")
	mean := smoothed(r.Curve)
	m.line("Loss, running mean in nats a token: `" + sparkline(mean) + "`")
	heading := "step:|loss:|learning rate:"
	if len(r.HeldOutCurve) > 0 {
		heading = "step:|loss:|on held-out text:|learning rate:"
	}
	m.table(heading)
	rows := min(len(r.Curve), 12)
	for i := range rows {
		at := i * (len(r.Curve) - 1) / max(rows-1, 1)
		p := r.Curve[at]
		cells := []string{grouped(int64(p.Step)), fmt.Sprintf("%.3f", mean[at])}
		if len(r.HeldOutCurve) > 0 {
			cells = append(cells, r.heldOutAt(p.Step))
		}
		m.row(append(cells, fmt.Sprintf("%.3g", p.LearningRate))...)
	}
}

// heldOutAt is the last held-out loss up to a step.
func (r *Report) heldOutAt(step int) string {
	text := "–"
	for _, p := range r.HeldOutCurve {
		if p.Step <= step {
			text = fmt.Sprintf("%.3f", p.Loss)
		}
	}
	return text
}

func (r *Report) sampleSection(m *markdown) {
	if len(r.Samples) == 0 {
		return
	}
	m.line("## What it writes")
	for _, s := range r.orderedSamples() {
		m.line(fmt.Sprintf("Step %d, %s, after %q:", s.Step, s.Settings, s.Prompt))
		m.block(s.Prompt + s.Text)
	}
}

func (r *Report) corpusSection(m *markdown) {
	m.line("## What it was made from")
	m.table(r.Corpus.Name + "|documents:|bytes:")
	for _, s := range []struct {
		name string
		info SplitInfo
	}{{"to train on", r.Corpus.Train}, {"to choose settings with", r.Corpus.Tuning}, {"held out for the figures above", r.Corpus.HeldOut}} {
		m.row(s.name, grouped(int64(s.info.Documents)), grouped(s.info.Bytes))
	}
	if len(r.Funnel) > 0 {
		m.line("### What curation removed, and why")
		m.table("stage|reason|documents:|bytes:")
		for _, f := range r.removals() {
			if f.Left {
				m.row(bold(f.Stage), bold(f.Reason), bold(grouped(f.Documents)), bold(grouped(f.Bytes)))
			} else {
				m.row(f.Stage, f.Reason, "−"+grouped(f.Documents), "−"+grouped(f.Bytes))
			}
		}
	}
}

func (r *Report) figureSection(m *markdown) {
	m.line("## Figures")
	m.table("|")
	for _, f := range append(r.facts(), r.Settings...) {
		m.row(f.Name, f.Value)
	}

	if len(r.Stages) > 0 {
		m.line("## Where the time went")
		m.table("stage|time:")
		for _, s := range r.Stages {
			m.row(s.Name, duration(s.Seconds))
		}
	}
}

func (r *Report) checkSection(m *markdown) {
	m.line("## Check it")
	m.line("The same command with the same number of steps gives the same weights on every machine, thread count and instruction set. Digest of the weights, over the names that training gives them:")
	m.block(r.WeightsDigest)
	if r.ReleaseDigest != "" {
		m.line("The release holds the same numbers under Hugging Face's names, which give another digest:")
		m.block(r.ReleaseDigest)
		m.line("`olmo check` of this folder compares the two tensor by tensor; `olmo check` of the release alone puts its tensors back under the names of training and prints both digests.")
	}
	if len(r.Files) > 0 {
		m.table("file|what it is|bytes:|SHA-256")
		for _, f := range r.Files {
			m.row(code(f.Path), f.What, grouped(f.Bytes), code(f.SHA256))
		}
	}
}

func (r *Report) commandSection(m *markdown) {
	if len(r.Commands) == 0 {
		return
	}
	m.line("## Repeat each stage by hand")
	for _, c := range r.Commands {
		m.line(c.Stage + ":")
		m.block(c.Line)
	}
}

func (r *Report) nextSection(m *markdown) {
	if len(r.Next) == 0 {
		return
	}
	m.line("## What to do next")
	if r.hasFunnel {
		m.line("What each rule of the curation removed, with examples, is in [" + funnelPage + "](" + funnelPage + ").")
	}
	for _, c := range r.Next {
		m.line(c.Stage + ":")
		m.block(c.Line)
	}
}

func (r *Report) noticeSection(m *markdown) {
	if len(r.Notices) == 0 {
		return
	}
	m.line("## Credits and notes")
	for _, n := range r.Notices {
		if strings.Contains(n, "\n") {
			m.block(n)
		} else {
			m.item(n)
		}
	}
}

// markdown builds a document of blocks with an empty line between them.
type markdown struct {
	strings.Builder
	open bool // within a list
}

// line writes a paragraph or heading.
func (m *markdown) line(text string) {
	m.separate()
	m.WriteString(text + "\n")
}

func (m *markdown) separate() {
	m.open = false
	if m.Len() > 0 {
		m.WriteByte('\n')
	}
}

// item writes an entry of a list.
func (m *markdown) item(text string) {
	if !m.open {
		m.separate()
		m.open = true
	}
	m.WriteString("- " + text + "\n")
}

// table begins a table; a colon after a heading makes its column numbers.
func (m *markdown) table(headings string) {
	m.separate()
	names := strings.Split(headings, "|")
	rule := make([]string, len(names))
	for i, name := range names {
		var number bool
		if names[i], number = strings.CutSuffix(name, ":"); number {
			rule[i] = "--:"
		} else {
			rule[i] = "---"
		}
	}
	m.row(names...)
	m.WriteString("|" + strings.Join(rule, "|") + "|\n")
}

func (m *markdown) row(cells ...string) {
	escape := strings.NewReplacer("|", `\|`, "\n", " ")
	for i := range cells {
		cells[i] = escape.Replace(cells[i])
	}
	m.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// block writes text as it is, in a fence longer than any in it.
func (m *markdown) block(text string) {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	m.line(fence + "\n" + strings.TrimRight(text, " \n\t") + "\n" + fence)
}

func bold(text string) string {
	if text == "" {
		return ""
	}
	return "**" + text + "**"
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// sparkline draws values as 40 blocks of eight heights.
func sparkline(values []float64) string {
	low, high := values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	var line []rune
	count := min(len(values), 40)
	for i := range count {
		v := values[i*(len(values)-1)/max(count-1, 1)]
		level := 0
		if high > low {
			level = int(7.999 * (v - low) / (high - low))
		}
		line = append(line, []rune("▁▂▃▄▅▆▇█")[level])
	}
	return string(line)
}
