package quickstart

import (
	"fmt"
	"strings"

	"olmo/page"
)

// markdown is the twin of the page for those who read in a terminal.
func (r *Report) markdown() []byte {
	var m page.Markdown
	m.Line("# Report card")
	m.Line(r.headline())
	for _, section := range []func(m *page.Markdown){
		r.predictionSection, r.learningSection, r.sampleSection, r.chatSection, r.corpusSection, r.figureSection, r.checkSection, r.commandSection, r.noticeSection, r.nextSection,
	} {
		section(&m)
	}
	return []byte(m.String())
}

func (r *Report) predictionSection(m *page.Markdown) {
	m.Line("## How well it predicts")
	m.Table("|bits per byte:")
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
		m.Row(name, figure)
	}
	m.Line(fmt.Sprintf("Bits per byte of %s that the model never saw (%s bytes); less is better. The compressors are this machine's own programs on the same bytes. Every byte is charged, and the end of each text.",
		documentsInWords(r.HeldOutDocuments), page.Grouped(r.HeldOutBytes)))
	for _, text := range r.Remarks {
		m.Line(text)
	}
	if o := r.OtherDomain; o != nil {
		m.Line(fmt.Sprintf("On %s, a text unlike anything it was trained on: **%.3f** bits per byte (%s bytes).", o.Name, o.BitsPerByte, page.Grouped(o.Bytes)))
	}
	if len(r.Choices) > 0 {
		m.Table("multiple choice|questions:|right:|by chance:|scored by|requests")
		for _, c := range r.Choices {
			m.Row(c.Task, fmt.Sprint(c.Questions), fmt.Sprintf("**%.1f %%**", 100*c.Accuracy), fmt.Sprintf("%.1f %%", 100*c.Chance), c.Metric, code(c.Requests))
		}
	}
}

func (r *Report) learningSection(m *page.Markdown) {
	if len(r.Curve) == 0 {
		return
	}
	m.Line("## How it learned")
	mean := smoothed(r.Curve)
	m.Line("Loss, running mean in nats a token: `" + sparkline(mean) + "`")
	heading := "step:|loss:|learning rate:"
	if len(r.HeldOutCurve) > 0 {
		heading = "step:|loss:|on held-out text:|learning rate:"
	}
	m.Table(heading)
	rows := min(len(r.Curve), 12)
	for i := range rows {
		at := i * (len(r.Curve) - 1) / max(rows-1, 1)
		p := r.Curve[at]
		cells := []string{page.Grouped(p.Step), fmt.Sprintf("%.3f", mean[at])}
		if len(r.HeldOutCurve) > 0 {
			cells = append(cells, r.heldOutAt(p.Step))
		}
		m.Row(append(cells, fmt.Sprintf("%.3g", p.LearningRate))...)
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

func (r *Report) sampleSection(m *page.Markdown) {
	if len(r.Samples) == 0 {
		return
	}
	m.Line("## What it writes")
	for _, s := range r.orderedSamples() {
		m.Line(fmt.Sprintf("Step %d, %s, after %q:", s.Step, s.Settings, s.Prompt))
		m.Block(s.Prompt + s.Text)
	}
}

func (r *Report) chatSection(m *page.Markdown) {
	c := r.Chat
	if c == nil {
		return
	}
	m.Line("## How it answers")
	verifiers := c.VerifierNames()
	m.Table("after|reward:|" + strings.Join(verifiers, ":|") + ":")
	for _, s := range c.Stages() {
		cells := []string{s.Name, bold(fmt.Sprintf("%.3f", s.Reward.Reward))}
		for _, v := range verifiers {
			cells = append(cells, fmt.Sprintf("%.3f", s.Reward.Verifiers[v]))
		}
		m.Row(cells...)
	}
	m.Line(c.AboutRewards())
	m.Line(c.Cost())
	for _, text := range c.Remarks {
		m.Line(text)
	}
	for _, d := range c.Dialogues {
		m.Line(fmt.Sprintf("Asked %q:", d.Question))
		m.Block(d.Answer)
	}
}

func (r *Report) corpusSection(m *page.Markdown) {
	m.Line("## What it was made from")
	m.Table(r.Corpus.Name + "|documents:|bytes:")
	for _, s := range []struct {
		name string
		info SplitInfo
	}{{"to train on", r.Corpus.Train}, {"to choose settings with", r.Corpus.Tuning}, {"held out for the figures above", r.Corpus.HeldOut}} {
		m.Row(s.name, page.Grouped(s.info.Documents), page.Grouped(s.info.Bytes))
	}
	if len(r.Funnel) > 0 {
		m.Line("### What curation removed, and why")
		m.Table("stage|reason|documents:|bytes:")
		for _, f := range r.removals() {
			if f.Left {
				m.Row(bold(f.Stage), bold(f.Reason), bold(page.Grouped(f.Documents)), bold(page.Grouped(f.Bytes)))
			} else {
				m.Row(f.Stage, f.Reason, "−"+page.Grouped(f.Documents), "−"+page.Grouped(f.Bytes))
			}
		}
	}
}

func (r *Report) figureSection(m *page.Markdown) {
	m.Line("## Figures")
	m.Table("|")
	for _, f := range append(r.facts(), r.Settings...) {
		m.Row(f.Name, f.Value)
	}

	if len(r.Stages) > 0 {
		m.Line("## Where the time went")
		m.Table("stage|time:")
		for _, s := range r.Stages {
			m.Row(s.Name, duration(s.Seconds))
		}
	}
}

func (r *Report) checkSection(m *page.Markdown) {
	m.Line("## Check it")
	m.Line("The same command with the same number of steps gives the same weights on every machine, thread count and instruction set. Digest of the weights, over the names that training gives them:")
	m.Block(r.WeightsDigest)
	if r.ReleaseDigest != "" {
		m.Line("The release holds the same numbers under Hugging Face's names, which give another digest:")
		m.Block(r.ReleaseDigest)
		m.Line("`olmo check` of this folder compares the two tensor by tensor; `olmo check` of the release alone puts its tensors back under the names of training and prints both digests.")
	}
	if len(r.Files) > 0 {
		m.Table("file|what it is|bytes:|SHA-256")
		for _, f := range r.Files {
			m.Row(code(f.Path), f.What, page.Grouped(f.Bytes), code(f.SHA256))
		}
	}
}

func (r *Report) commandSection(m *page.Markdown) {
	if len(r.Commands) == 0 {
		return
	}
	m.Line("## Repeat each stage by hand")
	for _, c := range r.Commands {
		m.Line(c.Stage + ":")
		m.Block(c.Line)
	}
}

func (r *Report) nextSection(m *page.Markdown) {
	if len(r.Next) == 0 {
		return
	}
	m.Line("## What to do next")
	if r.hasFunnel {
		m.Line("What each rule of the curation removed, with examples, is in [" + funnelPage + "](" + funnelPage + ").")
	}
	for _, c := range r.Next {
		m.Line(c.Stage + ":")
		m.Block(c.Line)
	}
}

func (r *Report) noticeSection(m *page.Markdown) {
	if len(r.Notices) == 0 {
		return
	}
	m.Line("## Credits and notes")
	for _, n := range r.Notices {
		if strings.Contains(n, "\n") {
			m.Block(n)
		} else {
			m.Item(n)
		}
	}
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
