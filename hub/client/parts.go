package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"olmo/store"
)

// kept is what is known here of a large file that goes to a hub in parts: the addresses that the
// hub gave, and which parts are there. The hub would give new ones, and want all parts again.
type kept struct {
	name string // of the file that holds it: the addresses in JSON, then a line for each part

	mu  sync.Mutex
	log *store.Appended
}

// keepParts makes what is known of an object's parts be kept, and takes over what an interrupted
// process has left of the same content on the same hub.
func (h *Hub) keepParts(r Repo, o *object) error {
	if h.Uploads == "" || o.parts == nil {
		return nil
	}
	// The addresses are good for whoever has them.
	if err := os.MkdirAll(h.Uploads, 0o700); err != nil {
		return err
	}
	id := sha256.Sum256([]byte(strings.Join([]string{h.endpoint.String(), r.String(), o.SHA256.String()}, "\n")))
	o.kept = &kept{name: filepath.Join(h.Uploads, fmt.Sprintf("%x.parts", id))}
	text, err := store.ReadFile(o.kept.name)
	if err != nil || !o.takeOver(text) {
		head, err := json.Marshal(o.to)
		if err != nil {
			return err
		}
		if err := store.WriteFile(o.kept.name, append(head, '\n')); err != nil {
			return err
		}
	}
	o.kept.log, err = store.Append(o.kept.name)
	return err
}

// takeOver reads what is kept of an object, and tells whether it is of the parts that the hub
// wants today.
func (o *object) takeOver(text []byte) bool {
	first, rest, ok := bytes.Cut(text, []byte("\n"))
	old := &object{Local: o.Local}
	if !ok || json.Unmarshal(first, &old.to) != nil || old.split() != nil || len(old.parts) != len(o.parts) || old.parts[0].span != o.parts[0].span {
		return false
	}
	o.to, o.parts, o.there = old.to, old.parts, map[int]string{}
	for line := range bytes.Lines(rest) {
		var n int
		var etag string
		if _, err := fmt.Sscanf(string(line), "%d %q\n", &n, &etag); err == nil && n >= 0 && n < len(o.parts) {
			o.there[n] = etag
		}
	}
	return true
}

// part notes that a part is there.
func (k *kept) part(n int, etag string) error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_, err := fmt.Fprintf(k.log, "%d %q\n", n, etag)
	return err
}

// close ends the notes, which another process then goes on with.
func (k *kept) close() {
	if k != nil && k.log != nil {
		k.log.Close()
	}
}

// forget removes the notes: the file is there, or the addresses are good no more.
func (k *kept) forget() error {
	if k == nil {
		return nil
	}
	k.close()
	return store.Remove(k.name)
}

// errStale is in the chain of the error about an address that was kept and is good no more.
var errStale = errors.New("the hub does not take what it took before")

// stale makes such an error of one about an object that goes on with what was kept.
func (o *object) stale(err error) error {
	var r *Refusal
	if o.there == nil || !errors.As(err, &r) || r.passes() {
		return err
	}
	return errors.Join(errStale, err, o.kept.forget())
}

// missingParts are the numbers of the parts that are not there, and the names of those that are.
func (o *object) missingParts() (missing []int, etags []string) {
	etags = make([]string, max(1, len(o.parts)))
	for n, etag := range o.there {
		etags[n] = etag
	}
	for n, etag := range etags {
		if etag == "" {
			missing = append(missing, n)
		}
	}
	return missing, etags
}
