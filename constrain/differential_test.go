package constrain

import (
	"bufio"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"testing"
)

var (
	differentialIn  = flag.String("in", "", "lines {schema, texts} for TestDifferential, which testdata/differential.py writes")
	differentialOut = flag.String("out", "", "lines {error, taken, walks}, which it compares with the package jsonschema")
)

// TestDifferential answers questions of testdata/differential.py: which texts a schema takes,
// and texts that are drawn by its masks.
func TestDifferential(t *testing.T) {
	if *differentialIn == "" {
		t.Skip("testdata/differential.py runs this")
	}
	in, err := os.Open(*differentialIn)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(*differentialOut)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<26)
	for seed := uint64(0); lines.Scan(); seed++ {
		var q struct {
			Schema json.RawMessage
			Texts  []string
			Walks  int
		}
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			t.Fatal(err)
		}
		var a struct {
			Error string   `json:"error"`
			Taken []bool   `json:"taken"`
			Walks []string `json:"walks"`
		}
		g, err := Schema(q.Schema)
		var m *Machine
		if err == nil {
			m, err = NewMachine(g, small())
		}
		if err != nil {
			a.Error = err.Error()
		} else {
			for _, s := range q.Texts {
				a.Taken = append(a.Taken, m.takes(s))
			}
			random := rand.New(rand.NewPCG(seed, 1))
			for range q.Walks {
				if s, ok := short(m, random); ok {
					a.Walks = append(a.Walks, s)
				}
			}
		}
		line, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// short draws a text by the masks that likes to end: of the tokens that may come it prefers
// those that close something.
func short(m *Machine, random *rand.Rand) (string, bool) {
	a, text := m.Matcher(), ""
	for range 150 {
		if a.Complete() && (a.Ended() || random.IntN(2) == 0) {
			return text, true
		}
		mask := make([]uint64, m.v.words())
		a.Allowed(mask)
		var ids, closing []int32
		for id := range int32(len(m.v.bytes)) {
			if mask[id>>6]>>(id&63)&1 != 0 {
				ids = append(ids, id)
				if s := m.v.bytes[id]; s == "]" || s == "}" || s == `"` {
					closing = append(closing, id)
				}
			}
		}
		if len(closing) > 0 && random.IntN(3) > 0 {
			ids = closing
		}
		id := ids[random.IntN(len(ids))]
		a.Accept(id)
		text += m.v.bytes[id]
	}
	return text, a.Complete()
}
