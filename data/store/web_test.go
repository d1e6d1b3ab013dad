package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"olmo/data/store"
)

// From a web server only the bytes wanted are fetched, of the version that was
// opened; a server that knows no ranges sends the whole, from which they are taken.
func TestPartsOfPage(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	text := random(10_000)
	stamp := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, c := range []struct {
		name, tag, total string // total in Content-Range, when not the true one
		ranges           bool
		match            string // If-Match of the request
	}{
		{"a server with ranges and tags", `"1"`, "", true, `"1"`},
		{"a weak tag is not asked for", `W/"1"`, "", true, ""},
		{"no tag", "", "", true, ""},
		{"a server without ranges", `"1"`, "", false, `"1"`},
		{"a server that does not say how much there is", `"1"`, "*", true, `"1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, fmt.Sprintf("%s %s %s", r.Method, r.Header.Get("Range"), r.Header.Get("If-Match")))
				if c.tag != "" {
					w.Header().Set("ETag", c.tag)
				}
				r.Header.Del("If-Match")
				if !c.ranges {
					r.Header.Del("Range")
				}
				var from, to int
				if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 && c.total != "" {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", from, to, c.total))
					w.WriteHeader(http.StatusPartialContent)
					_, _ = w.Write(text[from : to+1])
					return
				}
				http.ServeContent(w, r, "", stamp, bytes.NewReader(text))
			}))
			defer web.Close()
			f, err := store.Open(web.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if i := f.Info(); i.Size != 10_000 || i.Version != c.tag || !i.ModTime.Equal(stamp) {
				t.Errorf("the page is %+v", i)
			}
			asked = nil
			for _, p := range []struct{ off, n, want int }{{0, 1, 1}, {100, 50, 50}, {9_990, 20, 10}, {10_000, 5, 0}} {
				b := make([]byte, p.n)
				n, err := f.ReadAt(b, int64(p.off))
				if n != p.want || !bytes.Equal(b[:n], text[p.off:p.off+n]) || (err == io.EOF) != (p.want < p.n) || err != nil && err != io.EOF {
					t.Errorf("%d bytes at %d: %d, %v; want %d of the text", p.n, p.off, n, err, p.want)
				}
			}
			want := []string{"GET bytes=0-0 " + c.match, "GET bytes=100-149 " + c.match, "GET bytes=9990-9999 " + c.match}
			if strings.Join(asked, "\n") != strings.Join(want, "\n") {
				t.Errorf("it asked %q, want %q", asked, want)
			}
			if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
				t.Error("a byte before the first can be read")
			}
		})
	}
}

// Nothing can be read out of order of what has no size.
func TestPartsOfUnknownSize(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // in chunks from here on
		fmt.Fprint(w, "text")
	}))
	defer web.Close()
	f, err := store.Open(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 1), 0); err == nil || !strings.Contains(err.Error(), "its size is not known") {
		t.Errorf("ReadAt: %v", err)
	}
}

// What is gone for good is missing; what was replaced since it was opened is told.
func TestPageAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		want   error
	}{
		{http.StatusNotFound, fs.ErrNotExist},
		{http.StatusGone, fs.ErrNotExist},
		{http.StatusPreconditionFailed, store.ErrChanged},
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(c.status) }))
		if _, err := store.Open(web.URL); !errors.Is(err, c.want) {
			t.Errorf("%d: %v, want %v", c.status, err, c.want)
		}
		web.Close()
	}
	// A server that does not look at If-Match sends the new page with its tag.
	version := 1
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint(version)))
		r.Header.Del("If-Match")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("text"))
	}))
	defer web.Close()
	f, err := store.Open(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	version = 2
	if _, err := f.ReadAt(make([]byte, 2), 1); !errors.Is(err, store.ErrChanged) {
		t.Errorf("a page with another tag: %v, want ErrChanged", err)
	}
	if now, err := f.Now(); err != nil || now.Same(f.Info()) {
		t.Errorf("now it is %+v, %v, the same as %+v", now, err, f.Info())
	}
}

// A server need not say how much there is when it sends the rest of a file.
func TestRestOfUnknownTotal(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	text := random(1000)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var from int
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-999/*", from))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(text[from:])
			return
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(text[:400])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer web.Close()
	if b, err := store.ReadFile(web.URL); err != nil || !bytes.Equal(b, text) {
		t.Errorf("%d bytes, %v, want the 1000", len(b), err)
	}
}

// A file comes as it is stored, never packed on the way, and Close ends its request.
func TestPageAsStored(t *testing.T) {
	ended := make(chan bool, 1)
	encoding := ""
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encoding = r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 10))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ended <- true
	}))
	defer web.Close()
	f, err := store.Open(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the request goes on after Close")
		web.CloseClientConnections()
	}
	if encoding != "" {
		t.Errorf("it asks for the encoding %q", encoding)
	}
}

// TestUnreached: a server that cannot be reached is said in words, once.
func TestUnreached(t *testing.T) {
	wrapped := func(err error) error { return &url.Error{Op: "Get", URL: "http://x.org/y", Err: err} }
	for _, c := range []struct {
		err  error
		want string
	}{
		{wrapped(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "x.org", Server: "10.0.0.1:53", IsNotFound: true}}), "no address is known of the server x.org: there is no network, or no such server"},
		{wrapped(&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}), "no connection to 127.0.0.1:9: " + syscall.ECONNREFUSED.Error()},
		{wrapped(io.ErrUnexpectedEOF), "unexpected EOF"},
		{fs.ErrPermission, "permission denied"},
	} {
		if got := store.InWords(c.err); got.Error() != c.want || !errors.Is(got, c.err) {
			t.Errorf("%v: %v, want %s", c.err, got, c.want)
		}
	}
}
