package cli

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"olmo/config"
)

// limits is what a number of a config may be, from its tag limits: "1..100", "0.." or "..",
// which still is no NaN.
type limits struct{ low, high float64 }

func parseLimits(tag string) (limits, bool) {
	low, high, ok := strings.Cut(tag, "..")
	l := limits{math.Inf(-1), math.Inf(1)}
	for text, to := range map[string]*float64{low: &l.low, high: &l.high} {
		if text != "" {
			v, err := strconv.ParseFloat(text, 64)
			ok = ok && err == nil
			*to = v
		}
	}
	return l, ok
}

// text says what a number must be: "a number from 1 to 100".
func (l limits) text(kind string) string {
	switch low, high := !math.IsInf(l.low, 0), !math.IsInf(l.high, 0); {
	case low && high:
		return fmt.Sprintf("%s from %s to %s", kind, plainNumber(l.low), plainNumber(l.high))
	case low:
		return fmt.Sprintf("%s of %s or more", kind, plainNumber(l.low))
	}
	return kind
}

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (l limits) hold(v float64) bool { return v >= l.low && v <= l.high }

// numberFlag is a flag whose value the config judges: a number that is wrong is told
// with its limits.
type numberFlag struct {
	text   string
	kind   string
	limits limits
}

func newNumberFlag(f reflect.StructField, value any) *numberFlag {
	l, ok := parseLimits(f.Tag.Get("limits"))
	if !ok {
		panic(f.Name + " has no limits")
	}
	return &numberFlag{fmt.Sprint(value), kindOf(f.Type), l}
}

func (n *numberFlag) String() string { return n.text }

func (n *numberFlag) Set(text string) error {
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("it is empty, want %s", n.want())
	}
	n.text = text
	return nil
}

func (n *numberFlag) Type() string {
	if n.kind == "a number" {
		return "float"
	}
	return "int"
}

// shown is what the help says beside the flag's own words: limits that are not plain.
func (n *numberFlag) shown(help string) string {
	if n.limits.high <= 1<<20 && !strings.Contains(help, "accepted for") {
		return fmt.Sprintf("%s; %s to %s", help, plainNumber(n.limits.low), plainNumber(n.limits.high))
	}
	return help
}

func (n *numberFlag) want() string { return n.limits.text(n.kind) }

// kindOf names what a field of a config takes, "" for what is no number.
func kindOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint64:
		return "an integer"
	case reflect.Float64:
		return "a number"
	}
	return ""
}

// checkLimits looks at every number of a config, and at every list of texts for one that is
// empty; given tells which keys flags set.
func checkLimits(v reflect.Value, prefix string, given func(key string) bool) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return checkLimits(v.Elem(), prefix, given)
	case reflect.Slice:
		for i := range v.Len() {
			if e := v.Index(i); e.Kind() == reflect.String && e.Len() == 0 {
				return fmt.Errorf("%s[%d] is empty", prefix, i)
			}
			if err := checkLimits(v.Index(i), fmt.Sprintf("%s[%d]", prefix, i), given); err != nil {
				return err
			}
		}
		return nil
	case reflect.Struct:
	default:
		return nil
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		name := prefix
		if options != "inline" {
			if key == "" || key == "-" {
				continue
			}
			if name != "" {
				name += "."
			}
			name += key
		}
		field := v.Field(i)
		for field.Kind() == reflect.Pointer && !field.IsNil() {
			field = field.Elem()
		}
		if l, ok := parseLimits(f.Tag.Get("limits")); ok && field.Kind() == reflect.Slice {
			for k := range field.Len() {
				if x := field.Index(k); !l.hold(float64(x.Int())) {
					return limitError(name, x.Interface(), l.text("integers"), given)
				}
			}
			continue
		}
		kind := kindOf(field.Type())
		if kind == "" || field.Kind() == reflect.Pointer {
			if err := checkLimits(field, name, given); err != nil {
				return err
			}
			continue
		}
		l, ok := parseLimits(f.Tag.Get("limits"))
		var x float64
		switch {
		case !ok:
			panic(fmt.Sprintf("%s has no limits", name))
		case field.CanInt():
			x = float64(field.Int())
		case field.CanUint():
			x = float64(field.Uint())
		default:
			x = field.Float()
		}
		if !l.hold(x) {
			return limitError(name, field.Interface(), l.text(kind), given)
		}
	}
	return nil
}

func limitError(name string, value any, want string, given func(key string) bool) error {
	if given(name) {
		return usageErrorf("--%s is %v, want %s", name, value, want)
	}
	return fmt.Errorf("%s is %v, want %s", name, value, want)
}

// overrideError puts a mistake in an override of the config into the words of the flag that
// made it.
func overrideError(flags *pflag.FlagSet, err *config.Error) error {
	what, _, _ := strings.Cut(err.Msg, ", want ")
	want := strings.TrimPrefix(err.Msg, what+", want ")
	if f := flags.Lookup(err.Key); f != nil {
		if n, ok := f.Value.(*numberFlag); ok {
			what, want = fmt.Sprintf("is %q", n.text), n.want()
		}
	}
	text := "--" + err.Key + " " + what
	if want != err.Msg {
		text += ", want " + want
	}
	if err.Hint != "" {
		text += "\nhint: " + err.Hint
	}
	return &usageError{errors.New(text)}
}

// checkFilled looks for flags that a shell's variable did not fill: --key "$KEY" must not mean that no key is
// asked for.
func checkFilled(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			err = usageErrorf("--%s is empty", f.Name)
		}
	})
	return cmp.Or(err, checkLists(flags))
}

// checkLists looks for an empty word among the values of list flags: a pattern that a
// shell's variable did not fill.
func checkLists(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok && slices.Contains(list.GetSlice(), "") {
			err = usageErrorf("--%s: one of its values is empty", f.Name)
		}
	})
	return err
}
