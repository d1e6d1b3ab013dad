package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"olmo/data"
	"olmo/data/charset"
	"olmo/data/store"
	"olmo/data/webpage"
	"olmo/packed"
)

// bunch is some files that are one document each.
type bunch struct {
	files []file
	infos []store.Info
	bytes int64
}

// shardName matches what shard gives, in any format.
var shardName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^files-[0-9]{5,}\.(jsonl(\.gz|\.zst)?|parquet)$`)
})

// shard is the name of an output with documents that are one file each.
func (r *run) shard(i int) string {
	return store.Join(store.Clean(r.Destination), fmt.Sprintf("files-%05d.%s", i, r.Output))
}

// together makes documents of files that are one each.
func (r *run) together(ctx context.Context, u *data.Unit) error {
	files := r.singles
	there, err := store.StatAll(u.Inputs)
	if err != nil {
		return err
	}
	infos := make([]store.Info, len(files)) // of what cannot be opened, none
	for i, f := range files {
		if f.fault == nil {
			infos[i], there = there[0], there[1:]
		}
	}
	at := 0
	next := func() (*bunch, error) {
		if at == len(files) {
			return nil, io.EOF
		}
		b := &bunch{}
		for at < len(files) && len(b.files) < 64 && b.bytes < batchBytes {
			b.files, b.infos = append(b.files, files[at]), append(b.infos, infos[at])
			b.bytes += max(infos[at].Size, 0)
			at++
		}
		return b, nil
	}
	var linearizers sync.Pool
	work := func(b *bunch) (*made, error) {
		l, _ := linearizers.Get().(webpage.Linearizer)
		if l == nil {
			var err error
			if l, err = webpage.New(r.Linearizer, false); err != nil {
				return nil, err
			}
		}
		defer linearizers.Put(l)
		m := &made{files: int64(len(b.files)), read: b.bytes}
		for i, f := range b.files {
			if err := r.single(m, f, b.infos[i], l); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	var total found
	var w *data.Writer
	defer func() {
		if w != nil {
			w.Abort()
		}
	}()
	size := int64(0)
	err = data.Ordered(ctx, r.pool, next, func(b *bunch) bool { return b.bytes > largeBytes }, work, func(m *made) error {
		for _, bad := range m.bad {
			// A file without text is named; it is no fault, which strict would end at.
			var passed passedOver
			switch no := errors.As(bad.Err, &passed); {
			case no && r.Strict:
				r.Logf("warning: passed over %s: %v", bad.File, bad.Err)
				continue
			case no:
				r.passedOver.Add(1)
			default:
				total.Rejected++
				total.LeftOut = append(total.LeftOut, LeftOut{bad.File, bad.Err.Error()})
			}
			if err := r.rejectSingle(u, r.rejects[bad.File], bad); err != nil {
				return err
			}
		}
		if w != nil && size+int64(len(m.lines)) > r.MaxSizeInBytes {
			if err := w.Close(); err != nil {
				return err
			}
			w = nil
		}
		if w == nil {
			var err error
			name := r.shard(total.Shards)
			if w, err = r.stage.Create(u, name, data.CompressionOf(name)); err != nil {
				return err
			}
			total.Shards++
			size = 0
		}
		size += int64(len(m.lines))
		return r.emit(m, w, &total)
	})
	if err == nil && w != nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	return r.stage.Finish(u, total)
}

// rejectSingle writes why a file became no document into its own rejects file.
func (r *run) rejectSingle(u *data.Unit, path string, bad *data.RecordError) error {
	rejects := r.stage.Rejects(u, path)
	defer rejects.Abort()
	if err := rejects.Add(bad); err != nil {
		return err
	}
	return rejects.Close()
}

// single makes a document of a file.
func (r *run) single(m *made, f file, info store.Info, l webpage.Linearizer) error {
	bad := &data.RecordError{File: f.path}
	reject := func(err error) {
		bad.Err = err
		m.bad = append(m.bad, bad)
	}
	if f.fault != nil {
		reject(f.fault)
		return nil
	}
	if info.Size > data.MaxLine {
		reject(fmt.Errorf("the file has %d bytes, more than the %d allowed", info.Size, data.MaxLine))
		return nil
	}
	stored, err := r.read(f.path)
	if err != nil {
		return err
	}
	b, unpacked, err := unpack(stored)
	if errors.As(err, new(passedOver)) {
		m.binary++
	}
	if err != nil {
		reject(err)
		return nil
	}
	text := ""
	if f.kind == page {
		text = webpage.Decode(b, "")
	} else if text, err = charset.Decode(b, charset.Declared(b)); err == nil {
		text = strings.TrimSpace(strings.ReplaceAll(text, "\x00", ""))
	}
	if text == "" {
		if len(b) > 0 {
			m.binary++
			reject(passedOver{errNoText})
		}
		return nil
	}
	name := f.name
	if unpacked {
		name = unpackedName(name)
	}
	if f.kind == page {
		if text, err = l.Linearize(text); err != nil {
			if !errors.Is(err, webpage.ErrDeadline) {
				return err
			}
			reject(err)
			return nil
		}
	}
	line := data.AppendString([]byte(`{"id":`), f.name)
	line = data.AppendString(append(line, `,"text":`...), text)
	line = data.AppendString(append(line, `,"source":`...), r.Source)
	if !info.ModTime.IsZero() {
		line = data.AppendString(append(line, `,"created":`...), info.ModTime.UTC().Format("2006-01-02T15:04:05.000")+"Z")
	}
	line = data.AppendString(append(line, `,"metadata":{"path":`...), f.name)
	line = data.AppendString(append(line, `,"extension":`...), strings.TrimPrefix(filepath.Ext(name), "."))
	line = strconv.AppendInt(append(line, `,"bytes":`...), int64(len(b)), 10)
	m.add(append(line, "}}"...), bad)
	return nil
}

// passedOver is why a file becomes no document, which is no fault of it.
type passedOver struct{ error }

var errNoText = errors.New("the file holds no text")

// unpack gives the text of a file that is packed, which its bytes tell, and any other as
// it is.
func unpack(stored []byte) (b []byte, unpacked bool, err error) {
	if !packed.Is(stored) {
		if err := packed.Check(stored); err != nil {
			return nil, false, passedOver{err}
		}
		return stored, false, nil
	}
	b, err = packed.Bytes(stored, data.MaxLine)
	return b, true, err
}

// read reads a whole file.
func (r *run) read(path string) ([]byte, error) {
	in, err := r.stage.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return b, in.Whole()
}
