package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Annotations by which arrange knows flags and commands with a grammar that
// pflag lacks.
const (
	listAnnotation      = "olmo-list"
	overridesAnnotation = "olmo-overrides"
)

// listFlag adds a flag that takes all words up to the next flag and may be
// repeated: `--docs a b c`.
func listFlag(flags *pflag.FlagSet, values *[]string, name, usage string) {
	flags.StringArrayVar(values, name, nil, usage)
	f := flags.Lookup(name)
	f.Annotations = map[string][]string{listAnnotation: nil}
	f.Value, f.DefValue = words{f.Value, f.Value.(pflag.SliceValue)}, ""
}

// words is the value of a list flag; its type is what the help shows behind the flag's name.
type words struct {
	pflag.Value
	pflag.SliceValue
}

func (words) Type() string { return "X..." }

// takesOverrides marks a command whose unknown flags are overrides of its
// config: --a.b=value reaches it as the argument a.b=value, and --a.b alone as
// a.b=true, as OLMo's scripts/train.py (clean_opt) reads them.
func takesOverrides(c *cobra.Command) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[overridesAnnotation] = ""
}

// takesValues is takesOverrides for a command whose first argument is a file: behind it --key value reaches
// the command as key=value, too, as open-instruct's scripts are called.
func takesValues(c *cobra.Command) {
	takesOverrides(c)
	c.Annotations[overridesAnnotation] = "values"
}

// arrange rewrites the words of a call into what pflag understands: the values
// of a list flag each get their flag, overrides lose their dashes.
func arrange(root *cobra.Command, words []string) []string {
	c, _, err := root.Find(words)
	if err != nil {
		return words
	}
	form, overrides := c.Annotations[overridesAnnotation]
	var out []string
	file := -strings.Count(c.CommandPath(), " ") // above 0 once the words of the command and the file are through
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			return append(out, words[i:]...)
		}
		flag, hasValue := lookUp(c, word)
		switch {
		case word == "--help" || word == "-h":
			out = append(out, word) // cobra makes the flag later
		case flag == nil && overrides && strings.HasPrefix(word, "--"):
			switch {
			case hasValue:
			case form == "values" && file > 0 && i+1 < len(words) && isValue(words[i+1]):
				i++
				word += "=" + words[i]
			default:
				word += "=true"
			}
			out = append(out, strings.TrimPrefix(word, "--"))
		case flag == nil || hasValue:
			if !isFlag(word) {
				file++
			}
			out = append(out, word)
		case isList(flag):
			values := 0
			for i+1 < len(words) && !isFlag(words[i+1]) {
				i++
				values++
				out = append(out, "--"+flag.Name+"="+words[i])
			}
			if values == 0 {
				out = append(out, word) // pflag says what is missing
			}
		case flag.NoOptDefVal == "" && i+1 < len(words):
			// The next word is this flag's value, whatever it looks like.
			out = append(out, word, words[i+1])
			i++
		default:
			out = append(out, word)
		}
	}
	return out
}

// lookUp finds the flag that word names, nil if it is none of c's, and tells
// whether word carries the flag's value.
func lookUp(c *cobra.Command, word string) (flag *pflag.Flag, hasValue bool) {
	if name, ok := strings.CutPrefix(word, "--"); ok {
		name, _, hasValue = strings.Cut(name, "=")
		if flag = c.Flags().Lookup(name); flag == nil {
			flag = c.InheritedFlags().Lookup(name)
		}
		return flag, hasValue
	}
	if !isFlag(word) {
		return nil, false
	}
	if flag = c.Flags().ShorthandLookup(word[1:2]); flag == nil {
		flag = c.InheritedFlags().ShorthandLookup(word[1:2])
	}
	return flag, len(word) > 2
}

// isValue tells a value of an override from another argument: a negative number is one.
func isValue(word string) bool {
	_, err := strconv.ParseFloat(word, 64)
	return err == nil || !isFlag(word) && !strings.Contains(word, "=")
}

// isFlag tells a flag from a value; "-" alone stands for standard input.
func isFlag(word string) bool { return len(word) > 1 && word[0] == '-' }

func isList(f *pflag.Flag) bool {
	_, ok := f.Annotations[listAnnotation]
	return ok
}
