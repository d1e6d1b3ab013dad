package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// filter is one row of the table of filters.
type filter struct {
	// params are the names of the arguments in their order, "..." where any are
	// taken. What a template passes beyond them is refused, as Python does, rather
	// than dropped.
	params string
	apply  func(c *call) any
}

// call is one use of a filter: what it is applied to, and its arguments.
type call struct {
	r    *renderer
	x    any
	name string
	args []any
	kw   keywords
	line int
	// params are the filter's, for arg.
	params []string
}

// filters are those that templates may use by name.
var filters map[string]filter

// The table's own filters map, select and their kin look others up in it, so that
// it can't be filled where it is declared.
func init() {
	filters = map[string]filter{
		// Any value.
		"default":     {"default_value boolean", filterDefault},
		"string":      {"", func(c *call) any { return str(c.x) }},
		"safe":        {"", func(c *call) any { return c.x }},
		"tojson":      {"ensure_ascii indent separators sort_keys", filterToJSON},
		"escape":      {"", func(c *call) any { return markup.Replace(str(c.x)) }},
		"forceescape": {"", func(c *call) any { return markup.Replace(str(c.x)) }},

		// Text.
		"trim":       {"chars", func(c *call) any { return strip(str(c.x), c.arg("chars", nil), true, true) }},
		"lower":      {"", func(c *call) any { return strings.ToLower(str(c.x)) }},
		"upper":      {"", func(c *call) any { return strings.ToUpper(str(c.x)) }},
		"capitalize": {"", func(c *call) any { return capitalize(str(c.x)) }},
		"title":      {"", func(c *call) any { return titleWords(str(c.x)) }},
		"replace":    {"old new count", func(c *call) any { return c.r.replace(str(c.x), c.args, c.kw, c.line) }},
		"indent":     {"width first blank", filterIndent},

		// Numbers.
		"int":   {"default base", filterInt},
		"float": {"default", filterFloat},
		"abs":   {"", filterAbs},
		"round": {"precision method", filterRound},

		// Sequences and mappings.
		"length":   {"", filterLength},
		"list":     {"", func(c *call) any { return &List{items: slices.Clone(c.sequence())} }},
		"first":    {"", func(c *call) any { return c.end(0) }},
		"last":     {"", func(c *call) any { return c.end(-1) }},
		"join":     {"d attribute", filterJoin},
		"items":    {"", filterItems},
		"dictsort": {"case_sensitive by reverse", filterDictsort},
		"sort":     {"reverse case_sensitive attribute", filterSort},
		"reverse":  {"", filterReverse},
		"unique":   {"case_sensitive attribute", filterUnique},
		"min":      {"case_sensitive attribute", func(c *call) any { return c.extreme(false) }},
		"max":      {"case_sensitive attribute", func(c *call) any { return c.extreme(true) }},
		"sum":      {"attribute start", filterSum},
		"map":      {"...", filterMap},

		"select":     {"...", func(c *call) any { return c.choose(false, true) }},
		"reject":     {"...", func(c *call) any { return c.choose(false, false) }},
		"selectattr": {"...", func(c *call) any { return c.choose(true, true) }},
		"rejectattr": {"...", func(c *call) any { return c.choose(true, false) }},
	}
	for short, long := range map[string]string{"d": "default", "e": "escape", "count": "length"} {
		filters[short] = filters[long]
	}
}

// filter applies a filter of a template to x.
func (r *renderer) filter(n *filterNode, x any, s *scope) any {
	r.step(n.line)
	args, kw := r.arguments(n.args, n.kw, s)
	return r.applyFilter(n.name, x, args, kw, n.line)
}

func (r *renderer) applyFilter(name string, x any, args []any, kw keywords, line int) any {
	f, ok := filters[name]
	if !ok {
		r.fail(line, "no filter named '%s'", name)
	}
	c := &call{r: r, x: x, name: name, args: args, kw: kw, line: line}
	if f.params != "..." {
		c.params = strings.Fields(f.params)
		if len(args) > len(c.params) {
			r.fail(line, "the filter '%s' takes %d arguments, not %d", name, len(c.params), len(args))
		}
		for _, k := range kw {
			if !slices.Contains(c.params, k.name) {
				r.fail(line, "the filter '%s' has no argument '%s'", name, k.name)
			}
		}
	}
	return f.apply(c)
}

// arg is an argument, by its position or its name.
func (c *call) arg(name string, otherwise any) any {
	return named(c.args, c.kw, slices.Index(c.params, name), name, otherwise)
}

// sequence is what the filter goes through.
func (c *call) sequence() []any { return c.r.iterate(c.x, c.line) }

// attribute is the part of v that the argument of that name asks for, or v.
func (c *call) attribute(v any) any {
	if a := c.arg("attribute", nil); a != nil {
		return c.r.path(v, a, nil, c.line)
	}
	return v
}

func filterDefault(c *call) any {
	if isUndefined(c.x) || truth(c.arg("boolean", false)) && !truth(c.x) {
		return c.arg("default_value", "")
	}
	return c.x
}

// markup are the characters that mean something in HTML.
var markup = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

func filterIndent(c *call) any {
	pad, ok := c.arg("width", int64(4)).(string)
	if !ok {
		n, _ := toInt(c.arg("width", int64(4)))
		pad = c.r.repeated(" ", n, c.line)
	}
	first, blank := truth(c.arg("first", false)), truth(c.arg("blank", false))
	lines := strings.Split(str(c.x), "\n")
	for i, l := range lines {
		// blank is about the lines after the first, which first alone decides.
		if i == 0 && first || i > 0 && (l != "" || blank) {
			lines[i] = pad + l
		}
	}
	return strings.Join(lines, "\n")
}

func filterInt(c *call) any {
	switch v := c.x.(type) {
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return int64(v)
		}
	case string:
		base, _ := toInt(c.arg("base", int64(10)))
		if i, ok := parseInt(strings.TrimSpace(v), int(base)); ok {
			return i
		}
		if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			return int64(f)
		}
	}
	if i, ok := toInt(c.x); ok {
		return i
	}
	return c.arg("default", int64(0))
}

// parseInt is Python's int with a base: the prefix of bases 2, 8 and 16 may stand
// there, and 0 asks it.
func parseInt(s string, base int) (int64, bool) {
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	if prefix := map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]; prefix != "" {
		if len(s) > 2 && strings.EqualFold(s[:2], prefix) {
			s = s[2:]
		}
	}
	i, err := strconv.ParseInt(sign+s, base, 64)
	return i, err == nil
}

func filterFloat(c *call) any {
	if isNumber(c.x) {
		return toFloat(c.x)
	}
	if f, err := strconv.ParseFloat(strings.TrimSpace(str(c.x)), 64); err == nil {
		return f
	}
	return c.arg("default", 0.0)
}

func filterAbs(c *call) any {
	if i, ok := toInt(c.x); ok {
		return max(i, -i)
	}
	return math.Abs(toFloat(c.x))
}

func filterRound(c *call) any {
	digits, _ := toInt(c.arg("precision", int64(0)))
	method := str(c.arg("method", "common"))
	if i, ok := toInt(c.x); ok && method == "common" {
		return roundInt(i, digits)
	}
	x := toFloat(c.x)
	scale := math.Pow(10, float64(digits))
	switch method {
	case "ceil":
		return math.Ceil(x*scale) / scale
	case "floor":
		return math.Floor(x*scale) / scale
	case "common":
		return roundHalfEven(x, int(digits))
	}
	c.r.fail(c.line, "method must be common, ceil or floor")
	return nil
}

// roundInt is Python's round of an integer, to tens and the like.
func roundInt(i, digits int64) int64 {
	scale := int64(1)
	for range min(max(-digits, 0), 19) {
		if scale > math.MaxInt64/10 {
			return 0
		}
		scale *= 10
	}
	down := i - ((i%scale)+scale)%scale
	switch rest := i - down; {
	case rest > scale-rest, rest == scale-rest && down/scale%2 != 0:
		return down + scale
	}
	return down
}

// roundHalfEven is Python's round: of the exact value, so that 2.675, which is a
// little less, gives 2.67.
func roundHalfEven(x float64, digits int) float64 {
	if digits < 0 {
		scale := math.Pow(10, float64(-digits))
		return math.RoundToEven(x/scale) * scale
	}
	// The decimal text of that many digits is rounded from the exact value, and to
	// even where it is a tie.
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', min(digits, 400), 64), 64)
	if err != nil {
		return x
	}
	return y
}

func filterLength(c *call) any {
	switch v := c.x.(type) {
	case string:
		return runeLen(v)
	case *List, *Dict, undefined:
		return int64(len(c.sequence()))
	}
	c.r.fail(c.line, "object of type '%s' has no len()", typeName(c.x))
	return nil
}

// end is the first (0) or the last (-1) of a sequence.
func (c *call) end(i int) any {
	items := c.sequence()
	if len(items) == 0 {
		return undefined{"No " + c.name + " item, sequence was empty."}
	}
	return items[(i+len(items))%len(items)]
}

func filterJoin(c *call) any {
	var parts []string
	size := 0
	for _, v := range c.sequence() {
		parts = append(parts, str(c.attribute(v)))
		if size += len(parts[len(parts)-1]); size > maxOutput {
			c.r.fail(c.line, "the template's text is too long")
		}
	}
	return strings.Join(parts, str(c.arg("d", "")))
}

func filterItems(c *call) any {
	switch d := c.x.(type) {
	case *Dict:
		return itemsOf(d, d.keys)
	case undefined:
		return &List{}
	}
	c.r.fail(c.line, "Can only get item pairs from a mapping.")
	return nil
}

func filterDictsort(c *call) any {
	d, ok := c.x.(*Dict)
	if !ok {
		c.r.fail(c.line, "'%s' object has no attribute 'items'", typeName(c.x))
	}
	place := 0
	switch by := str(c.arg("by", "key")); by {
	case "key":
	case "value":
		place = 1
	default:
		c.r.fail(c.line, `You can only sort by either "key" or "value"`)
	}
	items := itemsOf(d, d.keys)
	c.sort(items.items, truth(c.arg("reverse", false)), func(v any) any { return v.(*List).items[place] })
	return items
}

func filterSort(c *call) any {
	items := slices.Clone(c.sequence())
	c.sort(items, truth(c.arg("reverse", false)), c.attribute)
	return &List{items: items}
}

// sort puts items into the order of their keys. Letters' case counts only where the
// argument case_sensitive says so.
func (c *call) sort(items []any, reverse bool, key func(any) any) {
	c.r.steps += len(items) * 8
	fold := c.fold()
	slices.SortStableFunc(items, func(a, b any) int {
		x, y := fold(key(a)), fold(key(b))
		order := 0
		if c.r.compare("<", x, y, c.line) {
			order = -1
		} else if c.r.compare(">", x, y, c.line) {
			order = 1
		}
		if reverse {
			return -order
		}
		return order
	})
}

// fold is how the filter compares: without letters' case unless case_sensitive is set.
func (c *call) fold() func(any) any {
	if truth(c.arg("case_sensitive", false)) {
		return func(v any) any { return v }
	}
	return func(v any) any {
		if s, ok := v.(string); ok {
			return strings.ToLower(s)
		}
		return v
	}
}

func filterReverse(c *call) any {
	if t, ok := c.x.(string); ok {
		runes := []rune(t)
		slices.Reverse(runes)
		return string(runes)
	}
	items := slices.Clone(c.sequence())
	slices.Reverse(items)
	return &List{items: items}
}

func filterUnique(c *call) any {
	l := &List{}
	var seen []any
	fold := c.fold()
	for _, v := range c.sequence() {
		// Each is compared with all before it.
		c.r.steps += len(seen)
		c.r.step(c.line)
		key := fold(c.attribute(v))
		if !slices.ContainsFunc(seen, func(w any) bool { return equal(key, w) }) {
			seen = append(seen, key)
			l.items = append(l.items, v)
		}
	}
	return l
}

// extreme is the first of the least or the greatest items.
func (c *call) extreme(greatest bool) any {
	items := slices.Clone(c.sequence())
	if len(items) == 0 {
		return undefined{"No aggregated item, sequence was empty."}
	}
	c.sort(items, greatest, c.attribute)
	return items[0]
}

func filterSum(c *call) any {
	total := c.arg("start", int64(0))
	for _, v := range c.sequence() {
		v = c.attribute(v)
		if !isNumber(v) || !isNumber(total) {
			c.r.fail(c.line, "unsupported operand type(s) for +: '%s' and '%s'", typeName(total), typeName(v))
		}
		total = c.r.arithmetic("+", total, v, c.line)
	}
	return total
}

// choose keeps the items for which a test (or their own truth) is as wanted; with
// byAttribute the test looks at the attribute that the first argument names.
func (c *call) choose(byAttribute, wanted bool) any {
	l := &List{}
	for _, v := range c.sequence() {
		rest, tested := c.args, v
		if byAttribute {
			tested, rest = c.r.path(v, arg(c.args, 0, ""), nil, c.line), c.args[min(1, len(c.args)):]
		}
		ok := truth(tested)
		if len(rest) > 0 {
			ok = c.r.test(str(rest[0]), tested, rest[1:], c.line)
		}
		if ok == wanted {
			l.items = append(l.items, v)
		}
	}
	return l
}

// filterMap takes an attribute of each item, or applies the filter that the first
// argument names.
func filterMap(c *call) any {
	l := &List{}
	attribute, byAttribute := c.kw.get("attribute")
	for _, v := range c.sequence() {
		switch {
		case byAttribute:
			missing, _ := c.kw.get("default")
			v = c.r.path(v, attribute, missing, c.line)
		case len(c.args) > 0:
			v = c.r.applyFilter(str(c.args[0]), v, c.args[1:], c.kw, c.line)
		default:
			c.r.fail(c.line, "map needs a filter's name or an attribute")
		}
		l.items = append(l.items, v)
	}
	return l
}

// path is an attribute such as "function.name" or "0". missing, unless it is nil,
// stands for what is not there, at each step.
func (r *renderer) path(v, attribute, missing any, line int) any {
	parts := []string{str(attribute)}
	if s, ok := attribute.(string); ok {
		parts = strings.Split(s, ".")
	}
	for _, name := range parts {
		if i, err := strconv.ParseInt(name, 10, 64); err == nil {
			v = r.item(v, i, name, line)
		} else {
			v = r.item(v, name, name, line)
		}
		if missing != nil && isUndefined(v) {
			v = missing
		}
	}
	return v
}
