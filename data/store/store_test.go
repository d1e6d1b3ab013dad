package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"olmo/data/store"
	"olmo/data/store/storetest"
)

func random(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	if _, err := rng.Read(b); err != nil {
		panic(err)
	}
	return b
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := store.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is written anywhere reads back, from the start and in the middle, and
// is not there before Commit nor after Abort.
func TestWriteAndRead(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	dir := t.TempDir()
	for _, base := range []string{dir, "s3://corpus/x", "gs://corpus/y"} {
		for _, size := range []int{0, 1, 8 << 20, 8<<20 + 1, 20_000_000} {
			if testing.Short() && size > 1 {
				continue
			}
			name := store.Join(base, "sub", fmt.Sprint(size))
			want := random(size)
			w, err := store.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 300_000)
				if _, err := w.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if store.Exists(name) {
				t.Errorf("%s is there before it is complete", name)
			}
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(read(t, name), want) {
				t.Errorf("%s reads back differently", name)
			}
			info, err := store.Stat(name)
			if err != nil || info.Size != int64(size) || info.ModTime.IsZero() {
				t.Errorf("Stat(%s) = %+v, %v", name, info, err)
			}
			f, err := store.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if now, err := f.Now(); err != nil || !now.Same(f.Info()) {
				t.Errorf("%s changed from %+v to %+v, %v", name, f.Info(), now, err)
			}
			b := make([]byte, 100)
			n, err := f.ReadAt(b, int64(size-50))
			if size > 50 && (n != 50 || err != io.EOF || !bytes.Equal(b[:n], want[size-50:])) {
				t.Errorf("%s: ReadAt = %d, %v", name, n, err)
			}
			f.Close()
			if err := store.Remove(name); err != nil || store.Exists(name) {
				t.Errorf("Remove(%s): %v", name, err)
			}
		}
		name := store.Join(base, "given-up")
		w, err := store.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(random(9 << 20)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		if store.Exists(name) {
			t.Errorf("%s is there after Abort", name)
		}
	}
	if n := s3.Unfinished(); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// An upload that a killed run left is removed by the next.
func TestUploadOfKilledRun(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	for range 2 {
		w, err := store.Create("s3://corpus/a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(random(8 << 20)); err != nil { // and no end
			t.Fatal(err)
		}
		defer w.Abort()
		for len(s3.Names()) == 0 && s3.Unfinished() == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if n := s3.Unfinished(); n != 1 {
		t.Errorf("%d uploads are left, want that of the second run", n)
	}
}

// Broken connections and busy servers are asked again from where they stopped.
func TestBrokenConnections(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	s3 := storetest.Start(t, "corpus")
	want := random(1_000_000)
	s3.Put("corpus/a", want)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if strings.HasSuffix(r.URL.Path, "/whole") {
			r.Header.Del("Range") // a server that cannot send parts
		}
		if r.Header.Get("Range") == "" && r.Method == http.MethodGet && !strings.HasSuffix(r.URL.Path, "/whole") {
			w.Header().Set("Content-Length", fmt.Sprint(len(want)))
			_, _ = w.Write(want[:400_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Now(), bytes.NewReader(want))
	}))
	defer web.Close()
	if !bytes.Equal(read(t, web.URL+"/a"), want) || !bytes.Equal(read(t, web.URL+"/whole"), want) {
		t.Error("a web page reads differently")
	}

	n := 0
	s3.Break(func(r *http.Request) storetest.Fault {
		if n++; n%3 == 0 {
			return storetest.Fault{Status: http.StatusServiceUnavailable}
		} else if r.Method == http.MethodGet {
			return storetest.Fault{CutAfter: 150_000}
		}
		return storetest.Fault{}
	})
	if !bytes.Equal(read(t, "s3://corpus/a"), want) {
		t.Error("an object reads differently")
	}
	n = 0
	s3.Break(func(r *http.Request) storetest.Fault {
		if n++; n%2 == 0 {
			return storetest.Fault{Status: http.StatusInternalServerError}
		}
		return storetest.Fault{}
	})
	w, err := store.Create("s3://corpus/b")
	if err != nil {
		t.Fatal(err)
	}
	long := random(17 << 20)
	if _, err := w.Write(long); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s3.Get("corpus/b"), long) {
		t.Error("the object is not what was written")
	}
	s3.Break(func(*http.Request) storetest.Fault { return storetest.Fault{Status: http.StatusServiceUnavailable} })
	if _, err := store.ReadFile("s3://corpus/a"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a server that is down: %v", err)
	}
}

// TestAskedAgain: which answers are asked again for, and which are final.
func TestAskedAgain(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	for _, c := range []struct {
		status int
		again  bool
	}{
		{http.StatusBadRequest, false},
		{http.StatusForbidden, false},
		{http.StatusRequestTimeout, true},
		{http.StatusConflict, false},
		{http.StatusTooManyRequests, true},
		{http.StatusInternalServerError, true},
		{http.StatusBadGateway, true},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			asked := 0
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked <= 2 {
					w.WriteHeader(c.status)
					return
				}
				_, _ = w.Write([]byte("text"))
			}))
			defer web.Close()
			b, err := store.ReadFile(web.URL)
			if c.again && (string(b) != "text" || err != nil || asked != 3) {
				t.Errorf("%q, %v after %d requests; want the text after 3", b, err, asked)
			}
			if !c.again && (err == nil || !strings.Contains(err.Error(), fmt.Sprint(c.status)) || asked != 1) {
				t.Errorf("%q, %v after %d requests; want an error with the status after 1", b, err, asked)
			}
		})
	}
}

// A server that gives neither the size nor a tag is read to its end.
func TestPageOfUnknownSize(t *testing.T) {
	want := random(100_000)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // in chunks from here on
		_, _ = w.Write(want)
	}))
	defer web.Close()
	if !bytes.Equal(read(t, web.URL), want) {
		t.Error("the page reads differently")
	}
}

// An upload whose last answer is lost is complete; one that fails for good leaves
// nothing on the server.
func TestLastAnswerOfUpload(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	s3 := storetest.Start(t, "corpus")
	long := random(17 << 20)
	upload := func(name string) error {
		w, err := store.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(long); err != nil {
			t.Fatal(err)
		}
		return w.Commit()
	}
	completes := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }
	n := 0
	s3.Break(func(r *http.Request) storetest.Fault {
		if completes(r) {
			if n++; n == 1 {
				return storetest.Fault{CutAfter: 5}
			}
		}
		return storetest.Fault{}
	})
	if err := upload("s3://corpus/a"); err != nil || !bytes.Equal(s3.Get("corpus/a"), long) || n < 2 {
		t.Errorf("the answer was lost once: %v after %d requests, want the object after 2", err, n)
	}
	s3.Break(func(r *http.Request) storetest.Fault {
		if completes(r) {
			return storetest.Fault{Status: http.StatusForbidden}
		}
		return storetest.Fault{}
	})
	if err := upload("s3://corpus/b"); err == nil || !strings.Contains(err.Error(), "403") || s3.Get("corpus/b") != nil || s3.Unfinished() != 0 {
		t.Errorf("an upload that may not be: %v, %d parts of an upload are left", err, s3.Unfinished())
	}
}

// Without tags a size that changed between two requests is noticed.
func TestSizeChangedWhileRead(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	for _, c := range []struct {
		name, tag string
		size      int // of the file when it is asked for again
		want      bool
	}{
		{"the same size", "", 1000, true},
		{"a smaller file", "", 900, false},
		{"a larger file", "", 1100, false},
		{"the same weak tag", `W/"1"`, 1000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.tag != "" {
					w.Header().Set("ETag", c.tag)
				}
				if asked++; asked == 1 {
					w.Header().Set("Content-Length", "1000")
					_, _ = w.Write(make([]byte, 500))
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, c.size)))
			}))
			defer web.Close()
			b, err := store.ReadFile(web.URL)
			if c.want && (len(b) != 1000 || err != nil) {
				t.Errorf("%d bytes, %v; want 1000", len(b), err)
			}
			if !c.want && !errors.Is(err, store.ErrChanged) {
				t.Errorf("%d bytes, %v; want ErrChanged", len(b), err)
			}
		})
	}
}

// A file that is replaced while it is read is an error, not a mixture.
func TestReplacedWhileRead(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	s3 := storetest.Start(t, "corpus")
	s3.Put("corpus/a", random(1_000_000))
	s3.Break(func(r *http.Request) storetest.Fault {
		if r.Method == http.MethodGet && r.Header.Get("Range") == "" {
			return storetest.Fault{CutAfter: 500_000}
		}
		return storetest.Fault{}
	})
	f, err := store.Open("s3://corpus/a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s3.Put("corpus/a", make([]byte, 1_000_000))
	if _, err := io.ReadAll(f); !errors.Is(err, store.ErrChanged) {
		t.Errorf("an object: %v, want ErrChanged", err)
	}
	if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, store.ErrChanged) {
		t.Errorf("an object at 0: %v, want ErrChanged", err)
	}

	var tag atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint(tag.Add(1))))
		if tag.Load() == 1 {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(make([]byte, 500))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Now(), bytes.NewReader(make([]byte, 1000)))
	}))
	defer web.Close()
	if _, err := store.ReadFile(web.URL); !errors.Is(err, store.ErrChanged) {
		t.Errorf("a page: %v, want ErrChanged", err)
	}
}

func TestList(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	for _, name := range []string{"a/1", "a/2", "a/b/3", "a/b/c/4", "a/5", "ab/6", "z"} {
		s3.Put("corpus/"+name, nil)
	}
	for _, c := range []struct {
		prefix string
		deep   bool
		want   string
	}{
		{"s3://corpus/a/", false, "1 2 5"},
		{"s3://corpus/a/", true, "1 2 5 b/3 b/c/4"},
		{"s3://corpus/none/", true, ""},
	} {
		names, err := store.List(c.prefix, c.deep)
		if err != nil {
			t.Fatal(err)
		}
		for i := range names {
			names[i] = strings.TrimPrefix(names[i], c.prefix)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("List(%s, %v) = %q, want %q", c.prefix, c.deep, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	s3 := storetest.Start(t, "corpus")
	s3.Put("corpus/a", []byte("x"))
	for _, name := range []string{"s3://corpus/none", "s3://nowhere/x", s3.URL + "/nowhere", filepath.Join(t.TempDir(), "none")} {
		if _, err := store.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%s): %v, want ErrNotExist", name, err)
		}
		if _, err := store.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat(%s): %v, want ErrNotExist", name, err)
		}
	}
	if _, err := store.List("s3://nowhere/x", true); err == nil || !strings.Contains(err.Error(), "no bucket nowhere") {
		t.Errorf("listing a missing bucket: %v", err)
	}
	for name, want := range map[string]string{
		"ftp://x/y":         "ftp:// is not known",
		"https://x/y":       "nothing can be written to a web server",
		"s3://corpus/":      "names no file",
		"s3:///x":           "names no bucket",
		"s3://corpus/dir/":  "names no file",
		"az://container/fo": "az:// is not known",
	} {
		if _, err := store.Create(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Create(%s): %v, want one with %q", name, err, want)
		}
	}
	// Without keys requests are not signed, which this server does not take.
	home := t.TempDir()
	for key, value := range map[string]string{"HOME": home, "USERPROFILE": home, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "nobody"} {
		t.Setenv(key, value)
	}
	if _, err := store.Open("s3://corpus/a"); err == nil || !strings.Contains(err.Error(), "hint: set AWS_ACCESS_KEY_ID") {
		t.Errorf("without keys: %v", err)
	}
	// Those of a profile are found, and its server.
	t.Setenv("AWS_PROFILE", "lab")
	t.Setenv("AWS_ENDPOINT_URL", "")
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o777); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"credentials": "[default]\naws_access_key_id = no\n[lab]\naws_access_key_id = id\naws_secret_access_key = key\n",
		"config":      "[default]\nregion = x\n[profile lab]\nregion = eu-central-1\nendpoint_url = " + s3.URL + "\n",
	} {
		if err := os.WriteFile(filepath.Join(home, ".aws", file), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := store.ReadFile("s3://corpus/a"); string(b) != "x" {
		t.Errorf("with a profile: %q, %v", b, err)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		base string
		elem []string
		want string
	}{
		{"s3://b/x/", []string{"y", "../z"}, "s3://b/x/z"},
		{"s3://b", []string{"a.gz"}, "s3://b/a.gz"},
		{"https://h/x", nil, "https://h/x"},
		{"a", []string{"b"}, filepath.Join("a", "b")},
	} {
		if got := store.Join(c.base, c.elem...); got != c.want {
			t.Errorf("Join(%q, %q) = %q, want %q", c.base, c.elem, got, c.want)
		}
	}
	if got := store.Dir("s3://b/x/y"); got != "s3://b/x" {
		t.Errorf("Dir = %q", got)
	}
	if store.Remote("C:/x") || store.Remote("a://b") || !store.Remote("gs://b/x") {
		t.Error("Remote is wrong")
	}
}

// A file of a moderate size takes no more requests than it must.
func TestRequests(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	s3.Put("corpus/a", random(1000))
	s3.Requests()
	read(t, "s3://corpus/a")
	if got := s3.Requests(); !slices.Equal(got, []string{"GET /corpus/a"}) {
		t.Errorf("reading asked %v", got)
	}
	w, err := store.Create("s3://corpus/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := s3.Requests(); !slices.Equal(got, []string{"PUT /corpus/b", "HEAD /corpus/b"}) {
		t.Errorf("writing asked %v", got)
	}
}

// TestAddresses: what is an address, what can be written, and what may be done
// where.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		name             string
		remote, readOnly bool
	}{
		{"a/b", false, false},
		{"-", false, false},
		{"s3://b/x", true, false},
		{"s3a://b/x", true, false},
		{"gs://b/x", true, false},
		{"https://h/x", true, true},
		{"http://h/x", true, true},
		{"ftp://h/x", false, false},
		{"s3:/b/x", false, false},
	} {
		if got := store.Remote(c.name); got != c.remote {
			t.Errorf("Remote(%s) = %v, want %v", c.name, got, c.remote)
		}
		if got := store.ReadOnly(c.name); got != c.readOnly {
			t.Errorf("ReadOnly(%s) = %v, want %v", c.name, got, c.readOnly)
		}
	}
	for what, ask := range map[string]func() error{
		"ftp:// is not known": func() error { _, err := store.Stat("ftp://h/x"); return err },
		"ftp:// is not":       func() error { _, err := store.Open("ftp://h/x"); return err },
		"ftp://":              func() error { return store.Remove("ftp://h/x") },
		"ftp":                 func() error { _, err := store.List("ftp://h/x", true); return err },
		"nothing can be removed from a web server": func() error { return store.Remove("https://h/x") },
		"only s3:// and gs:// can be listed":       func() error { _, err := store.List("https://h/x", true); return err },
		"listing docs: only":                       func() error { _, err := store.List("docs", true); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want an error with %q", err, what)
		}
	}
	if got, want := store.Clean("gs://b/x/../y/"), "gs://b/y"; got != want {
		t.Errorf("Clean = %q, want %q", got, want)
	}
	if got, want := store.Dir(filepath.Join("a", "b")), "a"; got != want {
		t.Errorf("Dir = %q, want %q", got, want)
	}
}

// Looks at many files come in their order; what is missing is told, and what is
// there is described all the same.
func TestStatAll(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	dir := t.TempDir()
	var names []string
	for i := range 40 { // more than are asked for at once
		s3.Put(fmt.Sprintf("corpus/%d", i), make([]byte, 2*i+1))
		here := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(here, make([]byte, 2*i), 0o666); err != nil {
			t.Fatal(err)
		}
		names = append(names, here, fmt.Sprintf("s3://corpus/%d", i))
	}
	infos, err := store.StatAll(names)
	if err != nil {
		t.Fatal(err)
	}
	for i, info := range infos {
		if info.Size != int64(i) || info.ModTime.IsZero() || info.Dir || (info.Version != "") != store.Remote(names[i]) {
			t.Errorf("%s: %+v, want %d bytes", names[i], info, i)
		}
	}
	for _, missing := range []string{filepath.Join(dir, "none"), "s3://corpus/none"} {
		infos, err := store.StatAll([]string{names[6], missing, names[7]})
		if !errors.Is(err, fs.ErrNotExist) || infos[0].Size != 6 || infos[2].Size != 7 {
			t.Errorf("beside %s: %+v, %v", missing, infos, err)
		}
	}
	for _, folder := range []string{dir, "s3://corpus", "s3://corpus/"} {
		if info, err := store.Stat(folder); err != nil || !info.Dir {
			t.Errorf("Stat(%s) = %+v, %v, want a folder", folder, info, err)
		}
	}
	if _, err := store.Open("s3://corpus/"); err == nil || !strings.Contains(err.Error(), "want a file") {
		t.Errorf("opening a bucket: %v", err)
	}
	for _, name := range []string{filepath.Join(dir, "none"), "s3://corpus/none"} {
		if err := store.Remove(name); err != nil {
			t.Errorf("removing what is not there: %v", err)
		}
	}
}

// TestSame: two looks saw the same content when nothing that is known differs.
func TestSame(t *testing.T) {
	now := time.Now()
	a := store.Info{Size: 1, ModTime: now, Version: "x"}
	for what, b := range map[string]store.Info{
		"size":    {Size: 2, ModTime: now, Version: "x"},
		"time":    {Size: 1, ModTime: now.Add(1), Version: "x"},
		"version": {Size: 1, ModTime: now, Version: "y"},
	} {
		if a.Same(b) {
			t.Errorf("another %s is the same", what)
		}
	}
	if !a.Same(store.Info{Size: 1, ModTime: now.UTC(), Version: "x"}) {
		t.Error("another time zone is another file")
	}
}

// Standard output gets what is written at once, and nothing is known of standard
// input but that it can be read.
func TestStandard(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	old := os.Stdout
	os.Stdout = out
	w, err := store.Create(store.Standard)
	if err == nil {
		_, err = io.WriteString(w, "text")
	}
	if err == nil {
		err = errors.Join(w.Seal(), w.Commit())
	}
	os.Stdout = old
	if text, _ := os.ReadFile(out.Name()); err != nil || string(text) != "text" {
		t.Errorf("standard output got %q, %v", text, err)
	}
	in, err := os.Open(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	oldIn := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = oldIn }()
	if info, err := store.Stat(store.Standard); err != nil || info.Size != -1 {
		t.Errorf("standard input is %+v, %v", info, err)
	}
	f, err := store.Open(store.Standard)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	now, errNow := f.Now()
	if err != nil || errNow != nil || string(text) != "text" || f.Info().Size != -1 || !now.Same(f.Info()) {
		t.Errorf("standard input gives %q, %+v, then %+v, %v, %v", text, f.Info(), now, err, errNow)
	}
}

// A file of a folder that is replaced under its name while it is read stays the
// one that was opened; one that grows is another.
func TestNowOfFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, []byte("one"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := store.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if now, err := f.Now(); err != nil || !now.Same(f.Info()) || now.Size != 3 {
		t.Errorf("unchanged: %+v, %v", now, err)
	}
	if err := os.WriteFile(name, []byte("more than one"), 0o666); err != nil {
		t.Fatal(err)
	}
	if now, err := f.Now(); err != nil || now.Same(f.Info()) || f.Info().Size != 3 || now.Size != 13 {
		t.Errorf("changed: %+v, %v, opened as %+v", now, err, f.Info())
	}
}

// TestRefusals: an answer that asking again does not change is told at once, with
// what to do.
func TestRefusals(t *testing.T) {
	store.SetFirstPause(t, time.Millisecond)
	s3 := storetest.Start(t, "corpus")
	s3.Put("corpus/a", []byte("x"))
	for _, c := range []struct {
		status int
		want   string
		asked  int
	}{
		{http.StatusForbidden, "hint: set AWS_ACCESS_KEY_ID", 1},
		{http.StatusUnauthorized, "hint: set AWS_ACCESS_KEY_ID", 1},
		{http.StatusMovedPermanently, "hint: set AWS_REGION", 1},
		{http.StatusTemporaryRedirect, "hint: set AWS_REGION", 1},
		{http.StatusPreconditionFailed, store.ErrChanged.Error(), 1},
		{http.StatusConflict, "409", 1},
		{http.StatusServiceUnavailable, "503", 8},
	} {
		n := 0
		s3.Break(func(*http.Request) storetest.Fault { n++; return storetest.Fault{Status: c.status} })
		_, err := store.Open("s3://corpus/a")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "s3://corpus/a") || n != c.asked {
			t.Errorf("%d: %v after %d requests, want %q after %d", c.status, err, n, c.want, c.asked)
		}
	}
	for what, do := range map[string]func() error{
		"removing s3://corpus/a": func() error { return store.Remove("s3://corpus/a") },
		"listing s3://corpus/":   func() error { _, err := store.List("s3://corpus/", false); return err },
		"s3://corpus/a: the":     func() error { _, err := store.Stat("s3://corpus/a"); return err },
	} {
		s3.Break(func(*http.Request) storetest.Fault { return storetest.Fault{Status: http.StatusForbidden} })
		if err := do(); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "403") {
			t.Errorf("%v, want an error with %q and the status", err, what)
		}
	}
	if s3.Get("corpus/a") == nil {
		t.Error("the object is gone")
	}
}
