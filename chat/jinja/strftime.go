package jinja

import (
	"fmt"
	"strings"
	"time"
)

// strftime writes the time of the rendering, as glibc does for Python in the C locale.
// %Z and %z are empty: the time that Transformers takes has no zone.
func strftime(r *renderer, format string) string {
	var b strings.Builder
	writeTime(&b, r.now(), format)
	return b.String()
}

// composed are the directives that stand for others.
var composed = map[byte]string{
	'D': "%m/%d/%y", 'F': "%Y-%m-%d", 'T': "%H:%M:%S", 'R': "%H:%M", 'r': "%I:%M:%S %p",
	'c': "%a %b %e %H:%M:%S %Y", 'x': "%m/%d/%y", 'X': "%H:%M:%S",
}

func writeTime(b *strings.Builder, t time.Time, format string) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		flag := byte(0)
		if strings.IndexByte("-_0^", format[i]) >= 0 && i+1 < len(format) {
			flag = format[i]
			i++
		}
		number := func(n, width int, pad byte) {
			switch flag {
			case '-':
				width = 0
			case '_':
				pad = ' '
			case '0':
				pad = '0'
			}
			s := fmt.Sprint(n)
			for range width - len(s) {
				b.WriteByte(pad)
			}
			b.WriteString(s)
		}
		word := func(s string) {
			if flag == '^' {
				s = strings.ToUpper(s)
			}
			b.WriteString(s)
		}
		if of, ok := composed[format[i]]; ok && flag == 0 {
			writeTime(b, t, of)
			continue
		}
		isoYear, isoWeek := t.ISOWeek()
		monday := (int(t.Weekday()) + 6) % 7
		switch format[i] {
		case 'd':
			number(t.Day(), 2, '0')
		case 'e':
			number(t.Day(), 2, ' ')
		case 'm':
			number(int(t.Month()), 2, '0')
		case 'y':
			number(t.Year()%100, 2, '0')
		case 'C':
			number(t.Year()/100, 2, '0')
		case 'Y':
			number(t.Year(), 4, '0')
		case 'G':
			number(isoYear, 4, '0')
		case 'g':
			number(isoYear%100, 2, '0')
		case 'V':
			number(isoWeek, 2, '0')
		case 'U':
			number((t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
		case 'W':
			number((t.YearDay()+6-monday)/7, 2, '0')
		case 'u':
			number(monday+1, 1, '0')
		case 'w':
			number(int(t.Weekday()), 1, '0')
		case 'j':
			number(t.YearDay(), 3, '0')
		case 'H':
			number(t.Hour(), 2, '0')
		case 'k':
			number(t.Hour(), 2, ' ')
		case 'I':
			number((t.Hour()+11)%12+1, 2, '0')
		case 'l':
			number((t.Hour()+11)%12+1, 2, ' ')
		case 'M':
			number(t.Minute(), 2, '0')
		case 'S':
			number(t.Second(), 2, '0')
		case 'f':
			number(t.Nanosecond()/1000, 6, '0')
		case 'B':
			word(t.Month().String())
		case 'b', 'h':
			word(t.Month().String()[:3])
		case 'A':
			word(t.Weekday().String())
		case 'a':
			word(t.Weekday().String()[:3])
		case 'p':
			word(t.Format("PM"))
		case 'P':
			word(t.Format("pm"))
		case 'Z', 'z':
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '%':
			b.WriteByte('%')
		default:
			raise("strftime_now does not know %%%c", format[i])
		}
	}
}
