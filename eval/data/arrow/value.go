package arrow

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"olmo/data"
)

// object appends row i of the columns as a JSON object.
func object(dst []byte, fields []field, columns []column, i int64) (_ []byte, err error) {
	dst = append(dst, '{')
	for k := range fields {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = append(data.AppendString(dst, fields[k].name), ':')
		if dst, err = value(dst, &fields[k], &columns[k], i); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// value appends value i of a column: numbers and booleans as such, bytes that are no text in
// base64, times in ISO 8601, as the rows of Parquet files have them.
func value(dst []byte, f *field, c *column, i int64) (_ []byte, err error) {
	if c.null(i) {
		return append(dst, "null"...), nil
	}
	if f.dictionary {
		n := c.signed(i, f.bits)
		if !f.signed {
			n = int64(c.bits(i, f.bits))
		}
		if n < 0 || n >= c.values.length {
			return dst, errColumn(f, "value %d of a dictionary of %d", n, c.values.length)
		}
		return value(dst, f.values, c.values, n)
	}
	switch f.kind {
	case nullKind:
		return append(dst, "null"...), nil
	case boolKind:
		return strconv.AppendBool(dst, bit(c.data, i)), nil
	case integerKind:
		if !f.signed {
			return strconv.AppendUint(dst, c.bits(i, f.bits), 10), nil
		}
		return strconv.AppendInt(dst, c.signed(i, f.bits), 10), nil
	case floatKind:
		return data.AppendFloat(dst, real(c.bits(i, f.bits), f.bits)), nil
	case dateKind:
		per := f.unit * 86400
		if f.unit == 0 {
			per = 1
		}
		return quoteTime(dst, time.Unix(floorDiv(c.signed(i, f.bits), per)*86400, 0), "2006-01-02"), nil
	case clockKind, timestampKind:
		layout := "2006-01-02T15:04:05.999999999"
		switch {
		case f.kind == clockKind:
			layout = "15:04:05.999999999"
		case f.zone:
			layout = time.RFC3339Nano
		}
		t := c.signed(i, f.bits)
		whole := floorDiv(t, f.unit)
		return quoteTime(dst, time.Unix(whole, (t-whole*f.unit)*(int64(time.Second)/f.unit)), layout), nil
	case fixedKind:
		return appendBytes(dst, f, c.data[i*int64(f.size):(i+1)*int64(f.size)])
	case textKind, bytesKind:
		return appendBytes(dst, f, c.data[c.offset(i):c.offset(i+1)])
	case structKind:
		return object(dst, f.children, c.children, i)
	case mapKind:
		return pairs(dst, f, c, c.offset(i), c.offset(i+1))
	case listKind:
		return elements(dst, f, c, c.offset(i), c.offset(i+1))
	}
	return elements(dst, f, c, i*int64(f.size), (i+1)*int64(f.size))
}

// elements appends a list of the child's values from first to end.
func elements(dst []byte, f *field, c *column, first, end int64) (_ []byte, err error) {
	dst = append(dst, '[')
	for i := first; i < end; i++ {
		if i > first {
			dst = append(dst, ',')
		}
		if dst, err = value(dst, &f.children[0], &c.children[0], i); err != nil {
			return dst, err
		}
		// Elements that take no room, nulls, can be as many as a file says.
		if err := data.CheckLine(len(dst)); err != nil {
			return dst, errColumn(f, "%v", err)
		}
	}
	return append(dst, ']'), nil
}

// pairs appends a map's entries from first to end as an object.
func pairs(dst []byte, f *field, c *column, first, end int64) (_ []byte, err error) {
	entry, entries := &f.children[0], &c.children[0]
	dst = append(dst, '{')
	for i := first; i < end; i++ {
		if i > first {
			dst = append(dst, ',')
		}
		key, err := value(nil, &entry.children[0], &entries.children[0], i)
		if err != nil {
			return dst, err
		}
		if len(key) == 0 || key[0] != '"' {
			key = data.AppendString(nil, string(key))
		}
		dst = append(append(dst, key...), ':')
		if dst, err = value(dst, &entry.children[1], &entries.children[1], i); err != nil {
			return dst, err
		}
		if err := data.CheckLine(len(dst)); err != nil {
			return dst, errColumn(f, "%v", err)
		}
	}
	return append(dst, '}'), nil
}

// appendBytes appends a text, or what is none in base64. A text that is none is an error.
func appendBytes(dst []byte, f *field, b []byte) ([]byte, error) {
	switch {
	case utf8.Valid(b):
		return data.AppendString(dst, string(b)), nil
	case f.kind == textKind:
		return dst, fmt.Errorf("column %s: the text is not valid UTF-8", f.name)
	}
	return data.AppendString(dst, base64.StdEncoding.EncodeToString(b)), nil
}

// real is the IEEE number of so many bits.
func real(b uint64, bits int) float64 {
	switch bits {
	case 64:
		return math.Float64frombits(b)
	case 32:
		return float64(math.Float32frombits(uint32(b)))
	}
	sign, e, m := 1-2*float64(b>>15), int(b>>10&31), float64(b&1023)
	switch e {
	case 0:
		return sign * math.Ldexp(m, -24)
	case 31:
		return math.NaN()
	}
	return sign * math.Ldexp(1024+m, e-25)
}

func quoteTime(dst []byte, t time.Time, layout string) []byte {
	return append(t.UTC().AppendFormat(append(dst, '"'), layout), '"')
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
