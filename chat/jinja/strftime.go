package jinja

import (
	"strconv"
	"strings"
)

var monthNames = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}

// strftime writes the time of the rendering.
func strftime(r *renderer, format string) string {
	t := r.now()
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		plain := format[i] == '-' && i+1 < len(format) // %-d: no leading zero
		if plain {
			i++
		}
		two := func(n int) {
			if n < 10 && !plain {
				b.WriteByte('0')
			}
			b.WriteString(strconv.Itoa(n))
		}
		switch format[i] {
		case 'd':
			two(t.Day())
		case 'm':
			two(int(t.Month()))
		case 'y':
			two(t.Year() % 100)
		case 'Y':
			b.WriteString(strconv.Itoa(t.Year()))
		case 'B':
			b.WriteString(monthNames[t.Month()-1])
		case 'b':
			b.WriteString(monthNames[t.Month()-1][:3])
		case 'A':
			b.WriteString(t.Weekday().String())
		case 'a':
			b.WriteString(t.Weekday().String()[:3])
		case 'H':
			two(t.Hour())
		case 'I':
			two((t.Hour()+11)%12 + 1)
		case 'M':
			two(t.Minute())
		case 'S':
			two(t.Second())
		case 'p':
			b.WriteString(t.Format("PM"))
		case 'j':
			b.WriteString(strconv.Itoa(1000 + t.YearDay())[1:])
		case 'Z':
			name, _ := t.Zone()
			b.WriteString(name)
		case '%':
			b.WriteByte('%')
		default:
			r.fail(0, "strftime_now does not know %%%c", format[i])
		}
	}
	return b.String()
}
