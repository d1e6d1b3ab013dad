package score

import (
	"encoding/json"
	"testing"
)

func TestHendrycksMath(t *testing.T) {
	for _, c := range []struct {
		answer, response string
		want             float64
	}{
		{`\frac{1}{2}`, `is $.5$`, 1},
		{`\frac{1}{2}`, `is $0.5$`, 1},
		{`\frac{1}{2}`, `is $1/2$`, 1},
		{`\frac{1}{2}`, `is $\dfrac12$`, 1},
		{`\frac{1}{2}`, `1/2`, 1},
		{`x/2`, `$x/2$`, 1}, // int fails on x, and the texts are compared as they are
		{`x/2`, `$ x/2$`, 0},
		{`2\sqrt{3}`, `$2 \sqrt3$`, 1},
		{`5`, `$x=5$`, 1},
		{`5`, `$5\text{ cm}$`, 1},
		{`5`, `$5\text{ cm}\text{ m}$`, 0},
		{`90^\circ`, `$90$`, 1},
		{`\left(1,2\right)`, `$(1, 2)$`, 1},
		{`a`, `$\sqrt$`, 0},
		{`\frac1`, `$\frac1$`, 1},
		{`10\%`, `$10$`, 1},
	} {
		doc, _ := json.Marshal(map[string]string{"solution": `so $\boxed{` + c.answer + `}$.`})
		v, err := scorers["hendrycks_math"].Each(&Row{Doc: doc, Responses: []string{c.response}})
		if err != nil || v["exact_match"] != c.want {
			t.Errorf("%s for %s: %v (%v), want %v", c.response, c.answer, v, err, c.want)
		}
	}
	for _, solution := range []string{"none", `\fbox{3}`, `\boxed{3`} {
		doc, _ := json.Marshal(map[string]string{"solution": solution})
		if _, err := scorers["hendrycks_math"].Each(&Row{Doc: doc, Responses: []string{"3"}}); err == nil {
			t.Errorf("%s is no error", solution)
		}
	}
}
