package score

import (
	"encoding/json"
	"testing"
)

func TestMinervaMath(t *testing.T) {
	for _, c := range []struct {
		answer, final string
		want          float64
	}{
		{`\frac{1}{2}`, `$\dfrac{2}{4}$`, 1},
		{`10,000`, `10,\!000`, 1},
		{`90^\circ`, `90\text{ degrees}`, 1},
		{`[2,5)`, `[2, 5)`, 1},
		{`[2,5)`, `$2\le x<5$`, 0},
		{`5`, `$5\text{ cm}$`, 1},
		{`5`, `\boxed{5}`, 1},
		{`(3, \frac{\pi}{2})`, `(3, \pi/2)`, 0},
		{`0,1`, `0`, 1}, // SymPy reads what comes before the comma
		{`\text{(A)}`, `A`, 1},
		{`\$5.50`, `5.5`, 1},
	} {
		doc, _ := json.Marshal(map[string]string{"solution": `so $\boxed{` + c.answer + `}$.`})
		v, err := scorers["minerva_math"].Each(&Row{Doc: doc, Responses: []string{"Final Answer: The final answer is " + c.final + ". I hope it is correct."}})
		if err != nil || v["exact_match"] != c.want {
			t.Errorf("%s for %s: %v (%v), want %v", c.final, c.answer, v, err, c.want)
		}
	}
}
