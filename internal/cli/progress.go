package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// How often a progress line may appear: one that overwrites itself on a
// terminal, or one more line in a log.
const (
	liveInterval  = 100 * time.Millisecond
	plainInterval = 10 * time.Second
)

// progress tells on standard error how far long work is: on a terminal a line
// that is overwritten, elsewhere a plain line now and then. Its methods may be
// called from several goroutines.
type progress struct {
	mu       sync.Mutex
	out      io.Writer
	live     bool // overwrite one line
	styled   bool // bold stage names
	columns  func() int
	now      func() time.Time
	stage    string
	began    time.Time // of the stage
	shown    time.Time // when the last line was written
	dirty    bool      // a live line stands without its newline
	lastLine string
}

// step is how far a stage is.
type step struct {
	done, total float64       // in the stage's unit; total 0 when unknown
	unit        string        // of done and rate: "tokens", "MB", "documents"
	rate        float64       // units a second; 0 to have it computed
	loss        float64       // nats; 0 for none
	left        time.Duration // 0 to have it computed
	note        string        // anything else worth a few words
}

// newProgress reports to out, usually standard error.
func newProgress(out io.Writer) *progress {
	p := &progress{out: out, now: time.Now, columns: func() int { return 80 }}
	// Of Windows' consoles only the newer one takes control sequences as it is.
	plain := os.Getenv("TERM") == "dumb" || runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == ""
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !plain {
		p.live = true
		p.styled = os.Getenv("NO_COLOR") == ""
		p.columns = func() int {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
				return w
			}
			return 80
		}
	}
	return p
}

// begin ends the stage before, if any, and starts the one called name.
func (p *progress) begin(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked("done in")
	name = visible(name)
	p.stage, p.began, p.shown = name, p.now(), time.Time{}
	p.show(name + " …")
}

// update shows s if the last line is old enough.
func (p *progress) update(s step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	interval := plainInterval
	if p.live {
		interval = liveInterval
	}
	if p.stage == "" || now.Sub(p.shown) < interval {
		return
	}
	p.show(s.line(p.stage, now.Sub(p.began)))
}

// milestone is update for a step that a log should show whenever it comes; on a terminal
// it is an update.
func (p *progress) milestone(s step) {
	if p.live {
		p.update(s)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage != "" {
		p.show(s.line(p.stage, p.now().Sub(p.began)))
	}
}

// print writes a line that stays, such as a warning or a sample text.
func (p *progress) print(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.out, visible(line))
	if p.live && p.lastLine != "" && p.stage != "" {
		p.show(p.lastLine)
	}
}

// end closes the current stage with the time it took.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked("done in")
}

// fail is end for a stage that did not get to its end.
func (p *progress) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked("failed after")
}

// stop is end for a stage that was told to stop before its end.
func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked("stopped after")
}

// close is end, fail or stop, by what the stage's work came to.
func (p *progress) close(err error) {
	switch {
	case err == nil:
		p.end()
	case errors.Is(err, context.Canceled):
		p.stop()
	default:
		p.fail()
	}
}

// drop forgets the current stage without a word.
func (p *progress) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.stage = ""
}

func (p *progress) endLocked(how string) {
	if p.stage == "" {
		return
	}
	p.clear()
	name := p.stage
	if p.styled {
		name = "\x1b[1m" + name + "\x1b[0m"
	}
	fmt.Fprintf(p.out, "%s: %s %s\n", name, how, shortDuration(p.now().Sub(p.began)))
	p.stage = ""
}

// show writes line, over the last one on a terminal.
func (p *progress) show(line string) {
	p.shown, p.lastLine = p.now(), line
	if !p.live {
		fmt.Fprintln(p.out, line)
		return
	}
	// A line that wraps could not be overwritten.
	if runes := []rune(line); len(runes) >= p.columns() {
		line = string(runes[:p.columns()-1])
	}
	if p.styled {
		if rest, ok := strings.CutPrefix(line, p.stage); ok {
			line = "\x1b[1m" + p.stage + "\x1b[0m" + rest
		}
	}
	fmt.Fprint(p.out, "\r\x1b[K", line)
	p.dirty = true
}

// clear removes the live line so that another text can take its place.
func (p *progress) clear() {
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.dirty = false
	}
}

// line is s in words: stage, share done, rate, loss, time left.
func (s step) line(stage string, elapsed time.Duration) string {
	parts := make([]string, 0, 5)
	share := 0.0
	if s.total > 0 {
		share = min(s.done/s.total, 1)
		parts = append(parts, fmt.Sprintf("%3.0f%%", math.Floor(100*share)))
	} else if s.done > 0 {
		parts = append(parts, strings.TrimSpace(shortNumber(s.done)+" "+s.unit))
	}
	rate := s.rate
	if rate == 0 && s.done > 0 && elapsed > 0 && s.unit != "" {
		rate = s.done / elapsed.Seconds()
	}
	if rate > 0 {
		parts = append(parts, shortNumber(rate)+" "+s.unit+"/s")
	}
	if s.loss != 0 {
		parts = append(parts, fmt.Sprintf("loss %.3f", s.loss))
	}
	if s.note != "" {
		parts = append(parts, s.note)
	}
	left := s.left
	if left == 0 && share > 0.01 && elapsed > time.Second {
		left = time.Duration(float64(elapsed) * (1 - share) / share)
	}
	if left > 0 {
		parts = append(parts, shortDuration(left)+" left")
	}
	return stage + "  " + strings.Join(parts, "  ")
}

// shortNumber writes x with three figures and k, M, G or T.
func shortNumber(x float64) string {
	suffixes := []string{"", "k", "M", "G", "T"}
	i := 0
	for x >= 999.5 && i < len(suffixes)-1 {
		x /= 1000
		i++
	}
	if x >= 99.95 || i == 0 && x == math.Trunc(x) {
		return fmt.Sprintf("%.0f%s", x, suffixes[i])
	}
	return fmt.Sprintf("%.3g%s", x, suffixes[i])
}

// shortDuration writes d to the second, or to a tenth of one below ten.
func shortDuration(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	if d < time.Hour {
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
