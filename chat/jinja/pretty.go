package jinja

import (
	"strings"
	"unicode/utf8"
)

// prettyWidth is how long a line of the filter pprint may be.
const prettyWidth = 80

// printer writes a value as Python's pprint.pformat does: on one line where it fits,
// with mappings' keys in order.
type printer struct {
	r *renderer
	b strings.Builder
}

func (r *renderer) pretty(v any) string {
	p := &printer{r: r}
	p.write(v, 0, 0, 0)
	return p.b.String()
}

func width(s string) int { return utf8.RuneCountInString(s) }

// sorted gives the places of a mapping's keys in their order.
func (p *printer) sorted(d *Dict) []int {
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	p.r.sortStable(order, func(i, j int) bool { return p.r.ordered("<", d.keys[i], d.keys[j], 0) })
	return order
}

// line is a value on one line.
func (p *printer) line(v any, depth int) string {
	p.r.spend(p.b.Len())
	if depth > maxDepth {
		raise("a value is nested too deeply")
	}
	switch v := v.(type) {
	case *Dict:
		parts := make([]string, len(v.keys))
		for i, at := range p.sorted(v) {
			parts[i] = p.line(v.keys[at], depth+1) + ": " + p.line(v.values[at], depth+1)
		}
		return "{" + p.r.joined(parts, ", ") + "}"
	case *List:
		if v.group {
			break
		}
		parts := make([]string, len(v.items))
		for i, x := range v.items {
			parts[i] = p.line(x, depth+1)
		}
		body := p.r.joined(parts, ", ")
		switch {
		case !v.tuple:
			return "[" + body + "]"
		case len(parts) == 1:
			return "(" + body + ",)"
		}
		return "(" + body + ")"
	}
	return repr(v)
}

// write writes a value that begins in a column, with so much room kept behind it.
func (p *printer) write(v any, column, behind, depth int) {
	line := p.line(v, depth)
	if width(line) > prettyWidth-column-behind {
		switch v := v.(type) {
		case *Dict:
			p.b.WriteByte('{')
			for i, at := range p.sorted(v) {
				if i > 0 {
					p.newline(column + 1)
				}
				key := p.line(v.keys[at], depth+1)
				p.b.WriteString(key + ": ")
				p.write(v.values[at], column+1+width(key)+2, p.behind(i, len(v.keys), behind+1), depth+1)
			}
			p.b.WriteByte('}')
			return
		case *List:
			if v.group {
				break
			}
			open, end := "[", "]"
			if v.tuple {
				open, end = "(", ")"
				if len(v.items) == 1 {
					end = ",)"
				}
			}
			p.b.WriteString(open)
			for i, x := range v.items {
				if i > 0 {
					p.newline(column + 1)
				}
				p.write(x, column+1, p.behind(i, len(v.items), behind+len(end)), depth+1)
			}
			p.b.WriteString(end)
			return
		case string:
			p.text(v, column, behind, depth+1)
			return
		case octets:
			if len(v) > 4 {
				raise("pprint of long bytes is not supported")
			}
		}
	}
	p.b.WriteString(line)
}

// behind is the room behind an item: for a comma, or for what closes.
func (p *printer) behind(i, n, last int) int {
	if i == n-1 {
		return last
	}
	return 1
}

func (p *printer) newline(column int) {
	p.b.WriteString(",\n" + strings.Repeat(" ", column))
}

// text writes a long text in pieces.
func (p *printer) text(s string, column, behind, level int) {
	if level == 1 {
		column++
		behind++
	}
	most := prettyWidth - column
	var chunks []string
	whole := ""
	lines := splitLines(s, true)
	for i, line := range lines {
		lastLine := i == len(lines)-1
		room := most
		if lastLine {
			room -= behind
		}
		whole = repr(line)
		if width(whole) <= room {
			chunks = append(chunks, whole)
			continue
		}
		room = most
		parts := spacedWords(line)
		current := ""
		for j, part := range parts {
			if lastLine && j == len(parts)-1 {
				room -= behind
			}
			p.r.step()
			if width(repr(current+part)) > room {
				if current != "" {
					chunks = append(chunks, repr(current))
				}
				current = part
			} else {
				current += part
			}
		}
		if current != "" {
			chunks = append(chunks, repr(current))
		}
	}
	if len(chunks) == 1 {
		p.b.WriteString(whole)
		return
	}
	if level == 1 {
		p.b.WriteByte('(')
	}
	for i, c := range chunks {
		if i > 0 {
			p.b.WriteString("\n" + strings.Repeat(" ", column))
		}
		p.b.WriteString(c)
	}
	if level == 1 {
		p.b.WriteByte(')')
	}
}

// spacedWords cuts a line into words, each with the white space behind it.
func spacedWords(line string) []string {
	var out []string
	for line != "" {
		n := strings.IndexFunc(line, isSpace)
		if n < 0 {
			return append(out, line)
		}
		rest := strings.TrimLeftFunc(line[n:], isSpace)
		out = append(out, line[:len(line)-len(rest)])
		line = rest
	}
	return out
}
