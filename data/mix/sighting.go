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
type requirement struct{ rule, attribute string }

// require adds what a rule of a filter looks at. An attribute with a folder of its name
// may well be in no row: dedupe marks only what it has seen before.
func (p *program) require(text string, names []string, s *Stream) {
	for _, name := range names {
		if !slices.Contains(s.Attributes, name) {
			p.requires = append(p.requires, requirement{text, name})
		}
	}
}

// sighting says which attributes the documents of a shard have, of those that rules
// look at.
type sighting struct {
	// Missing are the required ones that no document has; null in the records of
	// versions that did not look.
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
		if !slices.Contains(s.Missing, r.attribute) {
			s.Missing = append(s.Missing, r.attribute)
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
		if i := slices.Index(s.Missing, f.Key); i >= 0 {
			s.Missing = slices.Delete(s.Missing, i, i+1)
		}
	}
	return nil
}

// unseen is an error when a rule of a stream looks at an attribute that no document of
// all its shards has.
func (p *program) unseen(stream string, shards []sighting) error {
	for _, r := range p.requires {
		if !slices.ContainsFunc(shards, func(s sighting) bool { return !slices.Contains(s.Missing, r.attribute) }) {
			hint := "the documents have no attributes; name their folders in attributes"
			if i := slices.IndexFunc(shards, func(s sighting) bool { return len(s.Has) > 0 }); i >= 0 {
				hint = "there are " + strings.Join(shards[i].Has, ", ") +
					"; a rule on one that may be in no document says so: (.attributes." + r.attribute + " // [])"
			}
			return fmt.Errorf("stream %s: no document has the attribute %s, which the rule %s looks at\nhint: %s", stream, r.attribute, r.rule, hint)
		}
	}
	return nil
}
