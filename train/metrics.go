package train

import (
	"encoding/hex"
	"strings"
	"time"

	"olmo/runlog"
)

// Hash is a SHA-256, written in hexadecimal.
type Hash []byte

// MarshalText writes hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads them.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// String writes hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h) }

// speed measures how fast a run is, over the last steps.
type speed struct {
	window int
	began  time.Time
	times  []time.Time // ends of the last steps; the first is the start of the window
	tokens []int       // of the steps after times[0]
	waited time.Duration
	last   time.Duration // waited for the last batch
}

func (s *speed) start() {
	s.began = time.Now()
	s.times, s.tokens = []time.Time{s.began}, nil
}

func (s *speed) loading(d time.Duration) {
	s.waited += d
	s.last = d
}

// step notes a step of so many tokens.
func (s *speed) step(tokens int) {
	if len(s.times) == 0 {
		s.start()
	}
	s.times = append(s.times, time.Now())
	s.tokens = append(s.tokens, tokens)
	if over := len(s.tokens) - max(s.window, 1); over > 0 {
		s.times, s.tokens = s.times[over:], s.tokens[over:]
	}
}

// skip leaves the time since the last step out of the speed: evaluations and samples
// are no training.
func (s *speed) skip() {
	if len(s.times) == 0 {
		return
	}
	pause := time.Since(s.times[len(s.times)-1])
	for i := range s.times {
		s.times[i] = s.times[i].Add(pause)
	}
}

// rate returns tokens per second, 0 before the first step.
func (s *speed) rate() float64 {
	if len(s.tokens) == 0 {
		return 0
	}
	n := 0
	for _, t := range s.tokens {
		n += t
	}
	return float64(n) / max(s.times[len(s.times)-1].Sub(s.times[0]).Seconds(), 1e-9)
}

// IsTiming reports whether a key of a record holds a time or a speed, which differ from
// run to run; all others are the same on every machine.
func IsTiming(key string) bool {
	return strings.HasPrefix(key, "throughput/") && key != "throughput/total_tokens"
}

// measure adds the speeds to a step's record.
func (s *speed) measure(r runlog.Record) {
	r["throughput/device/tokens_per_second"] = s.rate()
	seconds := max(s.times[len(s.times)-1].Sub(s.times[0]).Seconds(), 1e-9)
	r["throughput/device/batches_per_second"] = float64(len(s.tokens)) / seconds
	r["throughput/device/data_loading_seconds"] = s.last.Seconds()
}
