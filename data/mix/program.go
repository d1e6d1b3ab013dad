package mix

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"olmo/data"
	"olmo/data/jsonpath"
)

// program is a stream's filter and replacements, compiled once and run on every
// document. A document passes, in this order, the include rules (one must hold, if
// there are any), the exclude rules (none may hold), the span rules, which rewrite its
// text, the least length of what is left, and the draw of the sample; the first that
// drops it is the reason in the report.
//
// Rules are JSONPath or jq, over the document as a JSON value with its attributes
// below the key attributes. Building that value costs more than all else that mix
// does, so compiling also finds out which members the rules can look at (needs), and
// nothing else is decoded; spans that come from one attribute are read from the row's
// bytes without any value. What this cannot follow in a rule counts as everything.
//
// It may be used from several goroutines.
type program struct {
	include, exclude []rule
	spans            []spanRule
	min              int // bytes of text that must be left, but for white space at its ends
	sample           sampler
	sampled          bool // it has a place in the report
	compat           bool // Dolma's answers where they are bugs
	needs            needs
	requires         []requirement
}

// rule is one condition of a filter.
type rule struct {
	text string
	path *jsonpath.Path // or
	code *gojq.Code
	// attributes are those that code needs, as far as they are known.
	attributes []string
	compat     bool // of its program
	// conditions are those that code joins by and, where it does.
	conditions []condition
}

// condition is a part of a rule in jq.
type condition struct {
	text string
	code *gojq.Code
}

// spanRule replaces the spans that its rule names and whose scores are in
// [min, max).
type spanRule struct {
	rule
	min, max    float64
	replacement string
	code        *gojq.Code // of a replacement that starts with $
	// attribute is set when the spans are those of one attribute, as they stand
	// in its row: they are then read without building any value. orNone tells that
	// a false one is none.
	attribute string
	orNone    bool
}

// attributeOf finds the attribute whose spans a rule names, such as "x" for
// $.attributes.x, .attributes.x and (.attributes.x // []), "" for a rule of any other
// form. orNone tells that a false one stands for no spans.
func attributeOf(r *rule) (name string, orNone bool) {
	if r.path != nil {
		if keys, ok := r.path.Fields(); ok && len(keys) == 2 && keys[0] == "attributes" {
			return keys[1], false
		}
		return "", false
	}
	q, err := gojq.Parse(r.text)
	for err == nil && len(q.FuncDefs) == 0 {
		switch {
		case q.Term != nil && q.Term.Type == gojq.TermTypeQuery && len(q.Term.SuffixList) == 0:
			q = q.Term.Query
			continue
		case q.Op == gojq.OpAlt && !orNone && (q.Right.String() == "[]" || q.Right.String() == "null"):
			q, orNone = q.Left, true
			continue
		}
		name, ok := strings.CutPrefix(q.String(), ".attributes.")
		for i, c := range name {
			ok = ok && (c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9')
		}
		if ok {
			return name, orNone
		}
		break
	}
	return "", false
}

func compile(s *Stream, compat bool) (*program, error) {
	p := &program{min: s.Output.MinTextLength, sample: s.sampler(), sampled: s.Sample != nil, compat: compat}
	if f := s.Filter; f != nil {
		for _, set := range []struct {
			from []string
			to   *[]rule
		}{{f.Include, &p.include}, {f.Exclude, &p.exclude}} {
			for _, text := range set.from {
				r, err := p.compileRule(text, f.Syntax)
				if err != nil {
					return nil, fmt.Errorf("filter: %w", err)
				}
				if set.to == &p.include && r.code != nil {
					if r.conditions, err = p.conditions(text); err != nil {
						return nil, fmt.Errorf("filter: %w", err)
					}
				}
				*set.to = append(*set.to, r)
				if !compat {
					p.require(&r, false, s)
				}
			}
		}
	}
	for _, r := range s.SpanReplacement {
		if r.MinScore == nil && r.MaxScore == nil {
			return nil, fmt.Errorf("span_replacement %s: set min_score or max_score", r.Span)
		}
		needs := p.needs // as it is without this rule
		one, err := p.compileRule(r.Span, r.Syntax)
		if err != nil {
			return nil, fmt.Errorf("span_replacement: %w", err)
		}
		if !compat {
			p.require(&one, true, s)
		}
		sr := spanRule{rule: one, min: math.Inf(-1), max: math.Inf(1), replacement: r.Replacement}
		// Only where the attributes surely come from rows: a stream without attribute
		// files sees those that stand in the document. Dolma's bugs want the value.
		if len(s.Attributes) > 0 && !compat {
			if sr.attribute, sr.orNone = attributeOf(&one); sr.attribute != "" {
				p.needs = needs
			}
		}
		if r.MinScore != nil {
			sr.min = *r.MinScore
		}
		if r.MaxScore != nil {
			sr.max = *r.MaxScore
		}
		if code, ok := strings.CutPrefix(r.Replacement, "$"); ok {
			if sr.code, _, err = p.compileJq(code); err != nil {
				return nil, fmt.Errorf("span_replacement: replacement: %w\nhint: a replacement that starts with $ is a jq expression", err)
			}
		}
		p.spans = append(p.spans, sr)
	}
	return p, nil
}

func (p *program) compileRule(text, syntax string) (rule, error) {
	r := rule{text: text, compat: p.compat}
	var err error
	switch syntax {
	case "", "jsonpath":
		if r.path, err = jsonpath.Parse(text); err == nil {
			p.needs.path(r.path)
		}
	case "jq":
		r.code, r.attributes, err = p.compileJq(text)
	default:
		err = fmt.Errorf("syntax %q is not known\nhint: use jsonpath or jq", syntax)
	}
	return r, err
}

// compileJq also tells which attributes a program needs, as far as they are known.
func (p *program) compileJq(text string) (*gojq.Code, []string, error) {
	q, err := gojq.Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("jq %s: %w", text, err)
	}
	required := p.needs.jq(q)
	var options []gojq.CompilerOption
	if p.compat {
		if err := asJaq(q); err != nil {
			return nil, nil, fmt.Errorf("jq %s: %w", text, err)
		}
		options = jaqFunctions
	}
	code, err := gojq.Compile(q, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("jq %s: %w", text, err)
	}
	return code, required, nil
}

// conditions compiles what a rule in jq joins by and; none for a rule of one condition.
func (p *program) conditions(text string) (list []condition, err error) {
	q, err := gojq.Parse(text)
	if err != nil || q.Op != gojq.OpAnd || len(q.FuncDefs) > 0 {
		return nil, err
	}
	for ; q.Op == gojq.OpAnd && len(q.FuncDefs) == 0; q = q.Left {
		list = append(list, condition{text: q.Right.String()})
	}
	list = append(list, condition{text: q.String()})
	slices.Reverse(list)
	for i := range list {
		if list[i].code, _, err = p.compileJq(list[i].text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// missed counts, for a document that no include rule admits, the conditions that it fails.
func (p *program) missed(doc any, rules []Rule) {
	for i := range p.include {
		for k, c := range p.include[i].conditions {
			// One that fails altogether, as for what a condition before it sees to, is not met.
			// For and, as in jq, 0 and empty values are true.
			out, err := run(c.code, doc)
			if err != nil || len(out) == 0 || slices.ContainsFunc(out, func(v any) bool { return v == nil || v == false }) {
				rules[i].Conditions[k].Failed++
			}
		}
	}
}

// Places of the rules in a report, which lists them in this order: the include rules, "no include", the
// exclude rules, the span rules, min_text_length, the sample if there is one.
func (p *program) noInclude() int        { return len(p.include) }
func (p *program) excludeRule(i int) int { return len(p.include) + 1 + i }
func (p *program) spanRule(i int) int    { return len(p.include) + 1 + len(p.exclude) + i }
func (p *program) lengthRule() int       { return p.spanRule(len(p.spans)) }
func (p *program) sampleRule() int       { return p.lengthRule() + 1 }

// rules are the reasons of this stream, without figures.
func (p *program) rules() []Rule {
	var out []Rule
	for _, r := range p.include {
		rule := Rule{Kind: "include", Rule: r.text}
		for _, c := range r.conditions {
			rule.Conditions = append(rule.Conditions, Condition{Rule: c.text})
		}
		out = append(out, rule)
	}
	out = append(out, Rule{Kind: "no include", Rule: "no include rule holds"})
	for _, r := range p.exclude {
		out = append(out, Rule{Kind: "exclude", Rule: r.text})
	}
	for _, r := range p.spans {
		out = append(out, Rule{Kind: "span", Rule: r.text})
	}
	out = append(out, Rule{Kind: "min_text_length", Rule: fmt.Sprintf("fewer than %d bytes of text are left", p.min)})
	if p.sampled {
		out = append(out, Rule{Kind: "sample", Rule: fmt.Sprintf("each %g times on average", p.sample.ratio)})
	}
	return out
}

// run collects the results of a jq program. halt ends it without an error.
func run(code *gojq.Code, doc any) ([]any, error) {
	var out []any
	for it := code.Run(doc); ; {
		v, ok := it.Next()
		if !ok {
			return out, nil
		}
		if err, ok := v.(error); ok {
			var halt *gojq.HaltError
			if errors.As(err, &halt) && halt.Value() == nil {
				return out, nil
			}
			return nil, fmt.Errorf("jq: %w", err)
		}
		out = append(out, v)
	}
}

// truthy is what Dolma counts as true (src/filters.rs, evaluate_match).
func truthy(v any, compat bool) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case json.Number:
		// With compat it is a number of a file that is no integer: jaq has it as text
		// that is not empty. jq's fromjson gives any number so.
		if compat && strings.ContainsAny(v.String(), ".eE") {
			return true
		}
		f, _ := gojq.ToFloat64(v)
		return f != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// includes tells whether an include rule holds: with JSONPath when anything is found,
// with jq when there are results and all of them are true, as in Dolma.
func (r *rule) includes(doc any) (bool, error) {
	if r.path != nil {
		return len(r.path.Find(doc)) > 0, nil
	}
	out, err := run(r.code, doc)
	if err != nil {
		return false, fmt.Errorf("include %s: %w", r.text, err)
	}
	for _, v := range out {
		if !truthy(v, r.compat) {
			return false, nil
		}
	}
	return len(out) > 0, nil
}

// excludes tells whether an exclude rule holds; with jq one true result is
// enough here.
func (r *rule) excludes(doc any) (bool, error) {
	if r.path != nil {
		return len(r.path.Find(doc)) > 0, nil
	}
	out, err := run(r.code, doc)
	if err != nil {
		return false, fmt.Errorf("exclude %s: %w", r.text, err)
	}
	return slices.ContainsFunc(out, func(v any) bool { return truthy(v, r.compat) }), nil
}

// decide says which rule decides about a document (its place in the report)
// and whether it is kept.
func (p *program) decide(doc any) (place int, keep bool, err error) {
	place, keep = -1, len(p.include) == 0
	for i := range p.include {
		if keep, err = p.include[i].includes(doc); err != nil {
			return 0, false, err
		}
		if keep {
			place = i
			break
		}
	}
	if !keep {
		return p.noInclude(), false, nil
	}
	for i := range p.exclude {
		hit, err := p.exclude[i].excludes(doc)
		if err != nil {
			return 0, false, err
		}
		if hit {
			return p.excludeRule(i), false, nil
		}
	}
	return place, true, nil
}

// span is a piece of a text in code points, and the rule that replaces it. A text may
// have millions.
type span struct{ start, end, rule uint32 }

// manySpans is how many are worth being counted beforehand: what grows is there twice.
const manySpans = 1 << 16

// selectSpans collects the spans that the replacement rules name, in order of
// their starts; at the same start, in the order of the rules. What each rule puts in their place
// comes beside them.
func (p *program) selectSpans(j *joined, doc any) (out []span, replacements []string, err error) {
	for i := range p.spans {
		r := &p.spans[i]
		first := len(out)
		add := func(s data.Span) {
			if s.Score >= r.min && s.Score < r.max {
				// No text is so long that the places would not fit.
				out = append(out, span{uint32(min(s.Start, math.MaxUint32)), uint32(min(s.End, math.MaxUint32)), uint32(i)})
			}
		}
		var raw []byte
		if r.attribute != "" {
			if raw = lastField(j.attributes, r.attribute); len(raw) > manySpans {
				out = slices.Grow(out, bytes.Count(raw, []byte{'['}))
			}
		}
		if raw == nil || !data.EachSpan(raw, add) {
			out = out[:first]
			if err := r.each(raw, doc, add); err != nil {
				return nil, nil, err
			}
		}
		text := r.replacement
		if r.code != nil && len(out) > first {
			res, err := run(r.code, doc)
			if err != nil {
				return nil, nil, fmt.Errorf("replacement %s: %w", r.replacement, err)
			}
			if len(res) != 1 {
				return nil, nil, fmt.Errorf("replacement %s has %d results, want one string", r.replacement, len(res))
			}
			ok := false
			if text, ok = res[0].(string); !ok {
				return nil, nil, fmt.Errorf("replacement %s gives %T, want a string", r.replacement, res[0])
			}
		}
		replacements = append(replacements, text)
	}
	slices.SortStableFunc(out, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return out, replacements, nil
}

// each calls add for the spans that a rule names, by way of values; raw is the
// attribute of a rule that names one.
func (r *spanRule) each(raw []byte, doc any, add func(data.Span)) error {
	var found []any
	switch {
	case r.attribute != "":
		if raw == nil {
			return nil
		}
		v, err := data.DecodeValue(raw)
		if err != nil {
			return fmt.Errorf("attribute %s: %w", r.attribute, err)
		}
		if v == false && r.orNone {
			return nil
		}
		found = []any{v}
	case r.path != nil:
		found = r.path.Find(doc)
	default:
		var err error
		if found, err = run(r.rule.code, doc); err != nil {
			return fmt.Errorf("span %s: %w", r.text, err)
		}
	}
	// One result stands for itself, several make a list.
	var list any = found
	switch len(found) {
	case 0:
		return nil
	case 1:
		list = found[0]
	}
	if list == nil {
		return nil
	}
	spans, ok := list.([]any)
	if !ok {
		return fmt.Errorf("span %s gives %T, want a list of spans or null", r.text, list)
	}
	for _, s := range spans {
		v, ok := s.([]any)
		if !ok || len(v) < 3 {
			return fmt.Errorf("span %s holds %v, want [start, end, score]", r.text, s)
		}
		start, ok1 := offset(v[0])
		end, ok2 := offset(v[1])
		score, ok3 := float(v[2])
		if !ok1 || !ok2 || !ok3 {
			return fmt.Errorf("span %s holds %v, want [start, end, score]", r.text, s)
		}
		add(data.Span{Start: start, End: end, Score: score})
	}
	return nil
}

// lastField is the value of the last field with a key, nil when there is none.
func lastField(fields []data.Field, key string) []byte {
	for _, f := range slices.Backward(fields) {
		if f.Key == key {
			return f.Value
		}
	}
	return nil
}

func offset(v any) (int, bool) {
	f, ok := float(v)
	return int(f), ok && f >= 0 && f < 1<<52 && f == math.Trunc(f)
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		return gojq.ToFloat64(v)
	}
	return 0, false
}

// replace applies spans, which are in order of their starts. A span that
// starts inside one that was applied is left out; replaced is called for each
// that is applied, with the old text.
func replace(text string, spans []span, replacements []string, replaced func(rule int, old string)) string {
	var out strings.Builder
	if len(spans) > manySpans {
		out.Grow(len(text))
	}
	ascii := isASCII(text) // most texts: code points are bytes
	chars, bytes := 0, 0   // the same point in both units
	// seek goes forward to a code point; false when the text ends before it.
	seek := func(to int) bool {
		if ascii {
			chars, bytes = min(to, len(text)), min(to, len(text))
			return to <= len(text)
		}
		for chars < to && bytes < len(text) {
			_, n := utf8.DecodeRuneInString(text[bytes:])
			bytes += n
			chars++
		}
		return chars == to
	}
	done := 0 // bytes of the text that are in out
	for _, s := range spans {
		from, to := int(s.start), int(s.end)
		if from < chars || to <= from {
			continue
		}
		if !seek(from) || bytes == len(text) {
			break
		}
		start := bytes
		seek(to)
		out.WriteString(text[done:start])
		out.WriteString(strings.ReplaceAll(replacements[s.rule], "{}", text[start:bytes]))
		done = bytes
		replaced(int(s.rule), text[start:bytes])
	}
	out.WriteString(text[done:])
	return out.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// replaceAsDolma is the loop of Dolma's src/shard.rs, whose answers differ
// where spans are empty or reach past the text: an empty one swallows the
// character at its start and stops all later ones; one beyond the end puts its
// replacement there, with the old text from the start of the span before it.
func replaceAsDolma(text string, spans []span, replacements []string, replaced func(rule int, old string)) string {
	var out strings.Builder
	index, i, start := 0, 0, 0
	for at, c := range text {
		if index < len(spans) {
			s := spans[index]
			inside := i >= int(s.start) && i < int(s.end)
			if i == int(s.start) {
				start = at
			}
			if !inside {
				if i == int(s.end) {
					out.WriteString(strings.ReplaceAll(replacements[s.rule], "{}", text[start:at]))
					replaced(int(s.rule), text[start:at])
					for index < len(spans) && int(spans[index].start) < i {
						index++
					}
				}
				if index < len(spans) && int(spans[index].start) == i {
					start = at
				} else {
					out.WriteRune(c)
				}
			}
		} else {
			out.WriteRune(c)
		}
		i++
	}
	if index < len(spans) {
		s := spans[index]
		out.WriteString(strings.ReplaceAll(replacements[s.rule], "{}", text[start:]))
		replaced(int(s.rule), text[start:])
	}
	return out.String()
}

// replaceSpans is replace, or Dolma's loop where the two could differ and the
// bugs are wanted.
func (p *program) replaceSpans(text string, spans []span, replacements []string, replaced func(rule int, old string)) string {
	if p.compat {
		n := utf8.RuneCountInString(text)
		if slices.ContainsFunc(spans, func(s span) bool { return s.end <= s.start || int(s.end) > n }) {
			return replaceAsDolma(text, spans, replacements, replaced)
		}
	}
	return replace(text, spans, replacements, replaced)
}

// decode makes the value that the rules look at: the document with its
// attributes, as far as the rules can see them.
func (p *program) decode(j *joined) (map[string]any, error) {
	doc := make(map[string]any, 8)
	value := data.DecodeValue
	if p.compat {
		value = data.DecodeText
	}
	for _, f := range j.fields {
		switch {
		case !p.needs.field(f.Key), j.merged && f.Key == "attributes":
			continue
		case f.Key == "text":
			doc["text"] = j.Text
			continue
		}
		v, err := value(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Key, err)
		}
		doc[f.Key] = v
	}
	if j.merged {
		m := make(map[string]any, 8)
		for _, f := range j.attributes {
			if !p.needs.attribute(f.Key) {
				continue
			}
			v, err := value(f.Value)
			if err != nil {
				return nil, fmt.Errorf("attribute %s: %w", f.Key, err)
			}
			m[f.Key] = v
		}
		doc["attributes"] = m
	}
	return doc, nil
}
