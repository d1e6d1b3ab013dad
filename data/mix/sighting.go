package mix

import (
	"fmt"
	"slices"
	"strings"

	"olmo/data"
)

// requirement is an attribute that a rule looks at. A rule whose attribute no document
// has decides nothing, or everything: in jq null is below every number. Most likely the
// name is misspelt.
type requirement struct {
	rule, attribute string
	// soft: it may be in no row by chance. A tagger that finds nothing leaves its attribute out,
	// and a JSONPath rule or one on spans, which takes no account of what is not there, has no
	// way to say so. When its tagger has been at work that is a warning.
	soft bool
}

// tagger stands for all attributes of the one that an attribute is of (experiment__tagger__type);
// empty: it is not of that form.
func (r *requirement) tagger() string {
	if i := strings.LastIndex(r.attribute, "__"); r.soft && i > 0 {
		return r.attribute[:i+2] + "*"
	}
	return ""
}

// require adds what a rule of a filter looks at. An attribute with a folder of its name
// may well be in no row: dedupe marks only what it has seen before.
func (p *program) require(r *rule, spans bool, s *Stream) {
	names := r.attributes
	if r.path != nil {
		names = r.path.Members("attributes")
	}
	for _, name := range names {
		if !slices.Contains(s.Attributes, name) {
			p.requires = append(p.requires, requirement{r.text, name, spans || r.path != nil})
		}
	}
}

// sighting says which attributes the documents of a shard have, of those that rules
// look at.
type sighting struct {
	// Missing are the required ones that no document has, and the taggers of which none has
	// any; null in the records of versions that did not look.
	Missing []string `json:"missing"`
	// Has are some that the first document with any has.
	Has []string `json:"has,omitempty"`
}

// maxHas is how many attributes an error names that there are.
const maxHas = 8

// startSighting misses all that is required.
func (p *program) startSighting() sighting {
	s := sighting{Missing: []string{}}
	for _, r := range p.requires {
		for _, name := range []string{r.attribute, r.tagger()} {
			if name != "" && !slices.Contains(s.Missing, name) {
				s.Missing = append(s.Missing, name)
			}
		}
	}
	return s
}

// see looks at the attributes of a document.
func (s *sighting) see(j *joined) error {
	if len(s.Missing) == 0 {
		return nil
	}
	attributes := j.attributes
	if !j.merged && len(j.Attributes) > 0 && j.Attributes[0] == '{' {
		var err error
		if attributes, err = data.AppendFields(nil, j.Attributes); err != nil {
			return err
		}
	}
	first := len(s.Has) == 0
	for _, f := range attributes {
		if first && len(s.Has) < maxHas {
			s.Has = append(s.Has, f.Key)
		}
		for i := len(s.Missing) - 1; i >= 0; i-- {
			tagger, all := strings.CutSuffix(s.Missing[i], "*")
			if s.Missing[i] == f.Key || all && strings.HasPrefix(f.Key, tagger) {
				s.Missing = slices.Delete(s.Missing, i, i+1)
			}
		}
	}
	return nil
}

// unseen is an error when a rule of a stream looks at an attribute that no document of
// all its shards has, and a warning, which logf gets, where that may be chance.
func (p *program) unseen(stream string, shards []sighting, logf func(format string, args ...any)) error {
	missing := func(name string) bool {
		return !slices.ContainsFunc(shards, func(s sighting) bool { return !slices.Contains(s.Missing, name) })
	}
	warned := map[string]bool{}
	for _, r := range p.requires {
		if !missing(r.attribute) {
			continue
		}
		what := fmt.Sprintf("stream %s: no document has the attribute %s, which the rule %s looks at", stream, r.attribute, r.rule)
		if t := r.tagger(); t != "" && !missing(t) {
			if !warned[what] {
				logf("warning: %s; others of its tagger are there, so it found none, or the name is misspelt", what)
			}
			warned[what] = true
			continue
		}
		hint := "the documents have no attributes; name their folders in attributes"
		if i := slices.IndexFunc(shards, func(s sighting) bool { return len(s.Has) > 0 }); i >= 0 {
			hint = "there are " + strings.Join(shards[i].Has, ", ")
			if !r.soft {
				hint += "; a rule on one that may be in no document says so: (.attributes." + r.attribute + " // [])"
			}
		}
		return fmt.Errorf("%s\nhint: %s", what, hint)
	}
	return nil
}
