package generate

// lookup guesses how a text goes on from where its last ids have come before: as it went on there. It counts
// how often that is so, also where nobody asks, since a guess that is not run costs nothing and can be
// compared with what comes.
//
// Saxena 2023, prompt lookup decoding.
type lookup struct {
	ids   []int32 // what follows, if the text goes on as it did
	from  int     // the first of them would be this id of the text
	match int     // so many ids before it have come before
	rates [len(classes) + 1]rate
}

// A rate is how often guesses came true, those of long ago counting less.
type rate struct{ true, all float64 }

// classes are lengths of matches from which on another rate is counted: the longer one is, the likelier the
// text goes on as it did. expected are the rates of which nothing is known yet; they weigh as much as prior guesses.
var (
	classes  = [...]int{2, 3, 4, 6, 9, 13}
	expected = [...]float64{0.15, 0.3, 0.45, 0.55, 0.7, 0.8, 0.9}
)

const (
	prior        = 2
	longestMatch = 16
	// longestGuess is how many ids a step takes at most that may be wrong.
	longestGuess = 31
)

// class is that of a match.
func class(match int) int {
	for i, least := range classes {
		if match < least {
			return i
		}
	}
	return len(classes)
}

// likely is how likely it is that the guess behind a match comes true.
func (l *lookup) likely(match int) float64 {
	c := class(match)
	return (l.rates[c].true + prior*expected[c]) / (l.rates[c].all + prior)
}

// look counts what has become of the last guesses and makes new ones, for a text that has grown since.
func (l *lookup) look(ids []int32) {
	for i, id := range l.ids {
		if l.from+i >= len(ids) {
			break
		}
		r := &l.rates[class(l.match+i)]
		r.true, r.all = 0.95*r.true, 0.95*r.all+1
		if ids[l.from+i] != id {
			break
		}
		r.true++
	}
	last := len(ids) - 1
	at, match := 0, 0
	for i := last - 1; i >= 0 && match < longestMatch; i-- {
		n := 0
		for n <= i && n < longestMatch && ids[i-n] == ids[last-n] {
			n++
		}
		if n > match {
			at, match = i+1, n
		}
	}
	l.ids, l.from, l.match = l.ids[:0], len(ids), match
	if match == 0 {
		return
	}
	for i := range longestGuess { // a text that goes round goes on doing so
		if at+i < len(ids) {
			l.ids = append(l.ids, ids[at+i])
		} else {
			l.ids = append(l.ids, l.ids[at+i-len(ids)])
		}
	}
}
