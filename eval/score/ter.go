package score

import (
	"cmp"
	"math"
	"slices"

	"olmo/eval/python"
)

// The translation edit rate (Snover et al. 2006) of a corpus, in per cent, as sacrebleu 2.6.0
// computes it by default (metrics/ter.py, lib_ter.py): insertions, deletions, substitutions and
// shifts of sequences, by words of the mean right answer; lower case, words as spaces divide
// them; of several right answers the closest counts.
var TER = defineCorpus("sacrebleu 2.6.0, metrics/ter.py, corpus_score", &Corpus{
	Name: "ter", Lower: true,
	Of: func(response string, answers []string) []float64 {
		own := python.Fields(python.Lower(response))
		edits, length := math.Inf(1), 0.0
		for _, a := range answers {
			right := python.Fields(python.Lower(a))
			edits = min(edits, float64(terEdits(own, right)))
			length += float64(len(right))
		}
		return []float64{edits, length / float64(len(answers))}
	},
	Figure: func(s []float64, _ bool) float64 {
		switch edits, length := s[0], s[1]; {
		case length > 0:
			return 100 * (edits / length)
		case edits > 0:
			return 100
		}
		return 0
	},
})

// Limits of Tercom, and sacrebleu's own of the shifts that are tried.
const (
	terShiftSize     = 10
	terShiftDistance = 50
	terBeam          = 25
	terShifts        = 1000
)

// terEdits counts the edits that make the right words of one's own, shifts first, while one of
// them makes the rest less.
func terEdits(own, right []string) int {
	if len(right) == 0 {
		return len(own)
	}
	d := newDistance(own, right)
	shifts, tried := 0, 0
	for {
		var best *terShift
		if best, tried = d.shift(tried); tried >= terShifts || best == nil || best.gain <= 0 {
			return shifts + d.edits()
		}
		shifts++
		d.take(best.words)
	}
}

// distance is the edit distance of words near the diagonal, with its table.
type distance struct {
	own, right []string
	rows       [][]terCell // one for each of the own words, after one for none
	ratio      float64
	beam       int

	scratch [][]terCell // rows of words that are tried
}

// terCell is the cost of an edit path, and its last operation: s, d, i, or a space where words are equal.
type terCell struct {
	cost int
	op   byte
}

const terFar = 1 << 50

func newDistance(own, right []string) *distance {
	d := &distance{right: right, ratio: 1, beam: terBeam}
	if len(own) > 0 {
		d.ratio = float64(len(right)) / float64(len(own))
	}
	if terBeam < d.ratio/2 {
		d.beam = int(math.Ceil(d.ratio/2 + terBeam))
	}
	for range len(own) + 1 {
		d.rows, d.scratch = append(d.rows, make([]terCell, len(right)+1)), append(d.scratch, make([]terCell, len(right)+1))
	}
	for j := range d.rows[0] {
		d.rows[0][j] = terCell{j, 'i'}
	}
	d.take(own)
	return d
}

// take makes the words those of the table.
func (d *distance) take(own []string) {
	for i := range own {
		d.row(d.rows[i+1], d.rows[i], i+1, len(own), own[i])
	}
	d.own = own
}

func (d *distance) edits() int { return d.rows[len(d.own)][len(d.right)].cost }

// row computes the cells of word number i of n.
func (d *distance) row(row, before []terCell, i, n int, word string) {
	for j := range row {
		row[j] = terCell{terFar, 'x'}
	}
	diagonal := int(math.Floor(float64(i) * d.ratio))
	from, to := max(0, diagonal-d.beam), min(len(d.right)+1, diagonal+d.beam)
	if i == n {
		to = len(d.right) + 1
	}
	for j := from; j < to; j++ {
		if j == 0 {
			row[j] = terCell{before[j].cost + 1, 'd'}
			continue
		}
		c := terCell{before[j-1].cost + 1, 's'}
		if word == d.right[j-1] {
			c = terCell{before[j-1].cost, ' '}
		}
		if x := before[j].cost + 1; x < c.cost {
			c = terCell{x, 'd'}
		}
		if x := row[j-1].cost + 1; x < c.cost {
			c = terCell{x, 'i'}
		}
		if c.cost < terFar {
			row[j] = c
		}
	}
}

// tried is the distance of other words of the same number, which begin as the table's own.
func (d *distance) tried(words []string) int {
	i := 0
	for i < len(words) && words[i] == d.own[i] {
		i++
	}
	before := d.rows[i]
	for ; i < len(words); i++ {
		d.row(d.scratch[i+1], before, i+1, len(words), words[i])
		before = d.scratch[i+1]
	}
	return before[len(d.right)].cost
}

// alignment says for each right word which own word stands there, and on both sides which words
// are wrong.
func (d *distance) alignment() (at []int, rightWrong, ownWrong []int) {
	var trace []byte
	for i, j := len(d.own), len(d.right); i > 0 || j > 0; {
		op := d.rows[i][j].op
		trace = append(trace, op)
		switch op {
		case 'i':
			j--
		case 'd':
			i--
		default:
			i, j = i-1, j-1
		}
	}
	slices.Reverse(trace)
	own := -1
	for _, op := range trace {
		wrong := int(number(op != ' '))
		if op != 'i' {
			own++
			ownWrong = append(ownWrong, wrong)
		}
		if op != 'd' {
			at = append(at, own)
			rightWrong = append(rightWrong, wrong)
		}
	}
	return at, rightWrong, ownWrong
}

// terShift is a shift with what it gains.
type terShift struct {
	gain, length, start, target int
	words                       []string
}

// shift finds the best shift: of the highest gain, of these the longest, the earliest, and the
// one with the earliest target. tried counts all that were looked at, of which there are only so many.
func (d *distance) shift(tried int) (best *terShift, _ int) {
	before := d.edits()
	at, rightWrong, ownWrong := d.alignment()
	for start := range d.own {
		for place := range d.right {
			if max(place-start, start-place) > terShiftDistance {
				continue
			}
			for length := 1; length <= terShiftSize && start+length <= len(d.own) && place+length <= len(d.right) && d.own[start+length-1] == d.right[place+length-1]; length++ {
				if !slices.Contains(ownWrong[start:start+length], 1) || !slices.Contains(rightWrong[place:place+length], 1) || start <= at[place] && at[place] < start+length {
					continue
				}
				last := -1
				for offset := -1; offset < length; offset++ {
					target := 0
					if place+offset >= 0 {
						target = at[place+offset] + 1
					}
					if target == last {
						continue
					}
					last = target
					words := shifted(d.own, start, length, target)
					s := &terShift{before - d.tried(words), length, start, target, words}
					tried++
					if best == nil || cmp.Or(cmp.Compare(s.gain, best.gain), cmp.Compare(s.length, best.length), cmp.Compare(best.start, s.start), cmp.Compare(best.target, s.target)) > 0 {
						best = s
					}
				}
				if tried >= terShifts {
					return best, tried
				}
			}
		}
	}
	return best, tried
}

// shifted moves words to a target, counted before they are taken out.
func shifted(words []string, start, length, target int) []string {
	moved := words[start : start+length]
	rest := slices.Concat(words[:start], words[start+length:])
	if target > start+length {
		target -= length
	}
	return slices.Insert(rest, min(target, len(rest)), moved...)
}
