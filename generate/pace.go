package generate

// pace is how long steps take, by their rows: a step of several rows reads the weights once, and costs less than
// as many steps, by how much depends on the machine, the precision and the model. Steps of long ago count less.
type pace struct {
	one                    float64 // seconds of a step of one row
	n, rows, rows2, t, rxt float64 // of the others: how many, and sums of rows, rows², seconds and rows·seconds
	draft                  float64 // seconds of a token of the draft model
	free                   bool    // rows cost nothing; for tests
}

// add takes note of a step.
func (p *pace) add(rows int, seconds float64) {
	if known := p.of(rows); known > 0 {
		seconds = min(seconds, 2*known) // something else happened
	}
	keep := 0.95
	if rows == 1 {
		keep = 0.99
		if p.one == 0 {
			p.one = seconds
		}
		p.one += (seconds - p.one) / 8
	}
	p.n, p.rows, p.rows2, p.t, p.rxt = keep*p.n, keep*p.rows, keep*p.rows2, keep*p.t, keep*p.rxt
	if rows > 1 {
		p.observe(1, float64(rows), seconds)
	}
}

func (p *pace) observe(weight, rows, seconds float64) {
	p.n += weight
	p.rows += weight * rows
	p.rows2 += weight * rows * rows
	p.t += weight * seconds
	p.rxt += weight * rows * seconds
}

// of is how long a step of so many rows takes, in seconds; 0: nothing is known yet. From two rows on it is a
// line through what was seen.
func (p *pace) of(rows int) float64 {
	if rows == 1 || p.one == 0 {
		return p.one
	}
	q := *p
	// As long as nothing is known, rows are expensive, so that only good guesses are tried.
	q.observe(0.1, 2, 3*p.one)
	q.observe(0.1, 34, 14*p.one)
	slope := max(0, (q.n*q.rxt-q.rows*q.t)/(q.n*q.rows2-q.rows*q.rows))
	return max(p.one, q.t/q.n+slope*(float64(rows)-q.rows/q.n))
}

// tried reports whether what guesses cost was seen lately.
func (p *pace) tried() bool { return p.n >= 1 && p.draft > 0 }

// drafted takes note of how long a token of a draft took.
func (p *pace) drafted(seconds float64) {
	if p.draft == 0 {
		p.draft = seconds
	}
	p.draft += (min(seconds, 2*p.draft) - p.draft) / 8
}

// worthwhile is how many guesses, at most so many, make a step write the most tokens a second. likely is how likely it
// is that guess k comes true if those before it do, each what it costs to make one, in seconds.
func (p *pace) worthwhile(most int, likely func(k int) float64, each float64, step *plan) int {
	if p.free {
		return max(0, most)
	}
	plain := p.of(step.width)
	if plain == 0 {
		return 0
	}
	best := 1.1 * step.expected / (plain + step.aside) // less may be none, and costs others' time
	count, gained, cost := 0, 0.0, 0.0
	more, chance := 0.0, 1.0
	for k := range most {
		chance *= likely(k)
		more += chance
		aside := each * float64(k+2) // the first reads what came meanwhile, too
		if speed := (step.expected + more) / (p.of(step.width+k+1) + step.aside + aside); speed > best {
			best, count, gained, cost = speed, k+1, more, aside
		}
	}
	step.width += count
	step.expected += gained
	step.aside += cost
	return count
}
