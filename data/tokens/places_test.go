package tokens

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"testing"
)

// A row is the same whether it is found whole in the buffer or read byte by byte.
func TestReadRow(t *testing.T) {
	for _, c := range []struct {
		text string
		want [][]string
	}{
		{"0,1,a document,source,1\r\n1,2,another one,source,2\n", [][]string{{"0", "1", "a document", "source", "1"}, {"1", "2", "another one", "source", "2"}}},
		{"0,1,no line break at the end,,1", [][]string{{"0", "1", "no line break at the end", "", "1"}}},
		{"0,1,\"quotes, and\r\na \"\"break\"\"\",s,1\r\n\r\n,\n", [][]string{{"0", "1", "quotes, and\r\na \"break\"", "s", "1"}, {""}, {"", ""}}},
		{"0,1,a \"quote\" within,s\rt,1\r\n", [][]string{{"0", "1", "a \"quote\" within", "st", "1"}}},
	} {
		for _, size := range []int{16, 1 << 10} {
			in := bufio.NewReaderSize(strings.NewReader(c.text), size)
			for i := 0; ; i++ {
				fields, err := readRow(in, nil)
				var got []string
				for _, f := range fields {
					got = append(got, string(f))
				}
				if err == io.EOF {
					if i != len(c.want) {
						t.Errorf("%q, %d bytes at a time: %d rows, want %d", c.text, size, i, len(c.want))
					}
					break
				}
				if err != nil || i >= len(c.want) || !slices.Equal(got, c.want[i]) {
					t.Fatalf("%q, %d bytes at a time: row %d is %q, %v", c.text, size, i, got, err)
				}
			}
		}
	}
}
