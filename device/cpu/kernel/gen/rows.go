package main

func slices(names ...string) []param {
	var p []param
	for _, n := range names {
		p = append(p, param{n, floats})
	}
	return p
}

func with(p []param, scalars ...string) []param {
	for _, n := range scalars {
		p = append(p, param{n, scalar})
	}
	return p
}

// rows describes every row primitive; the formulas are those of
// generic.go and docs/numerics.md.
var rows = []*rowFunc{
	{
		name: "dot", params: slices("x", "y"), turn: 4, turn2: 4, reduce: lanesSum,
		body: func(f *row) { f.sumProduct(f.load("x"), f.load("y")) },
	},
	{
		name: "sum", params: slices("x"), turn: 4, turn2: 4, reduce: lanesSum,
		body: func(f *row) { f.sum(f.load("x")) },
	},
	{
		name: "max", params: slices("x"), turn: 4, turn2: 4, reduce: lanesMax,
		body: func(f *row) { f.largest(f.load("x")) },
	},
	{
		name: "expSum", params: with(slices("dst", "x"), "m"), turn: 3, turn2: 2, reduce: lanesSum,
		body: func(f *row) {
			e := f.exp(f.sub(f.load("x"), f.uniform("m")))
			f.store("dst", e)
			f.sum(f.keep(e))
		},
	},
	{
		name: "add", params: slices("dst", "a", "b"), turn: 4, turn2: 4,
		body: func(f *row) { f.store("dst", f.add(f.load("a"), f.load("b"))) },
	},
	{
		name: "scale", params: with(slices("dst", "x"), "s"), turn: 4, turn2: 4,
		body: func(f *row) { f.store("dst", f.mul(f.load("x"), f.uniform("s"))) },
	},
	{
		name: "fma", params: slices("acc", "x", "y"), turn: 4, turn2: 4,
		body: func(f *row) { f.store("acc", f.fma(f.load("x"), f.load("y"), f.load("acc"))) },
	},
	{
		name: "lin2", params: with(slices("dst", "a", "b"), "s", "t"), turn: 4, turn2: 4,
		body: func(f *row) {
			f.store("dst", f.add(f.mul(f.load("a"), f.uniform("s")), f.mul(f.load("b"), f.uniform("t"))))
		},
	},
	{
		name: "mulAdd", params: with(slices("dst", "b", "g"), "s"), turn: 4, turn2: 4,
		body: func(f *row) { f.store("dst", f.add(f.mul(f.load("b"), f.uniform("s")), f.load("g"))) },
	},
	{
		name: "div", params: with(slices("dst", "x"), "s"), turn: 4, turn2: 4,
		body: func(f *row) { f.store("dst", f.div(f.load("x"), f.uniform("s"))) },
	},
	{
		name: "shift", params: with(slices("dst", "x"), "s"), turn: 4, turn2: 4,
		body: func(f *row) { f.store("dst", f.sub(f.load("x"), f.uniform("s"))) },
	},
	{
		name: "layerApply", params: with(slices("dx", "g", "hat"), "rstd", "a", "c"), turn: 4, turn2: 2,
		body: func(f *row) {
			g := f.sub(f.load("g"), f.uniform("a"))
			f.store("dx", f.mul(f.sub(g, f.mul(f.load("hat"), f.uniform("c"))), f.uniform("rstd")))
		},
	},
	{
		name: "normApply", params: with(slices("y", "x", "w"), "rstd"), turn: 4, turn2: 4,
		body: func(f *row) {
			f.store("y", f.mul(f.mul(f.load("x"), f.uniform("rstd")), f.load("w")))
		},
	},
	{
		name: "rmsDot", params: with(slices("dy", "w", "x"), "rstd"), turn: 4, turn2: 4, reduce: lanesSum,
		body: func(f *row) {
			g := f.mul(f.load("dy"), f.load("w"))
			f.sumProduct(g, f.keep(f.mul(f.load("x"), f.uniform("rstd"))))
		},
	},
	{
		name: "rmsApply", params: with(slices("dx", "dy", "w", "x"), "rstd", "c"), turn: 4, turn2: 4,
		body: func(f *row) {
			g := f.mul(f.load("dy"), f.load("w"))
			h := f.mul(f.mul(f.load("x"), f.uniform("rstd")), f.uniform("c"))
			f.store("dx", f.mul(f.sub(g, h), f.uniform("rstd")))
		},
	},
	{
		name: "rmsWeight", params: with(slices("acc", "dy", "x"), "rstd"), turn: 4, turn2: 4,
		body: func(f *row) {
			f.store("acc", f.fma(f.load("dy"), f.mul(f.load("x"), f.uniform("rstd")), f.load("acc")))
		},
	},
	{
		name: "swiglu", params: slices("y", "u", "g"), turn: 3, turn2: 2,
		body: func(f *row) {
			g := f.load("g")
			t := f.mul(g, f.sigmoid(g))
			f.store("y", f.mul(t, f.load("u")))
		},
	},
	{
		name: "swigluBack", params: slices("du", "dg", "dy", "u", "g"), turn: 3, turn2: 2,
		body: func(f *row) {
			g := f.load("g")
			s := f.sigmoid(g)
			t := f.mul(g, s)
			dy := f.load("dy")
			d := f.mul(dy, f.load("u"))
			f.store("du", f.mul(dy, t))
			r := f.add(f.mul(f.sub(f.number("one", 1), s), t), s)
			f.store("dg", f.mul(d, r))
		},
	},
	{
		name: "rope", params: slices("y1", "y2", "x1", "x2", "cos", "sin"), turn: 2, turn2: 2,
		body: func(f *row) {
			a, b := f.load("x1"), f.load("x2")
			c, s := f.load("cos"), f.load("sin")
			y1 := f.sub(f.mul(a, c), f.mul(b, s))
			y2 := f.add(f.mul(b, c), f.mul(a, s))
			f.store("y1", y1)
			f.store("y2", y2)
		},
	},
	{
		name: "softmaxBack", params: with(slices("p", "ds", "e", "dp"), "inv", "delta", "scale"), turn: 4, turn2: 4,
		body: func(f *row) {
			q := f.mul(f.load("e"), f.uniform("inv"))
			d := f.sub(f.load("dp"), f.uniform("delta"))
			f.store("p", q)
			f.store("ds", f.mul(f.mul(q, d), f.uniform("scale")))
		},
	},
	{
		name: "adamw", params: append(slices("p", "m", "v", "g"), param{"s", adamw}), turn: 2, turn2: 1,
		body: func(f *row) {
			d := f.mul(f.load("g"), f.uniform("clip"))
			m := f.add(f.mul(f.load("m"), f.uniform("beta1")), f.mul(d, f.uniform("omb1")))
			f.store("m", m)
			v := f.add(f.mul(f.load("v"), f.uniform("beta2")), f.mul(f.mul(d, d), f.uniform("omb2")))
			f.store("v", v)
			den := f.add(f.div(f.sqrt(v), f.uniform("root")), f.uniform("eps"))
			step := f.div(f.mul(m, f.uniform("step")), den)
			f.store("p", f.sub(f.mul(f.load("p"), f.uniform("decay")), step))
		},
	},
	{
		name: "round", params: slices("dst", "x"), turn: 4, turn2: 2,
		body: func(f *row) { f.store("dst", f.bf16(f.load("x"))) },
	},
	{
		name: "roundSwap", params: slices("dst", "x"), turn: 4, turn2: 2, stores: even,
		body: func(f *row) { f.store("dst", f.swapPairs(f.bf16(f.load("x")))) },
	},
	{
		name: "roundPairs", params: []param{{"dst", words}, {"x", floats}}, turn: 4, turn2: 2, stores: pairs,
		body: func(f *row) { f.storePairs("dst", f.bf16(f.load("x"))) },
	},
	{
		name: "interleave", params: []param{{"dst", words}, {"even", floats}, {"odd", floats}}, turn: 4, turn2: 2,
		body: func(f *row) {
			even := f.upper(f.bf16(f.load("even")))
			f.store("dst", f.or(even, f.bf16(f.load("odd"))))
		},
	},
}
