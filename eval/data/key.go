package evaldata

import (
	"fmt"
	"slices"
	"strings"
)

// key is what a data set is looked for by.
type key struct {
	title string   // as errors call it
	names []string // file names without their endings, in our layout
	// What it is called on the Hugging Face hub, and whose it is ("" for anybody's). A
	// configuration may be "" for the one there is, or "*" for all, one behind the other.
	org, base, configuration, split string

	// subject is the subject whose rows are wanted of the file of a name that has all of them.
	subject map[string]string

	notes []string // what was found in its place
}

// note keeps what an error about a missing set says of the places.
func (k *key) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(k.notes, n) {
		k.notes = append(k.notes, n)
	}
}

// bases are the names that the data set has on the hub.
func (k *key) bases() []string {
	out := []string{k.base}
	for other, same := range sameBase {
		if same == k.base {
			out = append(out, other)
		}
	}
	return out
}

// means reports whether somebody's data set may be the one. Where nobody is named, it may.
func (k *key) means(org, base string) bool {
	return base == k.base && (org == "" || k.org == "" || org == k.org) || sameBase[base] == k.base
}

// bare reports whether the configuration is none, or one of the names for none.
func (k *key) bare() bool { return k.configuration == "" || slices.Contains(none, k.configuration) }

// configured reports whether a configuration is the one.
func (k *key) configured(name string) bool {
	return name == k.configuration || k.configuration == "*" || k.bare() && slices.Contains(none, name)
}

// known are the data sets that the program's tasks ask for by short names, with what they are
// called on the hub.
var known = []struct{ name, base, configuration, split string }{
	{"arc_challenge", "ai2_arc", "ARC-Challenge", "validation"},
	{"arc_easy", "ai2_arc", "ARC-Easy", "validation"},
	{"basic_arithmetic", "basic_arithmetic", "", "validation"},
	{"boolq", "boolq", "", "validation"},
	{"commitment_bank", "super_glue", "cb", "validation"},
	{"commonsense_qa", "commonsense_qa", "", "validation"},
	{"copa", "super_glue", "copa", "validation"},
	{"gsm8k", "gsm8k", "main", "test"},
	{"hellaswag", "hellaswag", "", "validation"},
	{"humaneval", "openai_humaneval", "openai_humaneval", "test"},
	{"mbpp", "mbpp", "full", "test"},
	{"mmlu_dev", "mmlu", "*", "dev"},
	{"mmlu_test", "mmlu", "*", "test"},
	{"mmlu_validation", "mmlu", "*", "validation"},
	{"mrpc", "glue", "mrpc", "validation"},
	{"natural_qs_open", "nq_open", "", "validation"},
	{"openbook_qa", "openbookqa", "main", "validation"},
	{"piqa", "piqa", "plain_text", "validation"},
	{"rte", "glue", "rte", "validation"},
	{"sciq", "sciq", "", "validation"},
	{"social_iqa", "social_i_qa", "", "validation"},
	{"sst2", "glue", "sst2", "validation"},
	{"trivia_qa_wiki", "trivia_qa", "rc.wikipedia.nocontext", "validation"},
	{"winogrande", "winogrande", "winogrande_xl", "validation"},
}

// sameBase are data sets that the hub has under a second name.
var sameBase = map[string]string{"mmlu_no_train": "mmlu"}

// named is the key of a name of ours.
func named(name string) *key {
	for _, k := range known {
		if k.name == name {
			return &key{title: name, names: []string{name}, base: k.base, configuration: k.configuration, split: k.split}
		}
	}
	return &key{title: name, names: []string{name}}
}

// ofHub is the key of a split that a task calls by its name on the hub (ORG/NAME).
func ofHub(hub, configuration, split string) *key {
	slash := strings.LastIndexByte(hub, '/')
	base := hub[slash+1:]
	k := &key{title: hub + " (" + strings.TrimPrefix(configuration+", "+split, ", ") + ")", org: hub[:max(slash, 0)], base: base, configuration: configuration, split: split}
	if same := sameBase[base]; same != "" {
		k.base = same
	}
	if k.base == "mmlu" && configuration == "all" {
		k.configuration = "*"
	}
	for _, x := range known {
		if x.base == k.base && x.split == split && (x.configuration == k.configuration || configuration == "") {
			k.names = append(k.names, x.name)
		}
	}
	if whole := "mmlu_" + split; k.base == "mmlu" && k.configuration != "*" && configuration != "" {
		k.names = append(k.names, whole)
		k.subject = map[string]string{whole: configuration}
	}
	if configuration == "" {
		k.names = append(k.names, base+"_"+split)
	} else {
		base += "_" + configuration
		k.names = append(k.names, base+"_"+split)
		if !k.bare() { // which would be the name of many
			k.names = append(k.names, configuration+"_"+split)
		}
	}
	if k.judged() && !slices.Contains(shortNames(), base) { // a short name means one split
		k.names = append(k.names, base)
	}
	return k
}

// shortNames are the names of ours.
func shortNames() (names []string) {
	for _, x := range known {
		names = append(names, x.name)
	}
	return names
}

// judged reports whether rows that are of no split may be the ones: they are what models are
// judged by, and never what examples are drawn from.
func (k *key) judged() bool { return k.split == "validation" || k.split == "test" }

// requests are the task and the variant of a set of stored requests, oe_TASK__VARIANT.
func (k *key) requests() (task, variant string, ok bool) {
	for _, name := range k.names {
		if rest, is := strings.CutPrefix(name, "oe_"); is {
			if task, variant, ok = strings.Cut(rest, "__"); ok {
				return task, variant, true
			}
		}
	}
	return "", "", false
}

// none are the names by which data sets with one configuration call it.
var none = []string{"none", "default", "plain_text", "main"}

// is reports whether the key means the split of a configuration. Any split also goes by
// BASE_CONFIGURATION_SPLIT, or BASE_SPLIT where the configuration is none.
func (k *key) is(base, configuration, split string) bool {
	if k.base == "" {
		return slices.Contains(k.names, base+"_"+configuration+"_"+split) ||
			slices.Contains(none, configuration) && slices.Contains(k.names, base+"_"+split)
	}
	if same := sameBase[base]; same != "" {
		base = same
	}
	return base == k.base && split == k.split && k.configured(configuration)
}
