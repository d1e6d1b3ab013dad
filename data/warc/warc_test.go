package warc_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"olmo/data"
	"olmo/data/stagetest"
	"olmo/data/tagger"
	"olmo/data/warc"
	"olmo/store"
)

func record(kind, uri, content string) string {
	return fmt.Sprintf("WARC/1.0\r\nWARC-Type: %s\r\nWARC-Target-URI: %s\r\nWARC-Payload-Digest: sha1:%X\r\nWARC-Date: 2024-01-02T03:04:05Z\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n", kind, uri, uri, len(content), content)
}

func gz(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func zst(s string) string {
	z, _ := zstd.NewWriter(nil)
	return string(z.EncodeAll([]byte(s), nil))
}

// read lists what an archive holds: the contents of records, and "bad: …" for
// what is none.
func read(archive string) (got []string, err error) {
	r, err := warc.NewReader("x", strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	for {
		rec, err := r.Next()
		var bad *data.RecordError
		switch {
		case errors.As(err, &bad):
			got = append(got, fmt.Sprintf("bad %d", bad.Line))
		case err == io.EOF:
			return got, nil
		case err != nil:
			return got, err
		default:
			got = append(got, string(rec.Content))
		}
	}
}

func TestReader(t *testing.T) {
	a, b, c := record("response", "u:a", "aaa"), record("resource", "u:b", "bbb\r\n\r\nWARC"), record("response", "u:c", strings.Repeat("c", 100_000))
	all := []string{"aaa", "bbb\r\n\r\nWARC", strings.Repeat("c", 100_000)}
	noisy := func(seed, n int) string { // does not compress
		out := make([]byte, n)
		x := uint32(seed)
		for i := range out {
			x = x*1664525 + 1013904223
			out[i] = 'a' + byte(x>>24)%26
		}
		return string(out)
	}
	n1, n2, n3 := noisy(1, 20_000), noisy(2, 20_000), noisy(3, 20_000)
	r1, r2, r3 := record("response", "1", n1), record("response", "2", n2), record("response", "3", n3)
	damage := func(s string, at int) string { return s[:at] + "\x00\xff\x00\xff" + s[at+4:] }
	for _, test := range []struct {
		name, archive string
		want          []string
	}{
		{"plain", a + b + c, all},
		{"gzip members", gz(a) + gz(b) + gz(c), all},
		{"one gzip member", gz(a + b + c), all},
		{"zeros between members", gz(a) + "\x00\x00\x00" + gz(b) + gz(c), all},
		{"zstd frames", zst(a) + zst(b) + zst(c), all},
		{"skippable frame", zst(a) + "\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zst(b) + zst(c), all},
		{"line ends of Unix", strings.ReplaceAll(a, "\r\n", "\n") + b + c, all},
		{"empty lines missing", strings.TrimSpace(a) + b + c, all},
		{"empty", "", nil},
		{"cut in a block", a + b[:len(b)-10], []string{"aaa", "bad 2"}},
		{"cut in a header", a + b[:30], []string{"aaa", "bad 2"}},
		{"cut gzip member", gz(a) + gz(r2)[:5000], []string{"aaa", "bad 2"}},
		{"cut gzip member, then others", gz(r1)[:5000] + gz(r2) + gz(r3), []string{"bad 1", n2, n3}},
		{"damaged gzip member", gz(r1) + damage(gz(r2), 6000) + gz(r3), []string{n1, "bad 2", n3}},
		{"damaged gzip header", gz(r1) + "\x1f\x8b\x09" + gz(r2)[3:] + gz(r3), []string{n1, "bad 2", n3}},
		{"damaged zstd frame", zst(r1) + damage(zst(r2), 6000) + zst(r3), []string{n1, "bad 2", n3}},
		{"cut zstd frame", zst(r1)[:5000] + zst(r2) + zst(r3), []string{"bad 1", n2, n3}},
		{"garbage before and after", "garbage\n" + a + "\x00garbage\n\n" + b, []string{"bad 1", "aaa", "bad 3", "bbb\r\n\r\nWARC"}},
		{"content-length too short", strings.Replace(a, "Length: 3", "Length: 1", 1) + b, []string{"a", "bad 2", "bbb\r\n\r\nWARC"}},
		{"no content-length", strings.Replace(a, "Content-Length", "X", 1) + b, []string{"bad 1", "bad 2", "bbb\r\n\r\nWARC"}},
		{"too long", record("response", "u", strings.Repeat("x", warc.MaxRecord+1)) + b, []string{"bad 1", "bbb\r\n\r\nWARC"}},
		{"a header without end", "WARC/1.0\r\n" + strings.Repeat("x: y\r\n", 300_000) + "\r\n" + b, []string{"bad 1", "bad 2", "bbb\r\n\r\nWARC"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(test.archive)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				short := func(l []string) (out []string) {
					for _, s := range l {
						out = append(out, s[:min(len(s), 20)])
					}
					return out
				}
				t.Errorf("got %q, want %q", short(got), short(test.want))
			}
		})
	}
}

func TestZstdDictionary(t *testing.T) {
	content := strings.Repeat("a sentence of the dictionary ", 20)
	dictionary, err := zstd.BuildDict(zstd.BuildDictOptions{ID: 7, Contents: [][]byte{[]byte(content), []byte(content + "x"), []byte("y" + content)}, History: []byte(content), Offsets: [3]int{1, 4, 8}})
	if err != nil {
		t.Skip(err)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderDict(dictionary))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{string(dictionary), zst(string(dictionary))} {
		archive := "\x5d\x2a\x4d\x18" + string([]byte{byte(len(d)), byte(len(d) >> 8), 0, 0}) + d + string(z.EncodeAll([]byte(record("response", "u", content)), nil))
		got, err := read(archive)
		if err != nil || len(got) != 1 || got[0] != content {
			t.Errorf("got %.40q, %v", got, err)
		}
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run makes documents of an archive and returns them, without the time of the
// run.
func run(t *testing.T, cfg warc.Config, archive string) (docs []map[string]any, report warc.Report) {
	t.Helper()
	dir := t.TempDir()
	if archive != "" {
		cfg.Documents = []string{write(t, dir, "x.warc", archive)}
	}
	cfg.Destination = []string{filepath.Join(dir, "documents")}
	if cfg.Linearizer == "" {
		cfg.Linearizer = "resiliparse"
	}
	cfg.Source, cfg.Now = "test", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	report, err := warc.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "documents", "*.jsonl.gz"))
	for _, f := range files {
		r, err := data.OpenReader(f)
		if err != nil {
			t.Fatal(err)
		}
		for {
			d, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, object(t, d.Raw))
		}
		r.Close()
	}
	return docs, report
}

func object(t *testing.T, line []byte) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "added")
	return m
}

func tagging(names ...string) warc.Tagging {
	return warc.Tagging{Names: names, New: func() (warc.Tagger, error) { return tagger.NewSet(names, tagger.Options{}) }}
}

// TestDolma compares every field with Dolma's documents; testdata/make.py
// made them.
func TestDolma(t *testing.T) {
	cfg := warc.Config{
		Documents: []string{"testdata/pages.warc.gz"}, Pre: tagging("cc_re", "cc_re_fast"), Post: tagging("char_length_v1", "gopher_v2"),
		StoreHTML: true, Execution: data.Execution{Processes: 2},
	}
	for _, compat := range []bool{false, true} {
		cfg.Compat = compat
		got, report := run(t, cfg, "")
		f, err := os.Open("testdata/pages.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		i := 0
		for lines := bufio.NewScanner(f); lines.Scan(); i++ {
			if want := object(t, lines.Bytes()); i >= len(got) || !reflect.DeepEqual(got[i], want) {
				t.Errorf("document %d: got  %v\nwant %v", i, got[i], want)
			}
		}
		if i != 7 || len(got) != i || report.NoDigest != 1 || report.NoText != 1 || report.Records != 9 {
			t.Errorf("%d documents, want %d; %+v", len(got), i, report)
		}
	}
}

func compress(w io.WriteCloser, buf *bytes.Buffer, s string) string {
	io.WriteString(w, s)
	w.Close()
	return buf.String()
}

// TestEncodings undoes what servers do to pages, and leaves alone what an
// archiver has undone already.
func TestEncodings(t *testing.T) {
	const page = "<body><p>A page of text.</p></body>"
	var b, z bytes.Buffer
	br, deflated := compress(brotli.NewWriter(&b), &b, page), compress(zlib.NewWriter(&z), &z, page)
	chunked := func(s string) string {
		return fmt.Sprintf("5;x=y\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", s[:5], len(s)-5, s[5:])
	}
	for name, c := range map[string]struct{ header, body string }{
		"gzip":                 {"Content-Encoding: gzip", gz(page)},
		"brotli":               {"content-encoding: br", br},
		"deflate":              {"Content-Encoding: deflate", deflated},
		"zstd":                 {"Content-Encoding: zstd", zst(page)},
		"chunked":              {"Transfer-Encoding: chunked", chunked(page)},
		"chunked gzip":         {"Transfer-Encoding: chunked\r\nContent-Encoding: gzip", chunked(gz(page))},
		"twice":                {"Content-Encoding: br, gzip", gz(br)},
		"gzip undone already":  {"Content-Encoding: gzip", page},
		"br undone already":    {"Content-Encoding: br", page},
		"deflate undone":       {"Content-Encoding: deflate", page},
		"chunks undone":        {"Transfer-Encoding: chunked", page},
		"unknown":              {"Content-Encoding: identity", page},
		"end of chunks cut":    {"Transfer-Encoding: chunked", strings.TrimSuffix(chunked(page), "\r\n")},
		"cut gzip, all of it":  {"Content-Encoding: gzip", gz(page)[:len(gz(page))-8]},
		"continued header":     {"X: a\r\n b\r\nContent-Type: text/html", page},
		"header without colon": {"nonsense\r\nContent-Type: text/html", page},
	} {
		docs, report := run(t, warc.Config{}, record("response", "http://x/", "HTTP/1.1 200 OK\r\n"+c.header+"\r\n\r\n"+c.body))
		if len(docs) != 1 || docs[0]["text"] != "A page of text." {
			t.Errorf("%s: %v, %+v", name, docs, report)
		}
	}
}

// A transfer coding is undone as a content coding is, in the order that the fields say.
func TestListsOfCodings(t *testing.T) {
	const page = "<body><p>A page of text.</p></body>"
	chunked := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(s), s) }
	for name, c := range map[string]struct{ header, body string }{
		"gzip, chunked":            {"Transfer-Encoding: gzip, chunked", chunked(gz(page))},
		"upper case":               {"TRANSFER-ENCODING: GZip , Chunked", chunked(gz(page))},
		"two fields":               {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", chunked(gz(page))},
		"both kinds":               {"Content-Encoding: gzip\r\nTransfer-Encoding: gzip, chunked", chunked(gz(gz(page)))},
		"chunks undone already":    {"Transfer-Encoding: gzip, chunked", gz(page)},
		"all undone already":       {"Transfer-Encoding: gzip, chunked", page},
		"identity":                 {"Transfer-Encoding: identity\r\nContent-Encoding: identity", page},
		"members":                  {"Content-Encoding: gzip", gz(page[:9]) + gz(page[9:])},
		"padding behind gzip":      {"Content-Encoding: gzip", gz(page) + "\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		"an extension and a field": {"Transfer-Encoding: chunked", fmt.Sprintf("%x;a=b\r\n%s\r\n0\r\nX: y\r\n\r\n", len(page), page)},
		"a number is no chunk":     {"Transfer-Encoding: chunked\r\nContent-Type: text/plain", "A page of text."},
		"a type in large letters":  {"Content-Type: TEXT/HTML", page},
	} {
		docs, report := run(t, warc.Config{}, record("response", "http://x/", "HTTP/1.1 200 OK\r\n"+c.header+"\r\n\r\n"+c.body))
		if len(docs) != 1 || docs[0]["text"] != "A page of text." {
			t.Errorf("%s: %v, %+v", name, docs, report)
		}
	}
	docs, _ := run(t, warc.Config{}, record("Resource", "http://x/", page))
	if len(docs) != 1 {
		t.Errorf("a record type with a capital: %v", docs)
	}
}

// Of a body that is damaged or cut short nothing is taken for a page: it is a reject.
func TestDamagedBodies(t *testing.T) {
	page := "<body><p>" + strings.Repeat("A page of text. ", 20) + strings.Repeat("Another. ", 7) + "</p></body>"
	var b, z bytes.Buffer
	br, deflated := compress(brotli.NewWriter(&b), &b, page), compress(zlib.NewWriter(&z), &z, page)
	flip := func(s string, at int) string { return s[:at] + string([]byte{s[at] ^ 0x10}) + s[at+1:] }
	zipped := gz(page)
	for name, c := range map[string]struct{ header, body string }{
		"gzip checksum":           {"Content-Encoding: gzip", flip(zipped, len(zipped)-6)},
		"gzip data":               {"Content-Encoding: gzip", flip(zipped, len(zipped)/2)},
		"gzip cut":                {"Content-Encoding: gzip", zipped[:len(zipped)*2/3]},
		"gzip cut in its header":  {"Content-Encoding: gzip", zipped[:7]},
		"second member cut":       {"Content-Encoding: gzip", zipped + zipped[:len(zipped)/2]},
		"zstd cut":                {"Content-Encoding: zstd", zst(page)[:20]},
		"deflate cut":             {"Content-Encoding: deflate", deflated[:len(deflated)*2/3]},
		"deflate checksum":        {"Content-Encoding: deflate", flip(deflated, len(deflated)-1)},
		"brotli cut":              {"Content-Encoding: br", br[:len(br)*2/3]},
		"transfer coding":         {"Transfer-Encoding: gzip", flip(zipped, len(zipped)-6)},
		"within the first chunk":  {"Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s", len(page)+100, page)},
		"within the second chunk": {"Transfer-Encoding: chunked", fmt.Sprintf("9\r\n%s\r\n%x\r\n%s", page[:9], len(page)+100, page[9:])},
		"no size":                 {"Transfer-Encoding: chunked", fmt.Sprintf("9\r\n%s\r\nsize\r\n%s", page[:9], page[9:])},
		"last chunk missing":      {"Transfer-Encoding: chunked", fmt.Sprintf("9\r\n%s\r\n%x\r\n%s\r\n", page[:9], len(page)-9, page[9:])},
		"one chunk, not the last": {"Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n", len(page), page)},
		"a wrong size":            {"Transfer-Encoding: chunked", fmt.Sprintf("8\r\n%s\r\n0\r\n", page)},
	} {
		docs, report := run(t, warc.Config{}, record("response", "http://x/", "HTTP/1.1 200 OK\r\n"+c.header+"\r\n\r\n"+c.body)+record("resource", "http://y/", "<p>good"))
		if len(docs) != 1 || docs[0]["text"] != "good" || report.Rejected != 1 {
			t.Errorf("%s: %v, %+v, want the damaged page rejected", name, docs, report)
		}
	}
	// What holds no text is not looked at.
	if _, report := run(t, warc.Config{}, record("response", "http://x/", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Encoding: gzip\r\n\r\n"+zipped[:9])+record("resource", "http://y/", "<p>good")); report.NoText != 1 || report.Rejected != 0 {
		t.Errorf("an image: %+v", report)
	}
}

// A body that is shorter than its header says, or that the archive says it has cut, is a reject; but
// for Dolma, which takes what is there.
func TestCutBodies(t *testing.T) {
	good := record("resource", "http://y/", "<p>good")
	for name, c := range map[string]struct{ fields, header string }{
		"shorter than its length": {"", "Content-Length: 100"},
		"cut by the archive":      {"WARC-Truncated: length\r\n", "X: y"},
	} {
		bad := strings.Replace(record("response", "http://x/", "HTTP/1.1 200 OK\r\n"+c.header+"\r\n\r\n<p>half"), "WARC-Target-URI", c.fields+"WARC-Target-URI", 1)
		if docs, report := run(t, warc.Config{}, bad+good); len(docs) != 1 || report.Rejected != 1 {
			t.Errorf("%s: %v, %+v, want a reject", name, docs, report)
		}
		if docs, report := run(t, warc.Config{Execution: data.Execution{Compat: true}}, bad+good); len(docs) != 2 {
			t.Errorf("%s, as Dolma: %v, %+v", name, docs, report)
		}
	}
	for name, header := range map[string]string{
		"as long": "Content-Length: 7", "longer": "Content-Length: 3", "decoded by the archive": "Content-Encoding: gzip\r\nContent-Length: 100", "no number": "Content-Length: many",
	} {
		if docs, report := run(t, warc.Config{}, record("response", "http://x/", "HTTP/1.1 200 OK\r\n"+header+"\r\n\r\n<p>half")); len(docs) != 1 {
			t.Errorf("%s: %v, %+v", name, docs, report)
		}
	}
}

func TestStatus(t *testing.T) {
	response := func(head, body string) string { return record("response", "http://x/", head+"\r\n\r\n"+body) }
	archive := response("HTTP/1.1 200 OK", "<p>good") + response("HTTP/1.1 404 Not Found\r\nX: y", "<p>missing") + record("resource", "http://y/", "<p>resource") + response("HTTP/2 200", "<p>also")
	if docs, report := run(t, warc.Config{Status: []int{200}}, archive); len(docs) != 3 || report.NoStatus != 1 {
		t.Errorf("%v, %+v", docs, report)
	}
	if docs, _ := run(t, warc.Config{}, archive); len(docs) != 4 {
		t.Errorf("%v", docs)
	}
	// No line of a header is text.
	for name, head := range map[string]string{
		"an answer before":     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html",
		"hints before":         "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html",
		"a proxy before":       "HTTP/1.0 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html",
		"no empty line behind": "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n<body>",
		"short lines":          "HTTP/1.0 200\nContent-Type: text/html",
	} {
		archive := record("response", "http://x/", head+"\r\n\r\n<p>good")
		if name == "no empty line behind" {
			archive = record("response", "http://x/", head+"<p>good")
		}
		if docs, report := run(t, warc.Config{Status: []int{200}}, archive); len(docs) != 1 || docs[0]["text"] != "good" {
			t.Errorf("%s: %v, %+v", name, docs, report)
		}
	}
	quoted := response("HTTP/1.1 200 OK\r\nContent-Type: text/plain", "HTTP/1.1 200 OK\r\nX: y\r\n\r\nis how it begins")
	if docs, _ := run(t, warc.Config{}, quoted); len(docs) != 1 || !strings.HasPrefix(docs[0]["text"].(string), "HTTP/1.1") {
		t.Errorf("a page about HTTP: %v", docs)
	}
}

// An archive that is packed otherwise is refused by name.
func TestPackedArchives(t *testing.T) {
	const archive = "\xfd7zXZ\x00\x00\x04 and so on"
	if _, err := warc.NewReader("a.warc.xz", strings.NewReader(archive), int64(len(archive))); err == nil || !strings.Contains(err.Error(), "it is xz, which is not read") {
		t.Errorf("xz: %v", err)
	}
}

func TestKinds(t *testing.T) {
	plain := "line one\n  line two <b>\n"
	response := func(contentType, body string) string {
		return record("response", "http://x/", "HTTP/1.1 200 OK\r\nContent-Type: "+contentType+"\r\n\r\n"+body)
	}
	docs, report := run(t, warc.Config{}, response("text/plain", plain)+record("conversion", "http://y/", plain)+response("image/png", "text")+response("text/html", "\x89PNG\x00\x00"))
	if len(docs) != 2 || docs[0]["text"] != strings.TrimSpace(plain) || docs[1]["text"] != strings.TrimSpace(plain) || report.NoText != 2 {
		t.Errorf("got %v, %+v", docs, report)
	}
	if got := docs[0]["created"]; got != "2024-01-02T03:04:05.000Z" {
		t.Errorf("a page without a date is created %v, want the record's date", got)
	}
	if docs, _ := run(t, warc.Config{Execution: data.Execution{Compat: true}}, response("text/plain", plain)); docs[0]["text"] != "line one line two" {
		t.Errorf("as Dolma: %q", docs[0]["text"])
	}
}

func TestSkip(t *testing.T) {
	archive := record("resource", "http://a/", "<p>no licence") + record("resource", "http://b/", `<a href="https://creativecommons.org/licenses/by/4.0/">x</a>`)
	pre := tagging("cc_re_fast")
	pre.Skip = true
	docs, report := run(t, warc.Config{Pre: pre}, archive)
	if len(docs) != 1 || report.NoPre != 1 || docs[0]["metadata"].(map[string]any)["url"] != "b" {
		t.Errorf("got %v, %+v", docs, report)
	}
}

// TestManyWorkers wants the same bytes from any number of workers, and the
// second run to do nothing.
func TestManyWorkers(t *testing.T) {
	dir := t.TempDir()
	var all strings.Builder
	for i := range 300 {
		page := fmt.Sprintf("<p>Page %d</p>%s", i, strings.Repeat("<p>More text.</p>", i%40*20))
		all.WriteString(gz(record("resource", fmt.Sprintf("http://x/%d", i), page)))
		if i%50 == 7 {
			all.WriteString("\x1f\x8b\x08 damaged")
		}
	}
	write(t, dir, "a.warc.gz", all.String())
	write(t, dir, "b.warc.gz", gz(record("resource", "http://y/", "<p>y")))
	cfg := warc.Config{Documents: []string{filepath.Join(dir, "*.warc.gz")}, Source: "s", Linearizer: "resiliparse"}
	var first []byte
	for _, n := range []int{1, 3} {
		cfg.Processes, cfg.Destination = n, []string{filepath.Join(dir, fmt.Sprint(n), "documents")}
		report, err := warc.Run(context.Background(), cfg)
		if err != nil || report.Documents != 301 || report.Rejected != 6 || report.Files != 2 {
			t.Fatalf("%d workers: %+v, %v", n, report, err)
		}
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(n), "documents", "a.jsonl.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		} else if !bytes.Equal(first, b) {
			t.Error("the documents depend on the number of workers")
		}
		rejects, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(n), "rejects", "warc", "a.warc.gz.rejects.jsonl"))
		if err != nil || bytes.Count(rejects, []byte("\n")) != 6 {
			t.Errorf("rejects: %s, %v", rejects, err)
		}
	}
	report, err := warc.Run(context.Background(), cfg)
	if err != nil || report.Skipped != 2 || report.Documents != 0 {
		t.Errorf("the second run: %+v, %v", report, err)
	}
	cfg.StoreHTML = true
	if report, err = warc.Run(context.Background(), cfg); err != nil || report.Documents != 301 {
		t.Errorf("with other settings: %+v, %v", report, err)
	}
	cfg.Strict, cfg.IgnoreExisting = true, true
	if _, err = warc.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("strict: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "x.warc", "")
	write(t, dir, "x.warc.gz", "")
	good := warc.Config{Documents: []string{file}, Destination: []string{dir}, Source: "s", Linearizer: "resiliparse"}
	for name, change := range map[string]func(*warc.Config){
		"no source":       func(c *warc.Config) { c.Source = "" },
		"no destination":  func(c *warc.Config) { c.Destination = nil },
		"no archive":      func(c *warc.Config) { c.Documents = []string{filepath.Join(dir, "none*")} },
		"linearizer":      func(c *warc.Config) { c.Linearizer = "x" },
		"tagger":          func(c *warc.Config) { c.Pre = tagging("no_such_tagger") },
		"one output":      func(c *warc.Config) { c.Documents = []string{filepath.Join(dir, "*.warc*")} },
		"two for one":     func(c *warc.Config) { c.Destination = []string{"a", "b"} },
		"a folder is one": func(c *warc.Config) { c.Documents = nil },
	} {
		cfg := good
		change(&cfg)
		if _, err := warc.Run(context.Background(), cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// warcStage makes documents of two archives, one with a damaged record.
func warcStage() stagetest.Stage {
	page := func(text string) string { return record("resource", "http://x/", "<p>"+text) + "no record\r\n" }
	return stagetest.Stage{
		Prepare: func(t *testing.T) {
			stagetest.Write(t, "crawl/a.warc", page("one word"))
			stagetest.Write(t, "crawl/b.warc", page("b"))
		},
		Input: "crawl/a.warc", Changed: page("or three"),
		Run: func() (bool, error) {
			report, err := warc.Run(context.Background(), warc.Config{
				Documents: []string{"crawl/*"}, Destination: []string{"corpus/documents"}, Source: "s", Linearizer: "resiliparse",
				Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			})
			return report.Documents > 0, err
		},
	}
}

func TestFaults(t *testing.T) { warcStage().Faults(t) }
func TestMemory(t *testing.T) { warcStage().Memory(t) }

func TestDropped(t *testing.T) {
	s := warcStage()
	run := s.Run
	s.Run = func() (bool, error) {
		os.Remove("crawl/b.warc")
		return run()
	}
	s.Dropped(t, "no record at all\r\n", "no document was made")
	s.Dropped(t, record("resource", "http://x/", ""), "no document was made") // a page without text
}

// The documents may not lie on the archives, nor two runs write one destination.
func TestDestinations(t *testing.T) {
	t.Chdir(t.TempDir())
	stagetest.Write(t, "crawl/a.warc", record("resource", "http://x/", "<p>x")+"no record\r\n")
	if err := os.Symlink("a.warc", "crawl/a.jsonl.gz"); err != nil {
		t.Skip(err)
	}
	cfg := warc.Config{Documents: []string{"crawl/a.warc"}, Destination: []string{"./crawl"}, Source: "s", Linearizer: "resiliparse"}
	if _, err := warc.Run(context.Background(), cfg); !errors.Is(err, store.ErrClash) {
		t.Errorf("onto the archives: %v, want %v", err, store.ErrClash)
	}
	cfg.Destination = []string{"documents"}
	tried := false
	first := cfg
	first.Log = func(string) { // of the damaged record, while the run goes on
		tried = true
		var held *store.HeldError
		if _, err := warc.Run(context.Background(), cfg); !errors.As(err, &held) {
			t.Errorf("a second run: %v, want a HeldError", err)
		}
	}
	if _, err := warc.Run(context.Background(), first); err != nil || !tried {
		t.Errorf("%v, tried: %v", err, tried)
	}
	// The record may lie among the archives.
	if err := os.Remove("crawl/a.jsonl.gz"); err != nil {
		t.Fatal(err)
	}
	cfg.Documents, cfg.Destination = []string{"crawl"}, []string{"crawl/documents"}
	for _, skipped := range []int64{0, 1} {
		if report, err := warc.Run(context.Background(), cfg); err != nil || report.Files != 1 || report.Skipped != skipped {
			t.Errorf("%+v, %v, want %d file to be done already", report, err, skipped)
		}
	}
}

// FuzzReader wants an end, and no more content than there are bytes can hold.
func FuzzReader(f *testing.F) {
	a := record("response", "u:a", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	for _, s := range []string{a, gz(a) + gz(a), zst(a) + zst(a), "\x5d\x2a\x4d\x18\x01\x00\x00\x00x" + zst(a), strings.Replace(a, "Length: ", "Length: 9", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, archive string) {
		got, err := read(archive)
		if err == nil && len(got) > len(archive) {
			t.Errorf("%d records in %d bytes", len(got), len(archive))
		}
	})
}

func ExampleReader() {
	archive := "WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: http://example.com/\r\nContent-Length: 5\r\n\r\nhello\r\n\r\n"
	r, err := warc.NewReader("example.warc", strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		log.Fatal(err)
	}
	rec, err := r.Next()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rec.Type(), rec.Header["warc-target-uri"], string(rec.Content))
	// Output:
	// resource http://example.com/ hello
}

// Whatever the text of a page depends on is a run of its own; what it does not is not.
func TestSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", "crawl.warc.gz", gz(record("response", "http://x/", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>A page of text.</p>")))
	base := func() warc.Config {
		return warc.Config{Documents: []string{"crawl.warc.gz"}, Destination: []string{"out"}, Source: "s", Linearizer: "resiliparse"}
	}
	for _, c := range []struct {
		name   string
		change func(*warc.Config)
		same   bool
	}{
		{"workers", func(c *warc.Config) { c.Processes = 3 }, true},
		{"the source", func(c *warc.Config) { c.Source = "other" }, false},
		{"the linearizer", func(c *warc.Config) { c.Linearizer = "readability" }, false},
		{"the page is kept", func(c *warc.Config) { c.StoreHTML = true }, false},
		{"a tagger before", func(c *warc.Config) { c.Pre = tagging("cc_re_fast") }, false},
		{"a tagger after", func(c *warc.Config) { c.Post = tagging("char_length_v1") }, false},
	} {
		if _, err := warc.Run(context.Background(), base()); err != nil {
			t.Fatal(err)
		}
		changed := base()
		c.change(&changed)
		report, err := warc.Run(context.Background(), changed)
		if err != nil || (report.Skipped == 1) != c.same {
			t.Errorf("another run by %s: %+v, %v; done already: want %v", c.name, report, err, c.same)
		}
	}
}
