package eval

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"olmo/eval/python"
)

// HellaSwag: Zellers et al. 2019.
var _ = define(Task{
	Name: "hellaswag", Quoted: LenNorm, About: About{Data: "hellaswag", Source: "Zellers et al. 2019"},
	Each: rows("hellaswag", func(r struct {
		Activity string `json:"activity_label"`
		A        string `json:"ctx_a"`
		B        string `json:"ctx_b"`
		Endings  []string
		Label    string
	},
	) (Question, error) {
		n, err := strconv.Atoi(r.Label)
		if err != nil {
			return Question{}, fmt.Errorf("label: %w", err)
		}
		q := Question{Context: cleanWikiHow(r.Activity + ": " + r.A + " " + python.Capitalise(r.B)), Gold: n}
		for _, e := range r.Endings {
			q.Choices = append(q.Choices, " "+cleanWikiHow(e))
		}
		return q, nil
	}),
})

var brackets = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\[.*?\]`)
})

// cleanWikiHow removes the marks that WikiHow articles left: [title], [step], ….
func cleanWikiHow(s string) string {
	s = strings.ReplaceAll(python.Strip(s), " [title]", ". ")
	return strings.ReplaceAll(brackets().ReplaceAllString(s, ""), "  ", " ")
}
