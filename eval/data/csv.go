package evaldata

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"olmo/data"
)

// csvRows yields the rows of a table with a heading, columns typed as pandas.read_csv does it,
// which Hugging Face's datasets reads them with: a column is one of whole numbers, of numbers, of
// truth values or of texts, whichever all its values are; what pandas takes for a missing value
// (nothing, NA, None, null, …) is null, and makes numbers of whole numbers.
func csvRows(f io.Reader, place string, yield func(Row) bool) (more bool, err error) {
	return table(f, place, ',', yield)
}

func tsvRows(f io.Reader, place string, yield func(Row) bool) (more bool, err error) {
	return table(f, place, '\t', yield)
}

func table(f io.Reader, place string, comma rune, yield func(Row) bool) (more bool, err error) {
	text, done, err := unpack(f)
	if err != nil {
		return false, err
	}
	defer done()
	in := csv.NewReader(text)
	in.Comma, in.LazyQuotes, in.FieldsPerRecord = comma, true, -1
	heading, err := in.Read()
	if err == io.EOF {
		return false, errors.New("the table has no heading")
	}
	if err != nil {
		return false, err
	}
	for i, h := range heading {
		if h == "" { // as of a table that was written with its index
			h = fmt.Sprintf("Unnamed: %d", i)
			heading[i] = h
		}
		if !utf8.ValidString(h) {
			return false, fmt.Errorf("the heading: %w", errUTF8)
		}
		if slices.Contains(heading[:i], h) {
			return false, fmt.Errorf("two columns are called %q", h)
		}
	}
	var rows [][]string
	var lines []int
	columns := make([]column, len(heading))
	for i := range columns {
		columns[i] = column{whole: true, number: true, truth: true}
	}
	for {
		fields, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
		line, _ := in.FieldPos(0)
		if len(fields) > len(heading) {
			return false, fmt.Errorf("line %d: the row has %d fields, the heading has %d", line, len(fields), len(heading))
		}
		for len(fields) < len(heading) {
			fields = append(fields, "")
		}
		for i, v := range fields {
			if !utf8.ValidString(v) {
				return false, fmt.Errorf("line %d: %w", line, errUTF8)
			}
			columns[i].see(v)
		}
		rows, lines = append(rows, fields), append(lines, line)
	}
	for n, fields := range rows {
		row := []byte{'{'}
		for i, v := range fields {
			if i > 0 {
				row = append(row, ',')
			}
			row = columns[i].append(append(data.AppendString(row, heading[i]), ':'), v)
		}
		if !yield(Row{JSON: append(row, '}'), Place: fmt.Sprintf("%s:%d", place, lines[n])}) {
			return false, nil
		}
	}
	return true, nil
}

// column is what the values of a column may be.
type column struct {
	whole, number, truth bool
	unsigned, signed     bool // there is one above the largest int64, and one below zero
	missing              bool // there is one that is missing
}

// absent are the values that pandas 3 (io/parsers, STR_NA_VALUES) takes for missing ones.
var absent = []string{
	"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
	"NaN", "None", "n/a", "nan", "null",
}

func (c *column) see(v string) {
	if slices.Contains(absent, v) {
		c.missing = true
		return
	}
	if _, ok := truth(v); !ok {
		c.truth = false
	}
	if _, ok := number(v); !ok {
		c.number = false
	}
	n, unsigned, ok := whole(v)
	c.signed = c.signed || n < 0
	c.unsigned = c.unsigned || unsigned > math.MaxInt64
	// What is too large, or of both kinds, is not rounded.
	if digits := strings.Trim(v, " +-"); !ok && digits != "" && strings.Trim(digits, "0123456789") == "" || c.signed && c.unsigned {
		c.number = false
	}
	c.whole = c.whole && ok && c.number
}

// append appends a value as JSON.
func (c *column) append(dst []byte, v string) []byte {
	switch {
	case slices.Contains(absent, v):
		return append(dst, "null"...)
	case c.truth:
		t, _ := truth(v)
		return strconv.AppendBool(dst, t)
	case c.whole && !c.missing:
		n, unsigned, _ := whole(v)
		if n < 0 {
			return strconv.AppendInt(dst, n, 10)
		}
		return strconv.AppendUint(dst, unsigned, 10)
	case c.number:
		f, _ := number(v)
		return data.AppendFloat(dst, f)
	}
	return data.AppendString(dst, v)
}

func truth(v string) (value, ok bool) {
	switch v {
	case "True", "TRUE", "true":
		return true, true
	case "False", "FALSE", "false":
		return false, true
	}
	return false, false
}

// whole is a whole number, negative or not.
func whole(v string) (negative int64, unsigned uint64, ok bool) {
	v = strings.Trim(v, " ")
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n < 0 {
		return n, 0, true
	} else if err == nil {
		return 0, uint64(n), true
	}
	n, err := strconv.ParseUint(v, 10, 64)
	return 0, n, err == nil
}

// number is a decimal number, or an infinite one.
func number(v string) (float64, bool) {
	v = strings.Trim(v, " ")
	switch strings.ToLower(strings.TrimLeft(v, "+-")) {
	case "inf", "infinity":
		return math.Inf(1), true
	}
	if v == "" || strings.Trim(v, "0123456789+-.eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return f, true
}
