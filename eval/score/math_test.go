package score

import (
	"encoding/json"
	"testing"
)

func TestMath(t *testing.T) {
	for _, c := range []struct {
		answer, response string
		want             float64
	}{
		{`42`, `so it is 41, no, 42.`, 1},
		{`42`, `so $\boxed{42}$, not 41.`, 1},
		{`42`, `no idea`, 0},
		{`1234.5`, `It costs $1,234.50.`, 1},
		{`-3`, `x is -3`, 1},
		{`\frac{1}{2}`, `\boxed{.5}`, 1},
		{`\frac{1}{2}`, `It is 1/2.`, 1},
		{`\frac{1}{2}`, `\boxed{\sin(\frac{\pi}{6})}`, 1},
		{`-1`, `\boxed{i^2}`, 1},
		{`x^2+x`, `\boxed{x(x+1)}`, 1},
		{`\left( 3, \frac{\pi}{2} \right)`, `\boxed{(3,\pi/2)}`, 1},
		{`(3,4)`, `\boxed{(4,3)}`, 0},
		{`[2,5)`, `\boxed{[2, 10/2)}`, 1},
		{`[2,5)`, `\boxed{[2,5]}`, 0},
		{`\{1,2\}`, `\boxed{\left\{ 2, 1 \right\}}`, 1},
		{`1,-2`, `\boxed{-2, 1}`, 1},
		{`1,-2`, `\boxed{1}`, 0},
		{`10,000`, `\boxed{10000}`, 1},
		{`3,5,7`, `\boxed{3}`, 0},
		{`\text{Evelyn}`, `\boxed{\text{Evelyn}}`, 1},
		{`\text{(A)}`, `\boxed{A}`, 1},
		{`50\%`, `\boxed{50}`, 1},
		{`5`, `\boxed{x=5\text{ cm}}`, 1},
		{`2\sqrt{3}`, `\boxed{\sqrt{12}}`, 1},
		{`\pi`, `\boxed{3.14}`, 0},
		{`So \boxed{7}.`, `\boxed{7.}`, 1},
		{`x<5`, `\boxed{x<5}`, 1},
		{`x<5`, `\boxed{x<6}`, 0},
	} {
		doc, _ := json.Marshal(map[string]string{"answer": c.answer})
		v, err := scorers["math"].Each(&Row{Doc: doc, Responses: []string{c.response}})
		if err != nil || v["exact_match"] != c.want {
			t.Errorf("%s for %s: %v (%v), want %v", c.response, c.answer, v, err, c.want)
		}
	}
	v, err := scorers["math"].Each(&Row{Doc: json.RawMessage(`{"solution": "so $\\boxed{7}$."}`), Responses: []string{"7"}})
	if err != nil || v["exact_match"] != 1.0 {
		t.Errorf("by the solution: %v, %v", v, err)
	}
	if _, err := scorers["math"].Each(&Row{Doc: json.RawMessage(`{}`), Responses: []string{"7"}}); err == nil {
		t.Error("a document without an answer is no error")
	}
}
