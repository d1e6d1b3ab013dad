package quickstart

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"olmo/data"
	"olmo/page"
)

// Report is everything that a run has to tell. Write makes the report card of
// it: report.json for programs, report.html and report.md for readers.
//
// The promised keys of report.json (CLI.md) are the tags of the first block;
// a figure that the machine could not measure is nil there and null in JSON.
type Report struct {
	BitsPerByte     float64  `json:"bits_per_byte"` // held-out text, end of text charged
	GzipBitsPerByte *float64 `json:"gzip_bits_per_byte"`
	XzBitsPerByte   *float64 `json:"xz_bits_per_byte"`
	ZstdBitsPerByte *float64 `json:"zstd_bits_per_byte"`
	TokensPerSecond float64  `json:"tokens_per_second"` // in training
	Parameters      int64    `json:"parameters"`
	Tokens          int64    `json:"tokens"` // trained on, repeats counted
	WeightsDigest   string   `json:"weights_digest"`
	// ReleaseDigest is that of the same weights as the release has them, under
	// Hugging Face's names. olmo check finds both in the release.
	ReleaseDigest string `json:"release_weights_digest"`

	Steps             int      `json:"steps"`
	FinalLoss         float64  `json:"final_loss"` // nats a token, mean of the last steps
	FLOPs             float64  `json:"flops"`      // of training, forward and backward
	PeakFLOPsASecond  *float64 `json:"peak_flops_per_second"`
	MFU               *float64 `json:"mfu"` // share of the peak, 0 to 1
	EnergyJoules      *float64 `json:"energy_joules"`
	EnergyMethod      string   `json:"energy_method,omitempty"` // how it was estimated
	Precision         string   `json:"precision"`               // of training
	TrainingSeconds   float64  `json:"training_seconds"`
	TotalSeconds      float64  `json:"total_seconds"`
	PeakMemoryBytes   int64    `json:"peak_memory_bytes,omitempty"`
	HeldOutTokens     int64    `json:"held_out_tokens"` // judged, with the documents and bytes
	HeldOutDocuments  int      `json:"held_out_documents"`
	HeldOutBytes      int64    `json:"held_out_bytes"`
	TuningBitsPerByte *float64 `json:"tuning_bits_per_byte"`
	// OtherDomain is the figure on a text of another kind; nil without one.
	OtherDomain *OtherDomain `json:"other_domain"`
	// Chat is what became of the model that was adapted to conversations; nil where none was.
	Chat *Chat `json:"chat,omitempty"`

	Version  string       `json:"version"` // of this program
	Machine  Machine      `json:"machine"`
	Corpus   CorpusInfo   `json:"corpus"`
	Funnel   []FunnelRow  `json:"funnel"`
	Settings []Setting    `json:"settings"` // tokenizer, model, optimiser, in reading order
	Curve    []CurvePoint `json:"curve"`
	// HeldOutCurve is the loss on a part of the held-out text, during training.
	HeldOutCurve []LossPoint    `json:"held_out_curve"`
	Choices      []ChoiceResult `json:"multiple_choice"`
	Samples      []Sample       `json:"samples"`
	Stages       []StageTime    `json:"stages"`
	Files        []Artefact     `json:"artefacts"`
	Pages        []Artefact     `json:"pages"` // of this report; Write fills it
	Commands     []Command      `json:"commands"`
	Next         []Command      `json:"next"`    // what one can do with the model
	Remarks      []string       `json:"remarks"` // on the figures, in sentences
	Notices      []string       `json:"notices"` // credits and warnings, in sentences

	// Compressors are the figures of the first block with their names and what
	// is recorded of other machines.
	Compressors []Compressed `json:"-"`
	hasFunnel   bool         // the page of what curation removed is there
}

// Machine is where the run took place.
type Machine struct {
	CPU     string `json:"cpu"`
	Kernels string `json:"kernels"` // avx512bf16, avx512vnni, avx512, avx2, neondot, neon, generic
	Threads int    `json:"threads"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Go      string `json:"go"`
}

// OtherDomain is the model's figure on a text that is unlike its corpus.
type OtherDomain struct {
	Name        string  `json:"name"`
	Bytes       int64   `json:"bytes"`
	BitsPerByte float64 `json:"bits_per_byte"`
}

// FunnelRow is one thing that curation removed, or with no reason the count
// after a stage. Rows stand in the order of the stages.
type FunnelRow struct {
	Stage     string `json:"stage"`
	Reason    string `json:"reason"` // why, in a few words
	Documents int64  `json:"documents"`
	Bytes     int64  `json:"bytes"`
	// Left tells that the counts are of what is left, not of what was removed.
	Left bool `json:"left"`
}

// Setting is a choice of the run that a reader wants to see.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// CurvePoint is one step of training.
type CurvePoint struct {
	Step         int     `json:"step"`
	Loss         float64 `json:"loss"` // nats a token
	LearningRate float64 `json:"learning_rate"`
}

// LossPoint is the loss on a text after a step.
type LossPoint struct {
	Step int     `json:"step"`
	Loss float64 `json:"loss"` // nats a token
}

// ChoiceResult is the score on a multiple-choice task.
type ChoiceResult struct {
	Task      string  `json:"task"`
	Questions int     `json:"questions"`
	Accuracy  float64 `json:"accuracy"` // 0 to 1
	Chance    float64 `json:"chance"`   // what guessing would score
	Metric    string  `json:"metric"`   // such as "acc per byte"
	Requests  string  `json:"requests"` // file with every request and score
}

// Sample is a text that the model wrote.
type Sample struct {
	Step     int    `json:"step"` // of the checkpoint; the last one's are shown first
	Prompt   string `json:"prompt"`
	Text     string `json:"text"`
	Settings string `json:"settings"` // greedy, temperature 0.8, …
}

// StageTime is how long a stage took.
type StageTime struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// Artefact is a file of the run that can be checked.
type Artefact struct {
	Path   string `json:"path"` // slashed, below the output folder
	What   string `json:"what"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Command is a line that repeats one stage by hand.
type Command struct {
	Stage string `json:"stage"`
	Line  string `json:"line"`
}

// SetCompressors fills the compressors' figures from Compress's results.
func (r *Report) SetCompressors(results []Compressed) {
	r.Compressors = results
	for _, c := range results {
		switch c.Name {
		case "gzip -9":
			r.GzipBitsPerByte = c.BitsPerByte
		case "xz -9e":
			r.XzBitsPerByte = c.BitsPerByte
		case "zstd -19":
			r.ZstdBitsPerByte = c.BitsPerByte
		}
	}
}

// Write writes report.json, report.md and report.html into dir, each whole or
// not at all, report.json last: where it stands the report is complete.
func (r *Report) Write(dir string) error {
	sum, size, err := hashFile(filepath.Join(dir, funnelPage))
	r.hasFunnel = err == nil
	page, err := r.html()
	if err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	type file struct {
		name string
		text []byte
	}
	files := []file{{"report.html", page}, {"report.md", r.markdown()}}
	r.Pages = nil
	if r.hasFunnel {
		r.Pages = append(r.Pages, Artefact{Path: funnelPage, What: "what curation removed, with examples", Bytes: size, SHA256: sum})
	}
	for _, f := range files {
		sum := sha256.Sum256(f.text)
		r.Pages = append(r.Pages, Artefact{Path: f.name, What: "report card", Bytes: int64(len(f.text)), SHA256: hex.EncodeToString(sum[:])})
	}
	object, err := r.json()
	if err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	for _, f := range append(files, file{"report.json", object}) {
		w, err := data.CreateWriter(filepath.Join(dir, f.name))
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := w.Write(f.text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) json() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(r)
	return b.Bytes(), err
}

// headline says what the run made, in one sentence.
func (r *Report) headline() string {
	return fmt.Sprintf("A language model of %s parameters, made from %s in %s on %s.",
		inWords(float64(r.Parameters)), r.Corpus.Name, duration(r.TotalSeconds), r.Machine.inWords())
}

func (m Machine) inWords() string {
	threads := fmt.Sprintf("%d threads", m.Threads)
	if m.Threads == 1 {
		threads = "one thread"
	}
	if m.CPU == "" {
		return threads
	}
	return threads + " of " + m.CPU
}

// comparison is a bar of the bits-per-byte chart.
type comparison struct {
	name  string
	bits  *float64
	note  string
	model bool
}

// comparisons are the model and the compressors, best first, with those that
// have no figure at the end.
func (r *Report) comparisons() []comparison {
	bars := []comparison{{name: "this model", bits: &r.BitsPerByte, model: true}}
	for _, c := range r.Compressors {
		bar := comparison{name: c.Name, bits: c.BitsPerByte}
		if bar.bits == nil {
			bar.bits, bar.note = c.Recorded, "recorded elsewhere for this very text; not installed here"
		}
		if bar.bits == nil {
			bar.note = "not installed here"
		}
		bars = append(bars, bar)
	}
	return bars
}

// language says what the corpus is written in, and how that is known.
func (r *Report) language() string {
	c := &r.Corpus
	if c.Language == "" || len(c.Languages) == 0 {
		return c.Language
	}
	var shares []string
	for _, s := range c.Languages {
		if s.Share >= 0.01 {
			shares = append(shares, fmt.Sprintf("%s %.0f %%", s.Code, 100*s.Share))
		}
	}
	return fmt.Sprintf("%s (measured on the text: %s)", c.Language, strings.Join(shares, ", "))
}

// facts are the figures that have no section of their own.
func (r *Report) facts() []Setting {
	var facts []Setting
	if text := r.language(); text != "" {
		facts = append(facts, Setting{"Language of the text", text})
	}
	facts = append(facts, []Setting{
		{"Parameters", page.Grouped(r.Parameters)},
		{"Tokens trained on", page.Grouped(r.Tokens)},
		{"Steps", page.Grouped(r.Steps)},
		{"Final loss", fmt.Sprintf("%.4f nats a token", r.FinalLoss)},
		{"Speed", inWords(r.TokensPerSecond) + " tokens/s"},
		{"Computed", scientific(r.FLOPs) + " FLOPs"},
	}...)
	if r.MFU != nil && r.PeakFLOPsASecond != nil {
		facts = append(facts, Setting{"Share of the machine's peak", fmt.Sprintf("%.0f %% of %s FLOP/s", 100**r.MFU, inWords(*r.PeakFLOPsASecond))})
	}
	if r.EnergyJoules != nil {
		text := energy(*r.EnergyJoules)
		if r.EnergyMethod != "" {
			text += " (" + r.EnergyMethod + ")"
		}
		facts = append(facts, Setting{"Energy, estimated", text})
	}
	if r.PeakMemoryBytes > 0 {
		facts = append(facts, Setting{"Peak memory", bytesInWords(r.PeakMemoryBytes)})
	}
	facts = append(facts, Setting{"Time", fmt.Sprintf("%s in all, %s of it training", duration(r.TotalSeconds), duration(r.TrainingSeconds))})
	machine := r.Machine.inWords()
	if r.Machine.Kernels != "" {
		machine += ", " + r.Machine.Kernels + " kernels"
	}
	return append(facts,
		Setting{"Machine", fmt.Sprintf("%s, %s/%s", machine, r.Machine.OS, r.Machine.Arch)},
		Setting{"Program", fmt.Sprintf("olmo %s, %s", r.Version, r.Machine.Go)})
}

// removals are the rows of the funnel without the rules that found nothing.
func (r *Report) removals() []FunnelRow {
	var rows []FunnelRow
	for _, f := range r.Funnel {
		if f.Left || f.Documents != 0 || f.Bytes != 0 {
			rows = append(rows, f)
		}
	}
	return rows
}

// orderedSamples puts those of the last checkpoint first, else keeps the order.
func (r *Report) orderedSamples() []Sample {
	last := 0
	for _, s := range r.Samples {
		last = max(last, s.Step)
	}
	var final, earlier []Sample
	for _, s := range r.Samples {
		if s.Step == last {
			final = append(final, s)
		} else {
			earlier = append(earlier, s)
		}
	}
	return append(final, earlier...)
}

// smoothed is the loss as a running mean, which follows a falling curve
// without its noise.
func smoothed(points []CurvePoint) []float64 {
	out := make([]float64, len(points))
	// About a hundredth of the run, and exact at its start.
	decay := 1 - 1/max(float64(len(points))/100, 1)
	sum, weight := 0.0, 0.0
	for i, p := range points {
		sum = decay*sum + p.Loss
		weight = decay*weight + 1
		out[i] = sum / weight
	}
	return out
}

// inWords writes x with three figures and a unit prefix: 4.26 M.
func inWords(x float64) string {
	prefixes := []string{"", " k", " M", " G", " T", " P"}
	i := 0
	for x >= 999.5 && i < len(prefixes)-1 {
		x /= 1000
		i++
	}
	switch {
	case i == 0 && x == float64(int64(x)), x >= 99.95:
		return fmt.Sprintf("%.0f%s", x, prefixes[i])
	case x >= 9.995:
		return fmt.Sprintf("%.1f%s", x, prefixes[i])
	}
	return fmt.Sprintf("%.2f%s", x, prefixes[i])
}

// documentsInWords counts documents.
func documentsInWords(n int) string {
	if n == 1 {
		return "one document"
	}
	return page.Grouped(n) + " documents"
}

func bytesInWords(n int64) string {
	text := inWords(float64(n)) + "B"
	if n < 1000 {
		text = fmt.Sprintf("%d B", n)
	}
	return text
}

// scientific writes x as 7.3 × 10¹³.
func scientific(x float64) string {
	exponent := 0
	for ; x >= 9.995; x /= 10 {
		exponent++
	}
	raised := []rune(fmt.Sprint(exponent))
	for i, digit := range raised {
		raised[i] = []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[digit-'0']
	}
	return fmt.Sprintf("%.2f × 10%s", x, string(raised))
}

func energy(joules float64) string {
	return fmt.Sprintf("%sJ, %.2f Wh", inWords(joules), joules/3600)
}

// duration writes seconds as a reader says them.
func duration(seconds float64) string {
	if seconds < 9.95 {
		return fmt.Sprintf("%.1f s", seconds)
	}
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	if d < time.Hour {
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}
