package constrain

import "errors"

// Choice holds a text to be one of a list.
func Choice(texts []string) (*Grammar, error) {
	if len(texts) == 0 {
		return nil, errors.New("there is nothing to choose from")
	}
	b := &builder{}
	r := b.g.rules[b.rule("the choice")]
	for _, t := range texts {
		b.skip(b.literal(r.start, t), r.end)
	}
	return b.finish()
}
