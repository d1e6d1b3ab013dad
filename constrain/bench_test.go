package constrain

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"olmo/tokenizer"
)

// golden loads a real tokenizer, where OLMO_GOLDEN has one.
func golden(t testing.TB, name string) *Vocabulary {
	t.Helper()
	dir := os.Getenv("OLMO_GOLDEN")
	if dir == "" {
		t.Skip("OLMO_GOLDEN is not set")
	}
	tok, err := tokenizer.Load(filepath.Join(dir, "tokenizer", "tokenizers", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVocabulary(tok, tok.VocabSize(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// members is a schema of n members of several kinds.
func members(n int, required bool) string {
	kinds := []string{
		`{"type":"string"}`, `{"type":"integer","minimum":0,"maximum":1000}`, `{"type":"string","maxLength":200}`, `{"type":"boolean"}`, `{"enum":["red","green","blue"]}`,
		`{"type":"array","items":{"type":"number"}}`, `{"type":["string","null"]}`, `{"type":"string","format":"date"}`, `{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}},"required":["x","y"],"additionalProperties":false}`,
	}
	var props, names []string
	for i := range n {
		props = append(props, fmt.Sprintf(`"member_%d":%s`, i, kinds[i%len(kinds)]))
		names = append(names, fmt.Sprintf(`"member_%d"`, i))
	}
	s := `{"type":"object","properties":{` + strings.Join(props, ",") + `},"additionalProperties":false`
	if required {
		s += `,"required":[` + strings.Join(names, ",") + `]`
	}
	return s + "}"
}

func BenchmarkCompile(b *testing.B) {
	v := golden(b, "smollm2")
	for _, c := range []struct {
		name, schema string
	}{{"20 members", members(20, true)}, {"500 optional members", members(500, false)}, {"hostname", `{"type":"string","format":"hostname"}`}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				g, err := Schema([]byte(c.schema))
				if err != nil {
					b.Fatal(err)
				}
				m, err := NewMachine(g, v)
				if err != nil {
					b.Fatal(err)
				}
				m.Matcher().Allowed(make([]uint64, v.words()))
			}
		})
	}
}

// BenchmarkAnswer is the time for each token of an answer, drawn by the masks, on a machine
// that has served none before and on one that has.
func BenchmarkAnswer(b *testing.B) {
	v := golden(b, "smollm2")
	for _, warm := range []bool{false, true} {
		b.Run(map[bool]string{false: "first", true: "again"}[warm], func(b *testing.B) {
			g, err := Schema([]byte(members(20, true)))
			if err != nil {
				b.Fatal(err)
			}
			tokens, masked, worst := 0, 0, time.Duration(0)
			var m *Machine
			mask := make([]uint64, v.words())
			seed := uint64(0)
			for b.Loop() {
				if m == nil || !warm {
					if m, err = NewMachine(g, v); err != nil {
						b.Fatal(err)
					}
				}
				a := m.Matcher()
				seed++
				random := rand.New(rand.NewPCG(seed, 2))
				for n := 0; n < 400 && !a.Ended(); n++ {
					began := time.Now()
					if f := a.Forced(); len(f) > 0 {
						a.Accept(f[0])
						tokens++
						continue
					}
					clear(mask)
					a.Allowed(mask)
					masked++
					worst = max(worst, time.Since(began))
					// Answers of models end their strings; uniform draws hardly do.
					for {
						id := int32(random.IntN(len(v.bytes)))
						if random.IntN(3) == 0 {
							id, _ = v.tokenizer.TokenID(`"`)
						}
						if mask[id>>6]>>(id&63)&1 != 0 {
							a.Accept(id)
							break
						}
						if random.IntN(200) == 0 {
							for w, bits := range mask {
								if bits != 0 {
									for k := range 64 {
										if bits>>k&1 != 0 {
											a.Accept(int32(w*64 + k))
											break
										}
									}
									break
								}
							}
							break
						}
					}
					tokens++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(tokens), "µs/token")
			b.ReportMetric(float64(masked)/float64(tokens), "masks/token")
			b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
		})
	}
}
