package serve

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"olmo/proof"
	"olmo/store"
)

// object is a content that a client announces.
type object struct {
	Hash string `json:"oid"`
	Size int64  `json:"size"`
}

// action says where a client sends a content.
type action struct {
	Address string            `json:"href"`
	Header  map[string]string `json:"header,omitempty"`
}

// objectAnswer tells a client what to do with a content: nothing when the hub has it.
type objectAnswer struct {
	object
	Authenticated bool              `json:"authenticated"`
	Actions       map[string]action `json:"actions,omitempty"`
	Error         *objectError      `json:"error,omitempty"`
}

type objectError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

const (
	maxObjects = 10_000  // of a request
	maxObject  = 1 << 44 // bytes
	maxParts   = 10_000  // of an object
	maxAnswer  = 50_000  // parts of all objects of a request
)

// lfsBatch answers where to send contents, in one piece or, large ones, in parts.
//
// https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md; parts are Hugging Face's own.
func (h *Hub) lfsBatch(c *call) error {
	if c.path(0) != "info/lfs/objects/batch" {
		return refuse(http.StatusNotFound, "", "this hub does not know POST %s", c.r.URL.Path)
	}
	var ask struct {
		Operation string   `json:"operation"`
		Transfers []string `json:"transfers"`
		Algorithm string   `json:"hash_algo"`
		Objects   []object `json:"objects"`
	}
	if err := c.read(&ask); err != nil {
		return err
	}
	switch {
	case ask.Operation != "upload":
		return refuse(http.StatusBadRequest, "", "the operation is %q, this hub knows upload: files are fetched from .../resolve/...", ask.Operation)
	case ask.Algorithm != "" && ask.Algorithm != "sha256":
		return refuse(http.StatusBadRequest, "", "hash_algo is %q, this hub knows sha256", ask.Algorithm)
	case len(ask.Objects) > maxObjects:
		return refuse(http.StatusBadRequest, "", "there are %d objects in the request, at most %d may be", len(ask.Objects), maxObjects)
	}
	inParts := slices.Contains(ask.Transfers, "multipart")
	list, transfer, parts := []objectAnswer{}, "basic", 0
	for _, o := range ask.Objects {
		a := objectAnswer{object: o, Authenticated: true}
		hash, err := proof.ParseHash(o.Hash)
		have, ok := h.uploads.size(hash)
		switch {
		case err != nil:
			a.Error = &objectError{http.StatusUnprocessableEntity, err.Error()}
		case o.Size < 0 || o.Size > maxObject:
			a.Error = &objectError{http.StatusUnprocessableEntity, fmt.Sprintf("a size of %d bytes is none that this hub takes", o.Size)}
		case ok && have != o.Size:
			a.Error = &objectError{http.StatusUnprocessableEntity, fmt.Sprintf("what has this SHA-256 has %d bytes, not %d", have, o.Size)}
		case !ok && inParts && o.Size > 4*h.uploads.partSize && parts < maxAnswer:
			upload := h.uploads.parts(base(c.r), hash, o.Size)
			parts += len(upload.Header)
			transfer = "multipart"
			a.Actions = map[string]action{"upload": upload}
		case !ok:
			a.Actions = map[string]action{"upload": {Address: h.uploads.address(base(c.r), piece{hash, o.Size, wholeObject})}}
		}
		list = append(list, a)
	}
	return answer(c, map[string]any{"transfer": transfer, "objects": list})
}

// piece is what is sent to one address: a content of a size, or a part of it.
type piece struct {
	hash proof.Hash
	size int64 // of the whole
	part int   // from 1 on
}

// Values of part that are none.
const (
	wholeObject = 0  // the content in one piece
	endOfParts  = -1 // the parts are all there
)

func (u *uploads) sign(p piece) string {
	mac := hmac.New(sha256.New, u.key)
	fmt.Fprintf(mac, "%s %d %d", p.hash, p.size, p.part)
	return hex.EncodeToString(mac.Sum(nil))
}

// address is where a piece is sent. Clients send no token there, as to an object store, so it
// is signed; it takes that content alone.
func (u *uploads) address(base string, p piece) string {
	return fmt.Sprintf("%s/api/lfs/%s?size=%d&part=%d&signature=%s", base, p.hash, p.size, p.part, u.sign(p))
}

// piece reads an address.
func (u *uploads) piece(hash string, q url.Values) (p piece, err error) {
	var errs [3]error
	p.hash, errs[0] = proof.ParseHash(hash)
	p.size, errs[1] = strconv.ParseInt(q.Get("size"), 10, 64)
	p.part, errs[2] = strconv.Atoi(q.Get("part"))
	if errors.Join(errs[:]...) != nil || !hmac.Equal([]byte(q.Get("signature")), []byte(u.sign(p))) {
		return p, refuse(http.StatusForbidden, "", "this is no address that this hub has given: ask for a new one")
	}
	return p, nil
}

// parts says how a content is sent in parts: the keys of the header that are numbers hold the
// addresses.
func (u *uploads) parts(base string, hash proof.Hash, size int64) action {
	part := u.partOf(size)
	a := action{u.address(base, piece{hash, size, endOfParts}), map[string]string{"chunk_size": strconv.FormatInt(part, 10)}}
	for n := range int((size + part - 1) / part) {
		a.Header[fmt.Sprintf("%05d", n+1)] = u.address(base, piece{hash, size, n + 1})
	}
	return a
}

// partOf is the size of the parts of a content of a size.
func (u *uploads) partOf(size int64) int64 { return max(u.partSize, (size+maxParts-1)/maxParts) }

// partName is the file of a part.
func (u *uploads) partName(p piece) string {
	return filepath.Join(u.dir, "parts", p.hash.String(), strconv.Itoa(p.part))
}

// object takes a content, a part of one, or the word that all parts are there.
func (h *Hub) object(c *call) error {
	u := h.uploads
	if u == nil || len(c.rest) != 1 {
		return refuse(http.StatusNotFound, "", "this hub does not know %s %s", c.r.Method, c.r.URL.Path)
	}
	p, err := u.piece(c.rest[0], c.r.URL.Query())
	switch {
	case err != nil:
		return err
	case c.r.Method == http.MethodPut && p.part == wholeObject:
		err = u.put(c.r.Body, p.hash, p.size)
	case c.r.Method == http.MethodPut && p.part > 0:
		part := u.partOf(p.size)
		size := min(part, p.size-int64(p.part-1)*part)
		err = u.write(u.partName(p), c.r.Body, size, func() error { return nil })
		// Clients want one and give it back; whether the bytes are right is seen when all are there.
		c.Header().Set("ETag", strconv.Quote(strconv.Itoa(p.part)))
	case c.r.Method == http.MethodPost && p.part == endOfParts:
		err = u.join(p)
	default:
		err = refuse(http.StatusMethodNotAllowed, "", "this address takes no %s", c.r.Method)
	}
	if err != nil {
		return err
	}
	return answer(c, map[string]bool{"success": true})
}

// join makes a content of its parts, which are gone afterwards: after a wrong one they are sent
// again.
func (u *uploads) join(p piece) error {
	if size, ok := u.size(p.hash); ok && size == p.size {
		return nil
	}
	var files []io.Reader
	for n := range int((p.size + u.partOf(p.size) - 1) / u.partOf(p.size)) {
		part := &partReader{name: u.partName(piece{p.hash, p.size, n + 1})}
		if _, err := os.Lstat(part.name); err != nil {
			return refuse(http.StatusBadRequest, "", "part %d has not come", n+1)
		}
		files = append(files, part)
	}
	err := u.put(io.MultiReader(files...), p.hash, p.size)
	var r *refusal
	if err == nil || errors.As(err, &r) && r.status == http.StatusBadRequest {
		err = errors.Join(err, store.RemoveFolder(filepath.Dir(u.partName(p))))
	}
	return err
}

// partReader reads the file of a part, which is open only while it is read.
type partReader struct {
	name string
	f    *os.File
}

func (p *partReader) Read(b []byte) (int, error) {
	if p.f == nil {
		var err error
		if p.f, err = store.Open(p.name); err != nil {
			return 0, err
		}
	}
	n, err := p.f.Read(b)
	if err != nil {
		p.f.Close()
	}
	return n, err
}
