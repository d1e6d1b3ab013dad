package cli

import (
	"strings"
	"testing"
	"time"
)

// clock is a time that only moves when told.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestProgressPlain(t *testing.T) {
	var out strings.Builder
	c := &clock{time.Unix(0, 0)}
	p := newProgress(&out)
	p.now = c.now
	p.begin("train")
	for i := range 21 {
		c.at = time.Unix(int64(i), 0)
		p.update(step{done: float64(i) * 1e5, total: 4e6, unit: "tokens", loss: 3.25})
	}
	p.print("sample: the quick")
	p.end()
	p.end() // nothing is open
	got := out.String()
	want := `train …
train   25%  100k tokens/s  loss 3.250  30s left
train   50%  100k tokens/s  loss 3.250  20s left
sample: the quick
train: done in 20s
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(got, "\x1b") {
		t.Error("escape sequences outside a terminal")
	}
}

func TestProgressLive(t *testing.T) {
	var out strings.Builder
	c := &clock{time.Unix(0, 0)}
	p := newProgress(&out)
	p.now, p.live, p.columns = c.now, true, func() int { return 24 }
	p.begin("tokenizer")
	c.at = c.at.Add(5 * time.Second)
	p.update(step{done: 1, total: 2, note: "a note that is too long for the terminal"})
	p.print("warning")
	p.end()
	want := "\r\x1b[Ktokenizer …" +
		"\r\x1b[Ktokenizer   50%  a note" +
		"\r\x1b[Kwarning\n" +
		"\r\x1b[Ktokenizer   50%  a note" +
		"\r\x1b[Ktokenizer: done in 5.0s\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestShortNumberAndDuration(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 7: "7", 0.5: "0.5", 999.4: "999", 999.6: "1k", 12345: "12.3k", 4.2e6: "4.2M", 3e15: "3000T"} {
		if got := shortNumber(x); got != want {
			t.Errorf("shortNumber(%v) = %q, want %q", x, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		1500 * time.Millisecond: "1.5s", 12 * time.Second: "12s", 75 * time.Second: "1m15s", 3*time.Hour + 4*time.Minute: "3h04m",
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("shortDuration(%v) = %q, want %q", d, got, want)
		}
	}
}
