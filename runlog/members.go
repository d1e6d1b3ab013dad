package runlog

// Members gives each member of a line's object in the line's order: its key, and the bytes of its value,
// which each may keep only until it returns. It reports whether the line is a whole object; of one that
// is not, as a killed process leaves one, what came before the fault was given.
//
// It is for long lines of which little is wanted: what nobody asks for is passed over, not decoded.
func Members(line []byte, each func(key string, value []byte)) bool {
	p := parser{text: line, into: &Columns{}}
	p.space()
	if !p.take('{') {
		return false
	}
	for i := 0; ; i++ {
		f, ok := p.field(i)
		if !ok {
			return false
		}
		if f == nil {
			p.space()
			return p.at == len(p.text)
		}
		from := p.at
		if _, _, ok := p.value(0); !ok {
			return false
		}
		each(f.key, line[from:p.at])
	}
}
