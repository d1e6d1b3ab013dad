package model

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// settleNames finds what the files call the tensors of the layout, where there are several ways:
// AutoModel of Transformers saves a model without its head, and without the prefix that all
// other names then have; and the text model of one that also sees stands under language_model, in
// older versions outside that prefix, in newer ones inside.
func (l *Loaded) settleNames() error {
	if l.Layout != HuggingFace {
		return nil
	}
	table := l.table()
	prefix, rest, _ := strings.Cut(table, ".")
	switch {
	case l.Set.Has(table):
	case l.Set.Has(rest):
		l.rename = func(name string) string { return strings.TrimPrefix(name, prefix+".") }
	case l.Set.Has(textModel + table):
		l.rename = func(name string) string { return textModel + name }
	case l.Set.Has(prefix + "." + textModel + rest):
		l.rename = func(name string) string {
			if inner, ok := strings.CutPrefix(name, prefix+"."); ok {
				return prefix + "." + textModel + inner
			}
			return name // the head
		}
	default:
		return l.settleAttribute(table)
	}
	return nil
}

// settleAttribute finds the model in a module of a script's, whose attribute it is: a
// LightningModule's "model.", "net." or what its author called it stands before every name, and
// other modules of the script's beside it are tensors too many.
func (l *Loaded) settleAttribute(table string) error {
	var attributes []string
	for _, name := range l.Set.Names() {
		if before, ok := strings.CutSuffix(name, "."+table); ok {
			attributes = append(attributes, before+".")
		}
	}
	switch len(attributes) {
	case 0:
		return nil // what is missing is said later
	case 1:
		l.rename = func(name string) string { return attributes[0] + name }
		l.Notes = append(l.Notes, "the model's tensors are those whose names begin with "+attributes[0]+", which is left out")
		return nil
	}
	return fmt.Errorf("%s: the files hold several models, whose tensors' names begin with %s, and which is meant is not said\nhint: save one of them alone", l.Path, strings.Join(attributes, ", "))
}

// textModel begins the names of a text model's tensors within a model that also sees.
const textModel = "language_model."

// table is the layout's name of the embedding.
func (l *Loaded) table() string {
	return l.layout.byParam[l.Config.family().table][0].tensor
}

// settleHead reconciles a head that is stored with a config that ties it to the embedding, as
// Transformers 5 does (PreTrainedModel.tie_weights): an equal one is the embedding, a different
// one is used, and one that stands alone is the embedding too.
func (l *Loaded) settleHead() error {
	if !l.Config.Tied || l.Layout != HuggingFace {
		return nil
	}
	untied := *l.Config
	untied.Tied = false
	layout, head := l.layout, "lm_head.weight" // MPT's, which never has one of its own
	if name := untied.family().head; name != "" {
		var err error
		if layout, err = untied.layoutOf(l.Layout); err != nil {
			return err
		}
		head = layout.byParam[name+".weight"][0].tensor
	}
	table := l.table()
	if name := l.file(head); name != head && l.Set.Has(name) {
		head = name
	}
	switch {
	case !l.Set.Has(head):
		return nil
	case !l.Set.Has(l.file(table)):
		l.rename = func(name string) string {
			if name == table {
				return head
			}
			return name
		}
		return nil
	}
	same, err := l.same(head, l.file(table))
	if err != nil {
		return err
	}
	if same {
		l.head = head
	} else if layout != l.layout {
		l.Config, l.layout = &untied, layout
		l.Notes = append(l.Notes, fmt.Sprintf("tie_word_embeddings is true and %s has other numbers than %s: it is used, as in Transformers 5", head, table))
	}
	return nil
}

// same says whether two tensors hold the same numbers.
func (l *Loaded) same(a, b string) (bool, error) {
	defer l.Set.Forget()
	x, err := l.Set.Tensor(a)
	if err != nil {
		return false, err
	}
	y, err := l.Set.Tensor(b)
	if err != nil {
		return false, err
	}
	if !slices.Equal(x.Shape, y.Shape) {
		return false, nil
	}
	if x.DType == y.DType && bytes.Equal(x.Data, y.Data) {
		return true, nil
	}
	u, err := x.Float32s()
	if err != nil {
		return false, err
	}
	v, err := y.Float32s()
	return slices.Equal(u, v), err
}
