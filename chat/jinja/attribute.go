package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// changing are the methods by which Python changes a value; the sandbox refuses them.
var changing = map[string][]string{
	"list": {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
}

// undefinedHas are the names beginning with "_" that an undefined value has, so that
// asking for them is no error but undefined.
var undefinedHas = strings.Fields(`__add__ __aiter__ __bool__ __call__ __class__ __complex__ __delattr__ __dir__
	__div__ __doc__ __eq__ __float__ __floordiv__ __format__ __ge__ __getattr__ __getattribute__ __getitem__
	__getstate__ __gt__ __hash__ __init__ __init_subclass__ __int__ __iter__ __le__ __len__ __lt__ __mod__
	__module__ __mul__ __ne__ __neg__ __new__ __pos__ __pow__ __radd__ __rdiv__ __reduce__ __reduce_ex__
	__repr__ __rfloordiv__ __rmod__ __rmul__ __rpow__ __rsub__ __rtruediv__ __setattr__ __sizeof__ __slots__
	__str__ __sub__ __subclasshook__ __truediv__ _fail_with_undefined_error _undefined_exception
	_undefined_hint _undefined_message _undefined_name _undefined_obj`)

// missing is undefined for a part of x that is not there.
func (r *renderer) missing(x, name any) *undefined {
	if s, ok := name.(string); ok {
		return r.undefined("'%s object' has no attribute '%s'", strings.TrimPrefix(typeName(x), "Undefined"), s)
	}
	return r.undefined("%s object has no element at that place", typeName(x))
}

// getAttribute is x.name as the environment's getattr has it: the attribute of the
// Python value, or else its item of that name.
func (r *renderer) getAttribute(x any, name string) any {
	if v, ok := r.attribute(x, name); ok {
		return v
	}
	if v, ok := r.subscript(x, name); ok {
		return v
	}
	return r.missing(x, name)
}

// getItem is x[key] as the environment's getitem has it: the item, or else the
// attribute of that name.
func (r *renderer) getItem(x, key any) any {
	if v, ok := r.subscript(x, key); ok {
		return v
	}
	if name, ok := text(key); ok {
		if v, ok := r.attribute(x, name); ok {
			return v
		}
	}
	return r.missing(x, key)
}

// attribute is Python's getattr, as the sandbox lets it through; ok is false where
// Python has no such attribute.
func (r *renderer) attribute(x any, name string) (v any, ok bool) {
	private := strings.HasPrefix(name, "_")
	if u, isUndefined := x.(*undefined); isUndefined {
		if private && slices.Contains(undefinedHas, name) {
			return r.unsafe(x, name), true
		}
		u.fail()
	}
	if private {
		if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") && slices.Contains(undefinedHas, name) {
			return r.unsafe(x, name), true
		}
		return nil, false
	}
	var methods map[string]*signature
	switch x := x.(type) {
	case string, markup:
		methods = textMethods
	case octets:
		methods = octetsMethods
	case int64, bool, *big.Int:
		if v, ok := integerAttribute(x, name); ok {
			return v, true
		}
		methods = integerMethods
	case float64:
		if name == "real" || name == "imag" {
			return map[string]any{"real": x, "imag": 0.0}[name], true
		}
		methods = floatMethods
	case *List:
		switch {
		case !x.tuple && slices.Contains(changing["list"], name):
			return r.unsafe(x, name), true
		case x.group && name == "grouper":
			return x.items[0], true
		case x.group && name == "list":
			return x.items[1], true
		case name == "copy" && x.tuple:
			return nil, false
		}
		methods = listMethods
	case *Dict:
		if slices.Contains(changing["dict"], name) {
			return r.unsafe(x, name), true
		}
		methods = dictMethods
	case *view:
		if name == "mapping" {
			raise("the attribute 'mapping' is not supported")
		}
		if x.kind != "values" {
			methods = viewMethods
		}
	case span:
		switch name {
		case "start":
			return x.from, true
		case "stop":
			return x.to, true
		case "step":
			return x.by, true
		}
		methods = spanMethods
	case *namespace:
		if i, ok := x.of.at[name]; ok {
			return x.of.values[i], true
		}
	case *macro:
		return x.attribute(name)
	case *loop:
		if v, ok := x.attribute(name); ok {
			return v, true
		}
		methods = loopMethods
	case *cycler:
		switch name {
		case "items":
			return tuple(x.items...), true
		case "pos":
			return int64(x.at), true
		case "current":
			return x.items[x.at], true
		}
		methods = cyclerMethods
	case *joiner:
		switch name {
		case "sep":
			return x.separator, true
		case "used":
			return x.used, true
		}
	case *blockReference:
		switch name {
		case "name":
			return x.block.name, true
		case "super":
			return r.undefined("there is no parent block called '%s'", x.block.name), true
		}
	case *builtin:
		if x.signature == dictFunction && name == "fromkeys" {
			return &builtin{fromKeys, nil}, true
		}
	case *iterator:
		if name == "send" || name == "throw" || name == "close" || strings.HasPrefix(name, "gi_") {
			raise("the attribute '%s' of a generator is not supported", name)
		}
	}
	if f, ok := methods[name]; ok {
		return &builtin{f, x}, true
	}
	return nil, false
}

// unsafe is what stands for an attribute that the sandbox refuses; without a sandbox we
// have none to give.
func (r *renderer) unsafe(x any, name string) any {
	if !r.template.options.Chat {
		raise("the attribute '%s' of a value of type %s is not supported", name, typeName(x))
	}
	return r.undefined("access to attribute '%s' of '%s' object is unsafe", name, typeName(x))
}

func integerAttribute(x any, name string) (any, bool) {
	switch name {
	case "real", "numerator":
		return integer(toBig(x)), true
	case "imag":
		return int64(0), true
	case "denominator":
		return int64(1), true
	}
	return nil, false
}

var integerMethods map[string]*signature

func makeIntegerMethods() {
	integerMethods = methods(map[string]method{
		"bit_length": {"", func(c *call) any { return int64(toBig(c.self).BitLen()) }},
		"bit_count": {"", func(c *call) any {
			n := int64(0)
			for _, w := range toBig(c.self).Bits() {
				for ; w != 0; w &= w - 1 {
					n++
				}
			}
			return n
		}},
		"conjugate":        {"", func(c *call) any { return integer(toBig(c.self)) }},
		"as_integer_ratio": {"", func(c *call) any { return tuple(integer(toBig(c.self)), int64(1)) }},
		"to_bytes":         {"* **", unsupported},
		"from_bytes":       {"* **", unsupported},
	})
}

var floatMethods map[string]*signature

func makeFloatMethods() {
	floatMethods = methods(map[string]method{
		"is_integer": {"", func(c *call) any { f := c.self.(float64); return f == math.Trunc(f) && !math.IsInf(f, 0) }},
		"conjugate":  {"", func(c *call) any { return c.self }},
		"as_integer_ratio": {"", func(c *call) any {
			ratio := new(big.Rat).SetFloat64(c.self.(float64))
			if ratio == nil {
				raise("cannot convert %s to integer ratio", floatText(c.self.(float64)))
			}
			return tuple(integer(new(big.Int).Set(ratio.Num())), integer(new(big.Int).Set(ratio.Denom())))
		}},
		"hex":     {"", unsupported},
		"fromhex": {"string /", unsupported},
	})
}

func unsupported(c *call) any {
	raise("the method '%s' of type %s is not supported", c.f.name, typeName(c.self))
	return nil
}

// method is a row of a table of methods: parameters, as function reads them, and what
// it does.
type method struct {
	parameters string
	apply      func(c *call) any
}

func methods(rows map[string]method) map[string]*signature {
	table := map[string]*signature{}
	for name, m := range rows {
		table[name] = function(name, m.parameters, m.apply)
	}
	return table
}

var spanMethods map[string]*signature

func makeSpanMethods() {
	spanMethods = methods(map[string]method{
		"index": {"value /", func(c *call) any { return findItem(c, 0, -1) }},
		"count": {"value /", countItem},
	})
}

var viewMethods map[string]*signature

func makeViewMethods() {
	viewMethods = methods(map[string]method{
		"isdisjoint": {"other /", func(c *call) any {
			for _, x := range c.r.items(c.args[0]) {
				if c.r.contains(c.self, x) {
					return false
				}
			}
			return true
		}},
	})
}

var listMethods map[string]*signature

func makeListMethods() {
	listMethods = methods(map[string]method{
		"index": {"value start? stop? /", func(c *call) any {
			n := int64(len(c.self.(*List).items))
			clamp := func(i int64) int64 {
				if i < 0 {
					i = max(i, -n) + n
				}
				return i
			}
			return findItem(c, clamp(bound(c.arg(1, int64(0)))), clamp(bound(c.arg(2, n))))
		}},
		"count": {"value /", countItem},
		"copy":  {"", func(c *call) any { return c.r.list(c.self) }},
	})
}

// findItem is the method index, of the items from start up to stop, -1 for all.
func findItem(c *call, start, stop int64) any {
	for i, x := range c.r.items(c.self) {
		if int64(i) >= start && (stop < 0 || int64(i) < stop) && c.r.equal(x, c.args[0]) {
			return int64(i)
		}
	}
	raise("the value is not in %s", typeName(c.self))
	return nil
}

func countItem(c *call) any {
	n := int64(0)
	for _, x := range c.r.items(c.self) {
		if c.r.equal(x, c.args[0]) {
			n++
		}
	}
	return n
}

var dictMethods map[string]*signature

func makeDictMethods() {
	dictMethods = methods(map[string]method{
		"items":  {"", func(c *call) any { return &view{c.self.(*Dict), "items"} }},
		"keys":   {"", func(c *call) any { return &view{c.self.(*Dict), "keys"} }},
		"values": {"", func(c *call) any { return &view{c.self.(*Dict), "values"} }},
		"get": {"key default? /", func(c *call) any {
			if v, ok := c.self.(*Dict).get(c.args[0]); ok {
				return v
			}
			return c.arg(1, nil)
		}},
		"copy": {"", func(c *call) any {
			d := NewDict()
			c.r.update(d, c.self)
			return d
		}},
		"fromkeys": {"iterable value? /", fromKeysOf},
	})
}

// update sets what dict(from) has: of a mapping, or of pairs.
func (r *renderer) update(d *Dict, from any) {
	if m, ok := from.(*Dict); ok {
		r.steps += len(m.keys)
		r.step()
		for i, k := range m.keys {
			d.set(k, m.values[i])
		}
		return
	}
	known(from)
	next := r.iterate(from).next
	for x, ok := next(); ok; x, ok = next() {
		r.step()
		pair := r.items(x)
		if len(pair) != 2 {
			raise("dictionary update sequence element has length %d; 2 is required", len(pair))
		}
		d.set(pair[0], pair[1])
	}
}

func fromKeysOf(c *call) any {
	d := NewDict()
	for _, k := range c.r.items(c.args[0]) {
		d.set(k, c.arg(1, nil))
	}
	return d
}
