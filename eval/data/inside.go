package evaldata

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"strings"
)

// sets are the data sets inside the program, made by sets/make.py, each a file of its own under
// its own licence.
//
//go:embed sets/*.jsonl.zst
var sets embed.FS

//go:embed sets/licences.txt
var shortLicences string

//go:embed sets/CC-BY-SA-4.0.txt
var shareAlike string

// own is a set inside the program.
type own struct {
	name, title, authors, paper, source string
	licence, terms                      string // its name, and where it stands
	seen                                string // where its owner grants it
	changed                             string
}

// The changes to all of them; only the columns of some are not all there.
const (
	onlySplit  = "%s alone, written as JSON lines and compressed; no word of a question, choice or answer was changed"
	validation = "the validation part"
	test       = "the test part"
)

var owns = []own{
	{
		name: "arc_challenge", title: "AI2 Reasoning Challenge (ARC) 2018, Challenge Set", authors: arcAuthors, paper: arcPaper, source: arcSource,
		licence: "CC BY-SA 4.0", terms: "https://creativecommons.org/licenses/by-sa/4.0/legalcode", seen: arcSource, changed: validation,
	},
	{
		name: "arc_easy", title: "AI2 Reasoning Challenge (ARC) 2018, Easy Set", authors: arcAuthors, paper: arcPaper, source: arcSource,
		licence: "CC BY-SA 4.0", terms: "https://creativecommons.org/licenses/by-sa/4.0/legalcode", seen: arcSource, changed: validation,
	},
	{
		name: "commonsense_qa", title: "CommonsenseQA", authors: "Alon Talmor, Jonathan Herzig, Nicholas Lourie and Jonathan Berant",
		paper: "arXiv:1811.00937, 2019", source: "https://huggingface.co/datasets/tau/commonsense_qa",
		licence: "MIT", seen: "https://github.com/jonathanherzig/commonsenseqa/issues/5", changed: validation,
	},
	{
		name: "copa", title: "Choice of Plausible Alternatives (COPA), as SuperGLUE divides it",
		authors: "Melissa Roemmele, Cosmin Adrian Bejan and Andrew S. Gordon, University of Southern California",
		paper:   "AAAI Spring Symposium on Logical Formalizations of Commonsense Reasoning, 2011", source: "https://people.ict.usc.edu/~gordon/copa.html",
		licence: "BSD-2-Clause", seen: "https://people.ict.usc.edu/~gordon/copa.html", changed: validation,
	},
	{
		name: "gsm8k", title: "GSM8K", authors: "Karl Cobbe and others, OpenAI", paper: "arXiv:2110.14168, 2021", source: "https://github.com/openai/grade-school-math",
		licence: "MIT", seen: "https://github.com/openai/grade-school-math/blob/master/LICENSE", changed: test,
	},
	{
		name: "humaneval", title: "HumanEval", authors: "Mark Chen and others, OpenAI", paper: "arXiv:2107.03374, 2021", source: "https://github.com/openai/human-eval",
		licence: "MIT", seen: "https://github.com/openai/human-eval/blob/master/LICENSE", changed: "all problems",
	},
	{
		name: "mbpp", title: "Mostly Basic Python Problems (MBPP)", authors: "Jacob Austin and others, Google Research", paper: "arXiv:2108.07732, 2021",
		source: "https://github.com/google-research/google-research/tree/master/mbpp", licence: "CC BY 4.0", terms: "https://creativecommons.org/licenses/by/4.0/legalcode",
		seen: "https://github.com/google-research/google-research/blob/master/README.md", changed: "the test part, tasks 11 to 510",
	},
	{
		name: "mmlu_dev", title: mmluTitle, authors: mmluAuthors, paper: mmluPaper, source: mmluSource, licence: "MIT", seen: mmluSource + "/blob/master/LICENSE",
		changed: "the examples (dev) of all 57 subjects",
	},
	{
		name: "mmlu_validation", title: mmluTitle, authors: mmluAuthors, paper: mmluPaper, source: mmluSource, licence: "MIT", seen: mmluSource + "/blob/master/LICENSE",
		changed: "the validation part of all 57 subjects",
	},
	{
		name: "piqa", title: "Physical Interaction: Question Answering (PIQA)", authors: "Yonatan Bisk, Rowan Zellers, Ronan Le Bras, Jianfeng Gao and Yejin Choi",
		paper: "arXiv:1911.11641, 2020", source: "https://yonatanbisk.com/piqa/", licence: "AFL-3.0", terms: "https://opensource.org/licenses/AFL-3.0",
		seen: "https://github.com/ybisk/ybisk.github.io/blob/master/piqa/README.md", changed: validation,
	},
	{
		name: "winogrande", title: "WinoGrande 1.1", authors: "Keisuke Sakaguchi, Ronan Le Bras, Chandra Bhagavatula and Yejin Choi, Allen Institute for AI",
		paper: "arXiv:1907.10641, 2019", source: "https://github.com/allenai/winogrande", licence: "CC BY", terms: "https://creativecommons.org/licenses/by/4.0/legalcode",
		seen: "https://github.com/allenai/winogrande/blob/master/README.md", changed: validation,
	},
}

const (
	arcAuthors  = "Peter Clark, Isaac Cowhey, Oren Etzioni, Tushar Khot, Ashish Sabharwal, Carissa Schoenick and Oyvind Tafjord, Allen Institute for AI"
	arcPaper    = "arXiv:1803.05457, 2018"
	arcSource   = "https://huggingface.co/datasets/allenai/ai2_arc"
	mmluTitle   = "Measuring Massive Multitask Language Understanding (MMLU)"
	mmluAuthors = "Dan Hendrycks, Collin Burns, Steven Basart, Andy Zou, Mantas Mazeika, Dawn Song and Jacob Steinhardt"
	mmluPaper   = "arXiv:2009.03300, 2021"
	mmluSource  = "https://github.com/hendrycks/test"
)

// ownSet is the set of a name inside the program.
func ownSet(name string) (*own, bool) {
	for i := range owns {
		if owns[i].name == name {
			return &owns[i], true
		}
	}
	return nil, false
}

// packed is the set's file.
func (o *own) packed() []byte {
	b, err := sets.ReadFile("sets/" + o.name + ".jsonl.zst")
	if err != nil {
		panic(err) // a file of the program
	}
	return b
}

// file is the set's rows.
func (o *own) file() file {
	return file{place: o.name, format: lineRows, open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(o.packed())), nil }}
}

// granted is the licence with the address of its text.
func (o *own) granted() string {
	if o.terms == "" {
		return o.licence
	}
	return o.licence + " (" + o.terms + ")"
}

// notice names the set's authors, source, licence and changes.
func (o *own) notice() string {
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "%-9s %s\n", name+":", text) }
	line("Title", o.title)
	line("Authors", o.authors)
	line("Paper", o.paper)
	line("Source", o.source)
	line("Licence", o.granted())
	line("Granted", o.seen)
	line("Changed", fmt.Sprintf(onlySplit, o.changed))
	line("Warranty", "none, as the licence says")
	return b.String()
}

// Notice names the authors, source, licence and changes of a set inside the program in a
// sentence, for a report that shows results on it; "" for a set that is not inside.
func Notice(name string) string {
	o, ok := ownSet(name)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s, by %s (%s), from %s: %s; %s; no warranty.", o.title, o.authors, o.paper, o.source, o.granted(), fmt.Sprintf(onlySplit, o.changed))
}

// Licences is the notices of all the sets inside the program, and the texts of their licences.
func Licences() string {
	var b strings.Builder
	for i := range owns {
		fmt.Fprintf(&b, "eval/data/sets/%s.jsonl.zst\n%s\n", owns[i].name, owns[i].notice())
	}
	return b.String() + shortLicences + shareAlike
}
