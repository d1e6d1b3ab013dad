package webpage_test

import (
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"olmo/data/webpage"
)

func linearize(t testing.TB, name, page string) string {
	t.Helper()
	l, err := webpage.New(name, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := l.Linearize(page)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestMainContent shows what is kept and how it is laid out. The cases that
// are not marked as ours give the same text in resiliparse 2.0.1.
func TestMainContent(t *testing.T) {
	deep := func(inner string) string { // where names of elements begin to count
		return "<body><div><div><div><div>" + inner + "</div></div></div></div>"
	}
	for _, c := range []struct{ name, page, want string }{
		{"paragraphs", "<body><h1>Head</h1><p>One\n two  <b>bold</b>.</p><p>Two<br>lines</p></body>", "Head\n\nOne two bold.\n\nTwo\nlines"},
		{"divs", "<body><div>a</div><div>b<span> c</span></div>d", "a\nb c\nd"},
		{"list", deep("<ul><li>one</li><li>two<ul><li>deep</li></ul></li></ul><p>after"), "  • one\n  • two\n    • deep\n\nafter"},
		{"numbers", deep("<ol><li>one</li><li>two</li></ol>"), "  1. one\n  2. two"},
		{"pre", "<body><p>code:</p><pre>a\n  b\n\n c</pre>", "code:\n\na\n  b\n\n c"},
		{"cells (ours)", "<body><table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>", "a\t\tb\nc\t\td"},
		{"after an empty list (ours)", deep("<ul></ul><p>text"), "text"},
		{"one Chinese character (ours)", "<body><p><span>回答：0</span><span>件</span></p>", "回答：0件"},
		{"not text", "<body><p>a</p><script>x</script><style>y</style><form><label>l</label><input value=v><button>b</button></form><noscript>n</noscript><svg><text>s</text></svg>", "a"},
		{"icons", "<body><h2>Title<a href=#t>¶</a></h2><i>\ue001</i>text", "Title\n\ntext"},
		{"navigation", "<body><nav><a href=/>Home</a></nav><aside>aside</aside><ul><li>top list</li></ul><p>main", "main"},
		{"classes", deep("<div class='site-nav'>no</div><div class='sidebar'>no</div><div class='x footer'>no</div><div class='wp-modal'>no</div><div id='header'>no</div><p class='promoted'>no</p><p>yes"), "yes"},
		{"classes that only look so", deep("<div class='navy'>a</div><div class='footer-like-thing'>b</div><div class='my-sidebar-x'>c</div>"), "a\nb\nc"},
		{"an article named as a footer", deep("<div class='footer article'>kept"), "kept"},
		{"social and sign-in below the top", deep("<div class='share-buttons'>no</div><span class='user-info'>no</span><p>yes"), "yes"},
		{"hidden", "<body><p hidden>a</p><p style='color:red; display:none'>b</p><p class='visually-hidden'>c</p><p aria-hidden=true>d</p><p>e", "e"},
		{"roles", "<body><div class=x role=navigation>a</div><div class=x role=note>b", "b"},
		{"main content by its class", "<body><p>around</p><div class='main-content'><p>in</p></div><p>around", "in"},
		{"two of them", "<body><p>around</p><div class='main-content'>a</div><div role=main>b</div>", "around\n\na\nb"},
		{"lists of links", deep("<ul><li><a>one</a></li><li><a>two</a></li></ul><ul><li>words words words words words <a>x</a></li></ul>"), "  • words words words words words x"},
		{"footer", "<body><div><div><div><p>text</p><footer>inner note</footer><p>more</p></div></div></div><footer>page footer</footer>", "text\n\ninner note\n\nmore"},
		{"empty", "", ""},
		{"no markup", "just text", "just text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := linearize(t, "resiliparse", c.page); got != c.want {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

const article = `<html><head><title>T</title></head><body><div class="menu"><a href="/">Home</a></div><div id="content"><article><h2>A heading</h2>%s<table><tr><td>cell</td><td>two</td></tr><tr><td>cell</td><td>two</td></tr></table></article></div><div class="footer">All rights</div></body>`

func TestArticle(t *testing.T) {
	page := fmt.Sprintf(article, strings.Repeat("<p>A sentence of an article, with a comma, and some length to it, so that it counts as text.</p>", 12))
	for name, table := range map[string]bool{"readability": true, "trafilatura": false} {
		text := linearize(t, name, page)
		if !strings.Contains(text, "A sentence of an article") || strings.Contains(text, "Home") || strings.Contains(text, "All rights") {
			t.Errorf("%s: %q", name, text)
		}
		if strings.Contains(text, "cell") != table {
			t.Errorf("%s keeps tables: %v, want %v", name, !table, table)
		}
	}
}

func TestBugs(t *testing.T) {
	l, err := webpage.New("resiliparse", true)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Linearize("<p>I <b>❤</b> <b>it</b> <b>é</b>"); err != nil || got != "I it é" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestUnknownLinearizer(t *testing.T) {
	if _, err := webpage.New("x", false); err == nil || !strings.Contains(err.Error(), "resiliparse") {
		t.Errorf("got %v, want the names that there are", err)
	}
}

// TestHostile wants an end in bounded time for pages that cost parsers more
// than linear time or deep stacks.
func TestHostile(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 2_000
	}
	for name, page := range map[string]string{
		"nested":          strings.Repeat("<div>", n) + "text",
		"nested lists":    strings.Repeat("<ul><li>", n) + "text",
		"formatting":      strings.Repeat("<b><i><p>", n) + "text",
		"tables":          strings.Repeat("<table>", n) + "text",
		"unclosed":        strings.Repeat("<a href=x>text", n),
		"attributes":      "<p " + strings.Repeat("a=b ", n) + ">text",
		"same attributes": strings.Repeat("<p class='a b c' id=x>t", n),
		"comments":        strings.Repeat("<!--", n) + "text",
		"long class":      "<body><p class='" + strings.Repeat("a-", n) + "'>text",
		"entities":        strings.Repeat("&amp;&notanentity;", n),
	} {
		for _, linearizer := range webpage.Names() {
			l, err := webpage.New(linearizer, false)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err = l.Linearize(page)
			if d := time.Since(start); err != nil && !errors.Is(err, webpage.ErrDeadline) || d > webpage.Deadline+5*time.Second {
				t.Errorf("%s, %s: %v after %v", linearizer, name, err, d)
			} else {
				t.Logf("%s, %s: %v, %v", linearizer, name, d, err)
			}
		}
	}
}

// TestDeepPage keeps the text of a page too deep for the parser.
func TestDeepPage(t *testing.T) {
	got := linearize(t, "resiliparse", strings.Repeat("<div>", 5000)+"some <b>text</b><script>no</script>")
	if got != "some\ntext" {
		t.Errorf("got %q", got)
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, page, contentType, want string }{
		{"utf-8 by header", " Grüße\n", "text/html; charset=UTF-8", "Grüße"},
		{"latin-1 by header", "Gr\xfc\xdfe", `text/html; charset="iso-8859-1"`, "Grüße"},
		{"header wrong, utf-8 right", "Grüße", "text/html; charset=us-ascii", "Grüße"},
		{"header says utf-8 and it is not", "Gr\xfc\xdfe und K\xfcsse", "text/html; charset=utf-8", "Grüße und Küsse"},
		{"no header, utf-8", "Grüße", "text/html", "Grüße"},
		{"meta", "<meta charset=koi8-r>\xf0\xf2\xe9", "text/html;", "<meta charset=koi8-r>ПРИ"},
		{"meta http-equiv", `<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">` + "\x93\xfa\x96\x7b", "", `<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">日本`},
		{"utf-8 mark", "\xef\xbb\xbfx", "text/html; charset=latin1", "x"},
		{"utf-16 mark", "\xff\xfeG\x00\xfc\x00", "", "Gü"},
		{"unknown charset", "Gr\xfc\xdfe", "text/html; charset=nonsense", "Grüße"},
		{"mostly utf-8", strings.Repeat("Grüße ", 100) + "\xff", "", strings.TrimSpace(strings.Repeat("Grüße ", 100)) + " \ufffd"},
		{"an image", "\x89PNG\r\n\x1a\n\x00\x00", "", ""},
		{"nothing", " \n", "text/html", ""},
	} {
		if got := webpage.Decode([]byte(c.page), c.contentType); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzLinearize(f *testing.F) {
	f.Add("<body><ul><li>a<table><td>b</td></table></ul><pre>x</pre>")
	f.Add("<p class='nav-bar ad' id=__x hidden>&lt;b&gt;")
	f.Fuzz(func(t *testing.T, page string) {
		for _, name := range webpage.Names() {
			linearize(t, name, page)
		}
		webpage.Decode([]byte(page), page)
	})
}

func Example() {
	l, err := webpage.New("resiliparse", false)
	if err != nil {
		log.Fatal(err)
	}
	page := webpage.Decode([]byte("<nav>Home</nav><h1>Caf\xe9s</h1><p>In <i>Paris</i>.</p>"), "text/html; charset=latin1")
	text, err := l.Linearize(page)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
	// Output:
	// Cafés
	//
	// In Paris.
}

func BenchmarkLinearize(b *testing.B) {
	page := fmt.Sprintf(article, strings.Repeat("<p class='para body'>A sentence with <a href='/x'>a link</a>, a comma &amp; <b>more</b>.</p>\n", 500))
	for _, name := range webpage.Names() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			for b.Loop() {
				linearize(b, name, page)
			}
		})
	}
}

// White space in preformatted text stays, also beside margins; elsewhere it is one
// space, and none at the ends of blocks.
func TestWhiteSpace(t *testing.T) {
	for _, c := range []struct{ name, page, want string }{
		{"around", "<body>  <p>  a \t\n b  </p>  <div> c </div> ", "a b\n\nc"},
		{"between inline elements", "<body><p>a<b> b</b> <i>c</i>d</p>", "a b cd"},
		{"lines of their own", "<body><p>a</p><pre>  x\n\n\ty  z</pre><p>b</p>", "a\n\n  x\n\n\ty  z\n\nb"},
		{"pre in pre", "<body><pre>a\n<b>  b</b>\n c</pre>", "a\n  b\n c"},
		{"a textarea is none", "<body><p>a  b</p>", "a b"},
		{"cells", "<body><table><tr><td> a </td><td> b </td><td></td><td>c</td></tr></table>", "a\t\tb\t\tc"},
	} {
		if got := linearize(t, "resiliparse", c.page); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
