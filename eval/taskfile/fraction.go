package taskfile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	evaldata "olmo/eval/data"
	"olmo/eval/python"
)

// evenFractions writes the whole numbers of a field as fractions where other rows have one there: 5
// beside 2.5 is 5.0, in prompts and in the hash. A column has one type in the data sets that lm-eval
// asks (datasets 5.2, the builder json).
func evenFractions(rows []evaldata.Row) {
	if !slices.ContainsFunc(rows, func(r evaldata.Row) bool { return mayHoldFraction(r.JSON) }) {
		return
	}
	whole, fraction := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		numerals(r.JSON, func(path string, n json.Number, _ int64) {
			if isWhole(n) {
				whole[path] = true
			} else {
				fraction[path] = true
			}
		})
	}
	for path := range fraction {
		if !whole[path] {
			delete(fraction, path)
		}
	}
	if len(fraction) == 0 {
		return
	}
	for i := range rows {
		var out []byte
		done := int64(0)
		numerals(rows[i].JSON, func(path string, n json.Number, end int64) {
			if !fraction[path] || strings.ContainsAny(string(n), ".eE") {
				return
			}
			f, err := n.Float64()
			if err != nil {
				return // too large for a fraction
			}
			out = append(append(out, rows[i].JSON[done:end-int64(len(n))]...), python.Float(f)...)
			done = end
		})
		if done > 0 {
			rows[i].JSON = append(out, rows[i].JSON[done:]...)
		}
	}
}

// mayHoldFraction is quick and may err on the side of yes: a digit before a point or an e.
func mayHoldFraction(text []byte) bool {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '.', 'e', 'E':
			if c := text[i-1]; c >= '0' && c <= '9' {
				return true
			}
		}
	}
	return false
}

// isWhole reports an integer of 64 bits; datasets makes fractions of larger ones.
func isWhole(n json.Number) bool {
	_, err := strconv.ParseInt(string(n), 10, 64)
	return err == nil
}

// numerals calls each for every number of a row, with the path of its field, in which the items of a
// list are one, and the offset where it ends. It stops at what is no JSON, which reading the row
// says.
func numerals(text []byte, each func(path string, n json.Number, end int64)) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value func(path string, depth int) bool
	value = func(path string, depth int) bool {
		t, err := d.Token()
		if err != nil || depth > 1000 {
			return false
		}
		switch t := t.(type) {
		case json.Number:
			each(path, t, d.InputOffset())
		case json.Delim:
			for d.More() {
				below := path + "\x00"
				if t == '{' {
					key, err := d.Token()
					if err != nil {
						return false
					}
					below += key.(string)
				}
				if !value(below, depth+1) {
					return false
				}
			}
			_, err = d.Token()
		}
		return err == nil
	}
	value("", 0)
}
