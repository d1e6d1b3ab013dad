// Package storetest holds an S3 server in memory, for tests of what reads and
// writes object stores.
package storetest

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is an S3 server. Requests must be signed, but no signature is
// checked.
type Server struct {
	URL string

	web     *httptest.Server
	mu      sync.Mutex
	objects map[string]object // bucket/key
	uploads map[string]*upload
	log     []string
	fault   func(r *http.Request) Fault
	n       int
}

// Fault is how a request goes wrong.
type Fault struct {
	Status int // answered in place of the right one, when not zero
	// CutAfter closes the connection after so many bytes of the body, when
	// positive.
	CutAfter int
}

type object struct {
	body []byte
	time time.Time
	etag string
}

type upload struct {
	name  string
	parts map[int][]byte
}

// Start runs a server until the test ends, with the buckets given, and points
// the AWS variables to it.
func Start(t testing.TB, buckets ...string) *Server {
	t.Helper()
	s := New(buckets...)
	t.Cleanup(s.Close)
	for key, value := range s.Environ() {
		t.Setenv(key, value)
	}
	return s
}

// New runs a server until Close.
func New(buckets ...string) *Server {
	s := &Server{objects: map[string]object{}, uploads: map[string]*upload{}}
	for _, b := range buckets {
		s.objects[b+"/"] = object{}
	}
	s.web = httptest.NewServer(s)
	s.URL = s.web.URL
	return s
}

// Environ are the variables that lead a client to the server.
func (s *Server) Environ() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_ENDPOINT_URL_S3": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_SESSION_TOKEN": "",
		"STORAGE_EMULATOR_HOST": s.URL,
	}
}

// Close ends the server.
func (s *Server) Close() { s.web.Close() }

// Put stores an object, name being bucket/key.
func (s *Server) Put(name string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := md5.Sum(body)
	s.objects[name] = object{bytes.Clone(body), time.Now().UTC().Truncate(time.Second), `"` + hex.EncodeToString(sum[:]) + `"`}
}

// Get returns an object, nil when there is none.
func (s *Server) Get(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[name].body
}

// Names lists all objects, sorted.
func (s *Server) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for name := range s.objects {
		if !strings.HasSuffix(name, "/") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Unfinished is the number of uploads in parts that are neither complete nor
// given up.
func (s *Server) Unfinished() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

// Requests lists the methods and addresses asked so far, and forgets them.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

// Break makes requests fail as fault says; nil makes none fail.
func (s *Server) Break(fault func(r *http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	// Not while a body is sent: the client may ask for more before it reads.
	s.answer(w, r, body)()
}

// answer answers a request; what it returns sends the body.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, body []byte) (send func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	send = func() {}
	s.log = append(s.log, r.Method+" "+r.URL.RequestURI())
	if s.fault != nil {
		f := s.fault(r)
		if f.Status != 0 {
			fail(w, f.Status, "Fault")
			return send
		}
		if f.CutAfter > 0 {
			w = &cut{w, f.CutAfter}
		}
	}
	if sum := r.Header.Get("Content-Md5"); sum != "" {
		if got := md5.Sum(body); sum != base64.StdEncoding.EncodeToString(got[:]) {
			fail(w, http.StatusBadRequest, "BadDigest")
			return send
		}
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	bucket, key, _ := strings.Cut(name, "/")
	q := r.URL.Query()
	if _, ok := s.objects[bucket+"/"]; !ok {
		fail(w, http.StatusNotFound, "NoSuchBucket")
		return send
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		fail(w, http.StatusForbidden, "AccessDenied")
		return send
	}
	switch {
	case key == "" && q.Has("list-type"):
		s.list(w, bucket, q.Get("prefix"), q.Get("delimiter"), q.Get("continuation-token"))
	case key == "" && q.Has("uploads"):
		s.listUploads(w, bucket, q.Get("prefix"))
	case r.Method == http.MethodPost && q.Has("uploads"):
		s.n++
		id := "upload-" + strconv.Itoa(s.n)
		s.uploads[id] = &upload{name, map[int][]byte{}}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>", bucket, key, id)
	case q.Has("uploadId"):
		s.part(w, r, name, q.Get("uploadId"), q.Get("partNumber"), body)
	case r.Method == http.MethodPut:
		s.store(name, body)
		w.Header().Set("ETag", s.objects[name].etag)
	case r.Method == http.MethodDelete:
		delete(s.objects, name)
		w.WriteHeader(http.StatusNoContent)
	default:
		o, ok := s.objects[name]
		if !ok {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return send
		}
		if m := r.Header.Get("If-Match"); m != "" && strings.Trim(m, `"`) != strings.Trim(o.etag, `"`) {
			fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return send
		}
		w.Header().Set("ETag", o.etag)
		w.Header().Set("Content-Type", "application/octet-stream")
		send = func() { http.ServeContent(w, r, "", o.time, bytes.NewReader(o.body)) }
	}
	return send
}

func (s *Server) store(name string, body []byte) {
	sum := md5.Sum(body)
	s.objects[name] = object{body, time.Now().UTC().Truncate(time.Second), `"` + hex.EncodeToString(sum[:]) + `"`}
}

func (s *Server) part(w http.ResponseWriter, r *http.Request, name, id, number string, body []byte) {
	u := s.uploads[id]
	if u == nil || u.name != name {
		fail(w, http.StatusNotFound, "NoSuchUpload")
		return
	}
	switch r.Method {
	case http.MethodPut:
		n, err := strconv.Atoi(number)
		if err != nil {
			fail(w, http.StatusBadRequest, "InvalidArgument")
			return
		}
		u.parts[n] = body
		sum := md5.Sum(body)
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	case http.MethodDelete:
		delete(s.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		var order struct {
			Part []struct {
				PartNumber int
				ETag       string
			}
		}
		if err := xml.Unmarshal(body, &order); err != nil {
			fail(w, http.StatusBadRequest, "MalformedXML")
			return
		}
		var whole []byte
		for _, p := range order.Part {
			b, ok := u.parts[p.PartNumber]
			if sum := md5.Sum(b); !ok || strings.Trim(p.ETag, `"`) != hex.EncodeToString(sum[:]) {
				fail(w, http.StatusBadRequest, "InvalidPart")
				return
			}
			whole = append(whole, b...)
		}
		s.store(name, whole)
		delete(s.uploads, id)
		bucket, key, _ := strings.Cut(name, "/")
		fmt.Fprintf(w, "<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>%s</ETag></CompleteMultipartUploadResult>", bucket, key, s.objects[name].etag)
	}
}

// pageSize makes lists of a few objects come in several answers.
const pageSize = 3

func (s *Server) list(w http.ResponseWriter, bucket, prefix, delimiter, after string) {
	type content struct {
		Key, LastModified, ETag string
		Size                    int
	}
	type common struct{ Prefix string }
	var out struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []content
		CommonPrefixes        []common
	}
	var keys []string
	for name := range s.objects {
		if key, ok := strings.CutPrefix(name, bucket+"/"); ok && key != "" && strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if len(keys) > pageSize {
		keys = keys[:pageSize]
		out.IsTruncated, out.NextContinuationToken = true, keys[pageSize-1]
	}
	for _, key := range keys {
		if i := strings.Index(key[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			c := common{key[:len(prefix)+i+1]}
			if !slices.Contains(out.CommonPrefixes, c) {
				out.CommonPrefixes = append(out.CommonPrefixes, c)
			}
			continue
		}
		o := s.objects[bucket+"/"+key]
		out.Contents = append(out.Contents, content{key, o.time.Format(time.RFC3339), o.etag, len(o.body)})
	}
	writeXML(w, out)
}

func (s *Server) listUploads(w http.ResponseWriter, bucket, prefix string) {
	type one struct{ Key, UploadId, Initiated string }
	var out struct {
		XMLName xml.Name `xml:"ListMultipartUploadsResult"`
		Upload  []one
	}
	for id, u := range s.uploads {
		if key, ok := strings.CutPrefix(u.name, bucket+"/"); ok && strings.HasPrefix(key, prefix) {
			out.Upload = append(out.Upload, one{key, id, time.Now().UTC().Format(time.RFC3339)})
		}
	}
	writeXML(w, out)
}

func writeXML(w http.ResponseWriter, v any) {
	b, err := xml.Marshal(v)
	if err != nil {
		panic(err) // these types always marshal
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(b) // the client may be gone
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, http.StatusText(status))
}

// cut breaks the connection off after some bytes of the body.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(b []byte) (int, error) {
	if len(b) < c.left {
		c.left -= len(b)
		return c.ResponseWriter.Write(b)
	}
	_, _ = c.ResponseWriter.Write(b[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}
