// Package pagetest looks at pages in a headless Chromium, as readers do: at the widths
// of a telephone, a tablet and a screen, in light and dark.
package pagetest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Browser is a Chromium that is driven through two pipes, by the protocol of its
// developer tools: one JSON object after another, each ended by a zero byte.
type Browser struct {
	t       *testing.T
	in      io.WriteCloser
	session string
	next    int

	mu      sync.Mutex
	answers map[int]chan message
	said    []string // complaints of the page: errors, and what it asked the network for
	own     string   // addresses that begin so are the page's own
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Params json.RawMessage `json:"params"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Open starts a browser for a test, or skips the test where OLMO_PAGES does not name
// the folder for pictures, or there is no browser.
func Open(t *testing.T) *Browser {
	t.Helper()
	if os.Getenv("OLMO_PAGES") == "" {
		t.Skip("OLMO_PAGES names no folder for pictures of pages")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium")
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars=false", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	c.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	b := &Browser{t: t, in: in, answers: map[int]chan message{}}
	go b.listen(out)
	t.Cleanup(func() {
		_, _ = b.send("Browser.close", nil)
		_ = in.Close()
		done := make(chan struct{})
		go func() { _ = c.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = c.Process.Kill()
			<-done
		}
	})
	var target struct{ TargetID string }
	b.ask("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.ask("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.ask(domain+".enable", nil, nil)
	}
	return b
}

func (b *Browser) listen(out io.Reader) {
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		switch {
		case m.ID != 0:
			if c := b.answers[m.ID]; c != nil {
				c <- m
			}
		case m.Method == "Runtime.exceptionThrown" || m.Method == "Log.entryAdded":
			b.said = append(b.said, string(m.Params))
		case m.Method == "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			if json.Unmarshal(m.Params, &p) == nil && !strings.HasPrefix(p.Request.URL, b.own) && !strings.HasPrefix(p.Request.URL, "data:") {
				b.said = append(b.said, "it asks for "+p.Request.URL)
			}
		}
		b.mu.Unlock()
	}
}

func (b *Browser) send(method string, params any) (message, error) {
	b.mu.Lock()
	b.next++
	id, answer := b.next, make(chan message, 1)
	b.answers[id] = answer
	b.mu.Unlock()
	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": b.session})
	if b.session == "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err != nil {
		return message{}, err
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		return message{}, err
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return m, errors.New(m.Error.Message)
		}
		return m, nil
	case <-time.After(30 * time.Second):
		return message{}, errors.New("the browser does not answer")
	}
}

func (b *Browser) ask(method string, params, result any) {
	b.t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	m, err := b.send(method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(m.Result, result)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// Size makes the page so wide and high, in pixels.
func (b *Browser) Size(width, height int) {
	b.t.Helper()
	b.ask("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Theme is light or dark.
func (b *Browser) Theme(name string) {
	b.t.Helper()
	b.ask("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": name}}}, nil)
}

// Go opens an address and waits until wait, an expression, is true.
func (b *Browser) Go(address, wait string) {
	b.t.Helper()
	b.mu.Lock()
	b.own = address
	if u, err := url.Parse(address); err == nil && u.Host != "" { // a page may lie beside the first one
		b.own = u.Scheme + "://" + u.Host + "/"
	}
	b.mu.Unlock()
	b.ask("Page.navigate", map[string]any{"url": address}, nil)
	b.Until(`location.href !== "about:blank" && document.readyState === "complete" && !!(` + wait + `)`)
}

// Until waits until an expression is true.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	for range 150 {
		if b.Eval(expression) == true {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.t.Fatalf("never: %s; the page says %q", expression, b.Said())
}

// Eval is the value of an expression in the page.
func (b *Browser) Eval(expression string) any {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	b.ask("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &answer)
	if e := answer.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s", expression, e.Exception.Description)
	}
	return answer.Result.Value
}

// codes are the numbers that a browser's own actions go by.
var codes = map[string]int{"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}

// Key presses a key that has the name it has in JavaScript.
func (b *Browser) Key(name string) {
	b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		event := map[string]any{"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": codes[name]}
		if name == "Enter" && kind == "keyDown" {
			event["text"] = "\r" // without it a button is not pressed
		}
		b.ask("Input.dispatchKeyEvent", event, nil)
	}
}

// Mouse sends an event of the mouse: mouseMoved, mousePressed or mouseReleased.
func (b *Browser) Mouse(kind string, x, y float64) {
	b.t.Helper()
	button, clicks := "none", 0
	if kind != "mouseMoved" {
		button, clicks = "left", 1
	}
	b.ask("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": x, "y": y, "button": button, "clickCount": clicks}, nil)
}

// Said is what the page complained of so far.
func (b *Browser) Said() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.said...)
}

// Picture writes the whole page as a PNG below OLMO_PAGES.
func (b *Browser) Picture(name string) {
	b.t.Helper()
	b.picture(name, true)
}

// View writes what the window shows of the page.
func (b *Browser) View(name string) {
	b.t.Helper()
	b.picture(name, false)
}

func (b *Browser) picture(name string, whole bool) {
	b.t.Helper()
	var shot struct{ Data string }
	b.ask("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": whole}, &shot)
	text, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(os.Getenv("OLMO_PAGES"), name+".png"), text, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// faults is an expression that lists what is wrong with the page as it stands: it
// scrolls sideways, its words are smaller than 12 px, what can be reached with the
// keyboard or is drawn has no name, or its words hardly stand out.
const faults = `(() => {
	const out = [], root = document.documentElement;
	if (root.scrollWidth > root.clientWidth) out.push("the page is " + root.scrollWidth + " px wide, the window " + root.clientWidth);
	const words = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
	const rgba = s => { const c = document.createElement("canvas").getContext("2d", {willReadFrequently: true}); c.fillStyle = s; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]; };
	const light = ([r, g, b]) => { const f = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
	const ground = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 200) return c; } return [255, 255, 255, 255]; };
	const seen = new Set();
	for (const e of document.querySelectorAll("body *")) {
		const s = getComputedStyle(e), box = e.getBoundingClientRect();
		if (s.visibility === "hidden" || !box.width || !box.height) continue;
		const what = e.tagName.toLowerCase() + (e.className && e.className.baseVal === undefined ? "." + e.className : "") + " " + e.textContent.trim().slice(0, 30);
		if (words(e)) {
			if (parseFloat(s.fontSize) < 12) out.push("words of " + s.fontSize + ": " + what);
			const key = s.color + ground(e);
			if (!seen.has(key)) {
				seen.add(key);
				const a = light(rgba(s.color)), b = light(ground(e)), contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
				if (contrast < 4.5) out.push("contrast of " + contrast.toFixed(1) + ": " + what);
			}
		}
		const named = e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.title || e.textContent.trim() || e.labels && e.labels.length;
		if ((e.matches("a, button, input, select, summary, [tabindex], [role=img]")) && !named) out.push("no name: " + e.outerHTML.slice(0, 80));
	}
	return out;
})()`

// Faults is what is wrong with the page as it stands.
func (b *Browser) Faults() []string {
	b.t.Helper()
	list, _ := b.Eval(faults).([]any)
	var all []string
	for _, f := range list {
		all = append(all, fmt.Sprint(f))
	}
	return all
}

// Look opens an address at three widths in both themes, holds the page to the rules of
// the house, and keeps the pictures NAME-WIDTH-THEME.png. wait is an expression that is
// true once the page is complete.
func (b *Browser) Look(name, address, wait string) {
	b.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int{360, 768, 1440} {
			b.Theme(theme)
			b.Size(width, 900)
			b.Go(address, wait)
			for _, f := range b.Faults() {
				b.t.Errorf("%s at %d px, %s: %s", name, width, theme, f)
			}
			b.Picture(fmt.Sprintf("%s-%d-%s", name, width, theme))
		}
	}
	for _, s := range b.Said() {
		b.t.Errorf("%s: %s", name, s)
	}
}

// LookAt writes the text of a page into a file and looks at it.
func LookAt(t *testing.T, name string, text []byte) {
	t.Helper()
	b := Open(t)
	path := filepath.Join(t.TempDir(), name+".html")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	b.Look(name, "file://"+path, "true")
}
