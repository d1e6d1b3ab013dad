package eval

import "iter"

// ARC's easy set: Clark et al. 2018. Its questions are inside the program.
var (
	_ = define(Task{Name: "arc_easy", Quoted: Accuracy, About: About{Data: "arc_easy", Source: "Clark et al. 2018"}, Each: arcEasy})
	// The reference takes the first choice for the right one in every question
	// (ArcEasyCELoss.doc_to_label in ai2-olmo 0.6.0 and ai2-olmo-eval 0.8.5), and so
	// do the curves that this one is compared with.
	_ = define(Task{Name: "arc_easy_ppl", Quoted: CrossEntropy, About: About{Data: "arc_easy", Source: "Clark et al. 2018"}, Each: gold(func(in *Inputs) iter.Seq2[*Document, error] {
		return func(yield func(*Document, error) bool) {
			for d, err := range arcEasy(in) {
				if err == nil {
					d.Gold = []int{0}
				}
				if !yield(d, err) {
					return
				}
			}
		}
	})})
)

var arcEasy = rows("arc_easy", func(r keyed) (Question, error) { return r.question(answer(r.Question)) })
