package cli

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/constrain"
	"olmo/lm"
	"olmo/store"
)

// formFlags are the flags that hold an answer to a form.
type formFlags struct {
	schema, grammar, regex string
	choice                 []string
	json                   bool
	source                 string // of the file of --schema or --grammar
}

// formNames are the names of the flags, of which there is one at most.
var formNames = []string{"schema", "grammar", "regex", "choice", "json-mode"}

func (o *formFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.schema, "schema", "", "hold the answer to the JSON Schema in this `file`")
	f.StringVar(&o.grammar, "grammar", "", "hold the answer to the GBNF grammar in this `file`")
	f.StringVar(&o.regex, "regex", "", "hold the whole answer to this regular `expression`")
	f.StringSliceVar(&o.choice, "choice", nil, "hold the answer to one of these `texts`, separated by commas")
	f.BoolVar(&o.json, "json-mode", false, "hold the answer to be a JSON object")
}

// check refuses flags that contradict each other.
func (o *formFlags) check(c *cobra.Command) error {
	name := o.given(c)
	if name == "" {
		return nil
	}
	for _, other := range formNames {
		if other != name && c.Flags().Changed(other) {
			return usageErrorf("--%s and --%s are two forms, and an answer has one", name, other)
		}
	}
	for _, other := range []string{"ignore-eos", "stop", "stop-ids"} {
		if c.Flags().Changed(other) {
			return usageErrorf("--%s ends an answer elsewhere than its --%s does\nhint: leave out one of them", other, name)
		}
	}
	if slices.Contains(o.choice, "") {
		return usageErrorf("--choice has an empty text\nhint: texts stand between single commas")
	}
	if c.Flags().Changed("beams") {
		return usageErrorf("--%s does not go with --beams", name)
	}
	return nil
}

// given returns the flag that was given, "" for none.
func (o *formFlags) given(c *cobra.Command) string {
	for _, name := range formNames {
		if c.Flags().Changed(name) {
			return name
		}
	}
	return ""
}

// text is what the answer is held to, by which it is known again.
func (o *formFlags) text(c *cobra.Command) string {
	name := o.given(c)
	if name == "" {
		return ""
	}
	return fmt.Sprintf("%s %q %q %s", name, o.regex, o.choice, o.source)
}

// read returns the grammar of the flag that was given, nil for none.
func (o *formFlags) read(c *cobra.Command) (*constrain.Grammar, error) {
	file := func(path string, read func(data []byte) (*constrain.Grammar, error)) (*constrain.Grammar, error) {
		data, err := store.ReadFile(path)
		if err != nil {
			return nil, err
		}
		data = bytes.TrimPrefix(data, []byte("\ufeff")) // that some editors write
		o.source = string(data)
		g, err := read(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return g, nil
	}
	argument := func(g *constrain.Grammar, err error) (*constrain.Grammar, error) {
		if err != nil {
			return nil, usageErrorf("--%s: %w", o.given(c), err)
		}
		return g, nil
	}
	switch o.given(c) {
	case "schema":
		return file(o.schema, constrain.Schema)
	case "grammar":
		return file(o.grammar, func(data []byte) (*constrain.Grammar, error) { return constrain.GBNF(string(data)) })
	case "regex":
		return argument(constrain.Regexp(o.regex))
	case "choice":
		return argument(constrain.Choice(o.choice))
	case "json-mode":
		if o.json {
			return constrain.JSON(false)
		}
	}
	return nil, nil
}

// of prepares a grammar for a model; nil stays nil.
func (o *formFlags) of(c *cobra.Command, m *lm.Model, g *constrain.Grammar) (*lm.Form, error) {
	if g == nil {
		return nil, nil
	}
	if err := needTokenizer(m, ", which --"+o.given(c)+" wants"); err != nil {
		return nil, err
	}
	return m.Form(g)
}

// sayCut says of an answer whose length ended it that its form is not complete.
func (o *formFlags) sayCut(c *cobra.Command, p *progress, a lm.Answer) {
	if name := o.given(c); name != "" && a.Reason == "length" {
		p.print(fmt.Sprintf("olmo generate: the answer was cut off after %d tokens, before what --%s wants was complete", len(a.IDs), name))
	}
}
