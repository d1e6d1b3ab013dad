package taskfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"olmo/eval"
	"olmo/eval/python"
)

// step is a function of a filter: of one document's responses.
type step func(d *eval.Document, responses []string) ([]string, error)

// filterNames are the functions that are known.
var filterNames = []string{"regex", "multi_choice_regex", "remove_whitespace", "lowercase", "uppercase", "map", "take_first", "take_first_k", "majority_vote", "regex_pos", "format_span"}

// newFilter makes a filter of its functions.
func newFilter(s filterSpec) (eval.Filter, error) {
	var steps []step
	for _, m := range s.steps {
		f, err := newStep(m)
		if err != nil {
			return eval.Filter{}, fmt.Errorf("filter_list: %s: %w", s.name, err)
		}
		steps = append(steps, f)
	}
	return eval.Filter{Name: s.name, Apply: func(d *eval.Document, responses []string) ([]string, error) {
		var err error
		for _, f := range steps {
			if responses, err = f(d, responses); err != nil {
				return nil, err
			}
		}
		return responses, nil
	}}, nil
}

// each makes a step of what is done to every response.
func each(f func(string) (string, error)) step {
	return func(_ *eval.Document, responses []string) ([]string, error) {
		out := make([]string, len(responses))
		for i, r := range responses {
			var err error
			if out[i], err = f(r); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

func pure(f func(string) string) step {
	return each(func(s string) (string, error) { return f(s), nil })
}

func newStep(m *mapping) (step, error) {
	name, _ := m.values["function"].(string)
	allowed := map[string][]string{
		"regex": {"regex_pattern", "group_select", "fallback"}, "multi_choice_regex": {"regex_pattern", "group_select", "fallback", "ignore_case", "ignore_punctuation", "regexes_to_ignore"},
		"map": {"mapping_dict", "default_value"}, "take_first_k": {"k"}, "regex_pos": {"regex_pattern", "group_select", "fallback"},
	}
	for _, k := range m.keys {
		if key := text(k); key != "function" && !slices.Contains(allowed[name], key) && slices.Contains(filterNames, name) {
			return nil, unknownName(name+": key", key, allowed[name])
		}
	}
	switch name {
	case "regex":
		x, err := newExtractor(m)
		if err != nil {
			return nil, err
		}
		return each(x.first), nil
	case "multi_choice_regex":
		return newChoiceExtractor(m)
	case "remove_whitespace":
		return pure(python.Strip), nil
	case "lowercase":
		return pure(python.Lower), nil
	case "uppercase":
		return pure(python.Upper), nil
	case "map":
		to, ok := m.values["mapping_dict"].(*mapping)
		if !ok && m.values["mapping_dict"] != nil {
			return nil, fmt.Errorf("mapping_dict is %v, want a mapping", m.values["mapping_dict"])
		}
		return pure(func(s string) string {
			if ok {
				for _, k := range to.keys {
					if key, is := k.(string); is && key == s {
						return text(to.values[s])
					}
				}
			}
			return text(m.values["default_value"])
		}), nil
	case "take_first":
		return func(_ *eval.Document, r []string) ([]string, error) { return r[:min(1, len(r))], nil }, nil
	case "take_first_k":
		k, ok := m.values["k"].(int64)
		if !ok || k < 1 {
			return nil, fmt.Errorf("k is %v, want 1 or more", m.values["k"])
		}
		return func(_ *eval.Document, r []string) ([]string, error) {
			if len(r) < int(k) {
				return nil, fmt.Errorf("take_first_k wants %d responses, there are %d\nhint: repeats says how many are asked for", k, len(r))
			}
			return r[:k], nil
		}, nil
	case "majority_vote":
		return func(_ *eval.Document, r []string) ([]string, error) { return []string{majority(r)}, nil }, nil
	case "regex_pos":
		return newTags(m)
	case "format_span":
		return each(formatSpan), nil
	}
	return nil, unknownName("function", name, filterNames)
}

// majority is the most frequent response, the first of equals.
func majority(responses []string) string {
	if len(responses) == 0 {
		return ""
	}
	count, best := map[string]int{}, responses[0]
	for _, r := range responses {
		count[r]++
	}
	for _, r := range responses {
		if count[r] > count[best] {
			best = r
		}
	}
	return best
}

// extractor takes what a pattern finds (RegexFilter).
type extractor struct {
	re       *python.Regexp
	group    int
	fallback string
}

func newExtractor(m *mapping) (*extractor, error) {
	x := &extractor{fallback: "[invalid]"}
	pattern := `#### (\-?[0-9\.\,]+)`
	if v, ok := m.values["regex_pattern"]; ok {
		if pattern, ok = v.(string); !ok {
			return nil, fmt.Errorf("regex_pattern is %v, want a pattern", v)
		}
	}
	if v, ok := m.values["group_select"]; ok {
		n, ok := v.(int64)
		if !ok {
			return nil, fmt.Errorf("group_select is %v, want a number", v)
		}
		x.group = int(n)
	}
	if v, ok := m.values["fallback"]; ok {
		x.fallback = text(v)
	}
	var err error
	x.re, err = python.Compile(pattern, "")
	return x, err
}

// found is findall's match number x.group: of several groups the first that is not empty. none
// says that nothing matched, or that the number is beyond what did.
func (x *extractor) found(s string) (match string, some, empty bool, err error) {
	all, err := x.re.FindAll(s)
	if err != nil || len(all) == 0 {
		return "", false, false, err
	}
	i := x.group
	if i < 0 {
		i += len(all)
	}
	if i < 0 || i >= len(all) {
		return "", false, false, fmt.Errorf("group_select is %d, and the pattern matches %d times", x.group, len(all))
	}
	m := all[i]
	switch len(m) {
	case 1:
		return m[0].Text, true, false, nil
	case 2:
		return m[1].Text, true, false, nil
	}
	for _, g := range m[1:] {
		if g.Text != "" {
			return g.Text, true, false, nil
		}
	}
	return "", true, true, nil
}

func (x *extractor) first(s string) (string, error) {
	m, some, empty, err := x.found(s)
	if err != nil {
		return "", err
	}
	switch {
	case !some:
		return x.fallback, nil
	case empty:
		m = x.fallback
	}
	return python.Strip(m), nil
}

// newChoiceExtractor finds which choice a response names (MultiChoiceRegexFilter): by the
// pattern, else by a choice's text, else by a letter behind a colon.
func newChoiceExtractor(m *mapping) (step, error) {
	x, err := newExtractor(m)
	if err != nil {
		return nil, err
	}
	lower, bare := m.values["ignore_case"] == true, m.values["ignore_punctuation"] == true
	var ignored []*python.Regexp
	patterns, _ := m.values["regexes_to_ignore"].([]any)
	for _, p := range patterns {
		re, err := python.Compile(text(p), "")
		if err != nil {
			return nil, err
		}
		ignored = append(ignored, re)
	}
	ignore := func(s string) (string, error) {
		for _, re := range ignored {
			var err error
			if s, err = re.Sub("", s, 0); err != nil {
				return "", err
			}
		}
		if lower {
			s = python.Lower(s)
		}
		if bare {
			s = strings.Map(func(r rune) rune {
				if unicode.IsPunct(r) {
					return -1
				}
				return r
			}, s)
		}
		return s, nil
	}
	return func(d *eval.Document, responses []string) ([]string, error) {
		r, err := parseRow(d.Row)
		if err != nil {
			return nil, err
		}
		choices, ok := listOf(r.fields["choices"])
		if !ok {
			return nil, fmt.Errorf("multi_choice_regex wants the row's field choices, a list")
		}
		letters, byText, byLetter := []string{}, map[string]string{}, map[string]string{}
		var texts []string
		for i, c := range choices {
			t, err := ignore(python.Strip(c))
			if err != nil {
				return nil, err
			}
			letter := string(rune('A' + i))
			texts, letters = append(texts, python.Escape(t)), append(letters, letter)
			byText[t], byLetter[letter] = "("+letter+")", "("+letter+")"
		}
		// The longest first: a choice that begins another must not hide it.
		slices.SortStableFunc(texts, func(a, b string) int { return len([]rune(b)) - len([]rune(a)) })
		choice, err := python.Compile(strings.Join(texts, "|"), "")
		if err != nil {
			return nil, err
		}
		letter, err := python.Compile(`:[\s]*(`+strings.Join(letters, "|")+")", "")
		if err != nil {
			return nil, err
		}
		out := make([]string, len(responses))
		for i, s := range responses {
			bareText, err := ignore(s)
			if err != nil {
				return nil, err
			}
			for _, try := range []struct {
				re   *python.Regexp
				in   string
				name map[string]string
			}{{x.re, s, nil}, {choice, bareText, byText}, {letter, s, byLetter}} {
				m, some, empty, err := (&extractor{re: try.re, group: x.group}).found(try.in)
				if err != nil {
					return nil, err
				}
				if m = python.Strip(m); some && !empty && m != "" {
					if name, ok := try.name[m]; ok {
						m = name
					}
					out[i] = m
					break
				}
			}
			if out[i] == "" {
				out[i] = x.fallback
			}
		}
		return out, nil
	}, nil
}

// newTags takes the tags of ('word', 'TAG') pairs, written as a list of Python's (POSFilter).
func newTags(m *mapping) (step, error) {
	if _, ok := m.values["fallback"]; ok {
		return nil, fmt.Errorf("regex_pos: fallback is not supported")
	}
	re, err := python.Compile(`\('([^']*)', '([^']*)'\)`, "")
	if err != nil {
		return nil, err
	}
	return each(func(s string) (string, error) {
		all, err := re.FindAll(s)
		tags := []string{}
		for _, m := range all {
			tags = append(tags, "'"+m[2].Text+"'")
		}
		if len(tags) == 0 {
			tags = []string{"'invalid'"}
		}
		return "[" + strings.Join(tags, ", ") + "]", err
	}), nil
}

// spanLabels are the names of kinds of entities, in the order in which they are replaced.
var spanLabels = [][2]string{
	{"person", "PER"},
	{"location", "LOC"},
	{"organization", "ORG"},
	{"counties", "LOC"},
	{"places", "LOC"},
	{"people", "PER"},
	{"persons", "PER"},
	{"company", "ORG"},
	{"country", "LOC"},
	{"continent", "LOC"},
	{"time", "DATE"},
	{"date", "DATE"},
	{"per", "PER"},
	{"loc", "LOC"},
	{"org", "ORG"},
}

// formatSpan writes named entities one by one, as "per: x $ loc: y" (SPANFilter).
func formatSpan(s string) (string, error) {
	s = python.Lower(s)
	for _, l := range spanLabels {
		re, err := python.Compile(`\b`+l[0]+`\s*:`, "")
		if err != nil {
			return "", err
		}
		if s, err = re.Sub(l[1]+":", s, 0); err != nil {
			return "", err
		}
	}
	s = strings.TrimRight(strings.ReplaceAll(s, "$$", "$"), "$")
	re, err := python.Compile(`\b(PER|LOC|ORG|DATE):\s*([^$]+)`, "")
	if err != nil {
		return "", err
	}
	all, err := re.FindAll(python.Strip(strings.ReplaceAll(s, "\n", "$")))
	var out []string
	for _, m := range all {
		for entity := range strings.SplitSeq(m[2].Text, ",") {
			if entity = python.Strip(entity); python.Lower(entity) != "none" {
				out = append(out, strings.ToLower(m[1].Text)+": "+entity)
			}
		}
	}
	return strings.Join(out, " $ "), err
}
