package constrain

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func rat(s string) *big.Rat { r, _ := new(big.Rat).SetString(s); return r }

// TestNumberLanguages compares the languages with exact arithmetic on decimals around them.
func TestNumberLanguages(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	near := func(b string) []string {
		var list []string
		whole, fraction := decimalOf(new(big.Rat).Abs(rat(b)))
		for range 60 {
			d := []byte(whole)
			if random.IntN(3) > 0 {
				d[random.IntN(len(d))] = byte('0' + random.IntN(10))
			}
			if random.IntN(5) == 0 {
				d = append(d, byte('0'+random.IntN(10)))
			}
			f := []byte(fraction)
			for random.IntN(2) == 0 {
				f = append(f, byte('0'+random.IntN(10)))
			}
			if len(f) > 0 && random.IntN(2) == 0 {
				f[random.IntN(len(f))] = byte('0' + random.IntN(10))
			}
			s := string(d[min(random.IntN(4)/3, len(d)-1):])
			if len(f) > 0 && random.IntN(4) > 0 {
				s += "." + string(f)
			}
			if random.IntN(3) == 0 {
				s = "-" + s
			}
			list = append(list, s)
		}
		return append(list, "0", "-0", "0.0", "-0.00", b, b+"0")
	}
	for _, at := range []string{"0", "1", "-1", "5", "10", "-10", "99", "100", "123.45", "-123.45", "0.5", "-0.001", "1e3", "9007199254740993", "0.1", "-7"} {
		for _, strict := range []bool{false, true} {
			for _, above := range []bool{false, true} {
				b := bound{rat(at), strict}
				l, err := decimals.and(b.beyond(above))
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range near(at) {
					if !decimals.has(s) {
						continue
					}
					order := rat(s).Cmp(b.at)
					if !above {
						order = -order
					}
					if got, want := l.has(s), order > 0 || order == 0 && !strict; got != want {
						t.Fatalf("above %v, %s, strict %v: %s is taken: %v", above, at, strict, s, got)
					}
				}
			}
		}
	}
	for _, m := range []string{"1", "2", "7", "0.01", "0.5", "2.5", "1e2", "13", "0.3", "1000"} {
		l, err := multiplesOf(rat(m))
		if err != nil {
			t.Fatal(err)
		}
		for k := range 400 {
			x := new(big.Rat).Mul(rat(m), rat(fmt.Sprint(k-200)))
			list := near(m)
			if k%20 > 0 {
				list = nil
			}
			s := x.FloatString(4)
			if w, f := decimalOf(x); f == "" {
				s = w
			}
			for _, s := range append(list, s) {
				if !decimals.has(s) {
					continue
				}
				if got, want := l.has(s), new(big.Rat).Quo(rat(s), rat(m)).IsInt() && !(rat(m).IsInt() && strings.Contains(s, ".")); got != want {
					t.Fatalf("multiples of %s: %s is taken: %v", m, s, got)
				}
			}
		}
	}
}
