package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"olmo/proof"
	"olmo/store"
)

// lfsType is the media type of Git LFS.
const lfsType = "application/vnd.git-lfs+json"

// object is a large file on its way to a hub.
type object struct {
	*Local
	to     address
	verify address
	parts  []uploadPart   // of a file that goes in parts
	etags  []string       // the store's names of them
	there  map[int]string // those of an earlier process; nil where there was none
	kept   *kept
	left   atomic.Int64 // parts that are not there yet
}

// address is where a request goes, with what the hub says of it.
type address struct {
	Href   string
	Header map[string]string
}

// uploadPart is a range of a file with the address that it is sent to.
type uploadPart struct {
	span
	href string
}

// lfsError is what the hub says of an object that it does not take.
type lfsError struct {
	Code    int
	Message string
}

// send sends the large files that the hub has not, each content once, and returns their bytes.
func (h *Hub) send(ctx context.Context, r Repo, revision string, files []*Local, progress func(done, total int64)) (int64, error) {
	n, err := h.sendOnce(ctx, r, revision, files, progress)
	if errors.Is(err, errStale) {
		n, err = h.sendOnce(ctx, r, revision, files, progress)
	}
	return n, err
}

func (h *Hub) sendOnce(ctx context.Context, r Repo, revision string, files []*Local, progress func(done, total int64)) (int64, error) {
	var objects []*object
	seen := map[string]bool{}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := f.hash(); err != nil {
			return 0, err
		}
		if !seen[f.SHA256.String()] {
			seen[f.SHA256.String()] = true
			objects = append(objects, &object{Local: f})
		}
	}
	var missing []*object
	for chunk := range slices.Chunk(objects, most) {
		some, err := h.batch(ctx, r, revision, chunk)
		if err != nil {
			return 0, err
		}
		missing = append(missing, some...)
	}
	var total int64
	for _, o := range missing {
		total += o.Size
	}
	var done atomic.Int64
	went := func(n int64) {
		if sum := done.Add(n); progress != nil {
			progress(sum, total)
		}
	}
	g := newGang(ctx, uploads)
	for _, o := range missing {
		if g.stopped() {
			break
		}
		if err := h.keepParts(r, o); err != nil {
			g.stop(err)
			break
		}
		defer o.kept.close()
		h.sendObject(g, o, went)
	}
	return total, g.wait()
}

// sendObject sends what is missing of a file, and says so when all of it is there.
func (h *Hub) sendObject(g *gang, o *object, went func(n int64)) {
	var missing []int
	missing, o.etags = o.missingParts()
	parts := o.parts
	if parts == nil {
		parts = []uploadPart{{span{0, o.Size}, o.to.Href}}
	}
	o.left.Store(int64(len(missing)))
	sent := func(ctx context.Context) error {
		if err := h.sent(ctx, o); err != nil {
			return o.stale(fmt.Errorf("sending %s: %w", o.Path, err))
		}
		return o.kept.forget()
	}
	for n, p := range parts {
		if o.etags[n] != "" {
			went(p.to - p.from)
		}
	}
	if len(missing) == 0 {
		g.run(sent)
	}
	for _, n := range missing {
		g.run(func(ctx context.Context) error {
			etag, err := h.sendPart(ctx, o, parts[n], went)
			if err != nil {
				return o.stale(fmt.Errorf("sending %s: %w\nhint: the same command continues", o.Path, err))
			}
			o.etags[n] = etag
			if err := o.kept.part(n, etag); err != nil {
				return err
			}
			if o.left.Add(-1) > 0 {
				return nil
			}
			return sent(ctx)
		})
	}
}

// batch asks which objects the hub has, and where the others go.
//
// https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md; parts are Hugging Face's own.
func (h *Hub) batch(ctx context.Context, r Repo, revision string, objects []*object) (missing []*object, err error) {
	type id struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	}
	var ids []id
	byID := map[string]*object{}
	for _, o := range objects {
		ids = append(ids, id{o.SHA256.String(), o.Size})
		byID[o.SHA256.String()] = o
	}
	text, err := json.Marshal(map[string]any{
		"operation": "upload", "transfers": []string{"basic", "multipart"}, "hash_algo": "sha256",
		"objects": ids, "ref": map[string]string{"name": revision},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Objects []struct {
			OID     string
			Actions *struct{ Upload, Verify *address }
			Error   *lfsError
		}
	}
	if _, err := h.call(ctx, http.MethodPost, "/"+r.String()+".git/info/lfs/objects/batch", &content{text, lfsType, lfsType}, &answer); err != nil {
		return nil, err
	}
	for _, a := range answer.Objects {
		o := byID[a.OID]
		switch {
		case o == nil:
			return nil, fmt.Errorf("the hub speaks of a content %.70q that it was not asked of", a.OID)
		case a.Error != nil:
			return nil, fmt.Errorf("%s: the hub does not take it: %s (%d)", o.Path, h.withoutToken(a.Error.Message), a.Error.Code)
		case a.Actions != nil && a.Actions.Upload != nil:
			o.to = *a.Actions.Upload
			if a.Actions.Verify != nil {
				o.verify = *a.Actions.Verify
			}
			if err := o.split(); err != nil {
				return nil, fmt.Errorf("%s: %w", o.Path, err)
			}
			missing = append(missing, o)
		}
		delete(byID, a.OID)
	}
	for _, o := range byID {
		return nil, fmt.Errorf("%s: the hub does not say whether it has it", o.Path)
	}
	return missing, nil
}

// split reads the parts that the hub wants a file in: the size of all but the last one, and an
// address for each.
func (o *object) split() error {
	if _, err := url.Parse(o.to.Href); err != nil {
		return fmt.Errorf("the hub wants it at an address that is none")
	}
	given := o.to.Header["chunk_size"]
	if given == "" {
		return nil
	}
	size, err := strconv.ParseInt(given, 10, 64)
	if err != nil || size < 1 {
		return fmt.Errorf("the hub wants it in parts of %.40q bytes", given)
	}
	addresses := map[int64]string{}
	for key, href := range o.to.Header {
		if n, err := strconv.ParseInt(key, 10, 64); err == nil {
			addresses[n] = href
		}
	}
	n := (o.Size + size - 1) / size
	if int64(len(addresses)) != n {
		return fmt.Errorf("the hub wants it in %d parts of %d bytes, which are not its %d", len(addresses), size, o.Size)
	}
	for i := range n {
		href, ok := addresses[i+1]
		if !ok {
			return fmt.Errorf("the hub names no address for part %d", i+1)
		}
		o.parts = append(o.parts, uploadPart{span{i * size, min(o.Size, (i+1)*size)}, href})
	}
	return nil
}

// sendPart sends a range of a file, and returns the store's name of it.
func (h *Hub) sendPart(ctx context.Context, o *object, p uploadPart, went func(n int64)) (etag string, err error) {
	in, err := store.Open(o.Name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	err = h.again(ctx, func() (bool, error) {
		inner, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		alive := time.AfterFunc(2*stall, func() { cancel(errStall) })
		defer alive.Stop()
		body := &sending{in: io.NewSectionReader(in, p.from, p.to-p.from), sum: sha256.New(), moved: func(n int64) {
			alive.Reset(2 * stall)
			went(n)
		}}
		r, err := http.NewRequestWithContext(inner, http.MethodPut, p.href, body)
		if err != nil {
			return false, final{fmt.Errorf("the hub wants it at an address that is none")}
		}
		if r.ContentLength = p.to - p.from; r.ContentLength == 0 {
			r.Body = http.NoBody
		}
		res, err := h.open(&h.bare, r)
		if err != nil {
			went(-body.n)
			return false, stalled(inner, err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
		if o.parts == nil && proof.Hash(body.sum.Sum(nil)) != *o.SHA256 {
			return false, final{fmt.Errorf("%s is not what it was, or not what release.json names: its SHA-256 is %x, want %s", o.Name, body.sum.Sum(nil), o.SHA256)}
		}
		etag = res.Header.Get("ETag")
		if o.parts != nil && etag == "" {
			return false, final{fmt.Errorf("%s does not name what it got", res.Request.URL.Host)}
		}
		return false, nil
	})
	return etag, err
}

// sending counts and hashes what is read of a body.
type sending struct {
	in    io.Reader
	sum   hash.Hash
	n     int64
	moved func(n int64)
}

func (s *sending) Read(b []byte) (int, error) {
	n, err := s.in.Read(b)
	s.sum.Write(b[:n])
	s.n += int64(n)
	s.moved(int64(n))
	return n, err
}

// sent says that all parts of a file are there, to the store and to the hub.
func (h *Hub) sent(ctx context.Context, o *object) error {
	if o.parts != nil {
		type part struct {
			PartNumber int    `json:"partNumber"`
			ETag       string `json:"etag"`
		}
		var parts []part
		for i, etag := range o.etags {
			parts = append(parts, part{i + 1, etag})
		}
		text, err := json.Marshal(map[string]any{"oid": o.SHA256.String(), "parts": parts})
		if err != nil {
			return err
		}
		if err := h.tell(ctx, o.to.Href, text); err != nil {
			return err
		}
	}
	if o.verify.Href == "" {
		return nil
	}
	text, err := json.Marshal(map[string]any{"oid": o.SHA256.String(), "size": o.Size})
	if err == nil {
		_, err = h.call(ctx, http.MethodPost, o.verify.Href, &content{text, lfsType, lfsType}, nil)
	}
	return err
}

// tell sends a few bytes to an address that is no hub's, without the token.
func (h *Hub) tell(ctx context.Context, href string, text []byte) error {
	return h.again(ctx, func() (bool, error) {
		// A store puts the parts together before it answers.
		limited, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		r, err := http.NewRequestWithContext(limited, http.MethodPost, href, bytes.NewReader(text))
		if err != nil {
			return false, final{fmt.Errorf("the hub wants it at an address that is none")}
		}
		r.Header.Set("Content-Type", lfsType)
		r.Header.Set("Accept", lfsType)
		res, err := h.open(&h.bare, r)
		if err != nil {
			return false, err
		}
		return false, res.Body.Close()
	})
}
