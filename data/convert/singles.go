package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"olmo/data"
	"olmo/data/store"
	"olmo/data/webpage"
)

// bunch is some files that are one document each.
type bunch struct {
	files []file
	infos []store.Info
	first int64 // number of the first, from 1
	bytes int64
}

// singles makes documents of files that are one each.
func (r *run) singles(ctx context.Context, files []file) error {
	p := r.Progress
	// Beside the folder, out of the way of globs.
	recordPath := strings.TrimRight(filepath.ToSlash(r.Destination), "/") + ".convert.json"
	digest, err := data.Digest(r.Config, paths(files))
	if err != nil {
		return err
	}
	record, err := data.ReadRecord(recordPath, "convert")
	if err != nil {
		return err
	}
	shard := func(i int) string { return store.Join(r.Destination, fmt.Sprintf("files-%05d.%s", i, r.Output)) }
	if record.Done && record.Digest == digest && !r.IgnoreExisting && store.Exists(shard(0)) {
		p.FilesSkipped.Add(int64(len(files)))
		p.FilesDone.Add(int64(len(files)))
		return nil
	}
	infos, err := store.StatAll(paths(files))
	if err != nil {
		return err
	}
	at := 0
	next := func() (*bunch, error) {
		if at == len(files) {
			return nil, io.EOF
		}
		b := &bunch{first: int64(at) + 1}
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
			if err := r.single(m, f, b.infos[i], b.first+int64(i), l); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	rejects := data.NewRejects(data.RejectsPath(shard(0), "convert"), r.Strict, p, r.Warn)
	defer rejects.Abort()
	var w *data.Writer
	defer func() {
		if w != nil {
			w.Abort()
		}
	}()
	shards, size := 0, int64(0)
	err = data.Ordered(ctx, r.pool, next, func(b *bunch) bool { return b.bytes > largeBytes }, work, func(m *made) error {
		if w != nil && size+int64(len(m.lines)) > r.MaxSizeInBytes {
			if err := w.Close(); err != nil {
				return err
			}
			w = nil
		}
		if w == nil {
			var err error
			if w, err = data.CreateWriter(shard(shards)); err != nil {
				return err
			}
			r.report.Outputs = append(r.report.Outputs, shard(shards))
			shards++
			size = 0
		}
		size += int64(len(m.lines))
		return r.emit(m, w, rejects)
	})
	if err == nil && w != nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	// Of an earlier run with more files.
	for i := shards; store.Exists(shard(i)); i++ {
		if err := store.Remove(shard(i)); err != nil {
			return err
		}
	}
	if err := rejects.Close(); err != nil {
		return err
	}
	return data.Record{Stage: "convert", Digest: digest, Done: true}.Write(recordPath)
}

// single makes a document of a file.
func (r *run) single(m *made, f file, info store.Info, number int64, l webpage.Linearizer) error {
	bad := &data.RecordError{File: f.path, Line: number}
	reject := func(err error) {
		bad.Err = err
		m.bad = append(m.bad, bad)
	}
	if info.Size > data.MaxLine {
		reject(fmt.Errorf("the file has %d bytes, more than the %d allowed", info.Size, data.MaxLine))
		return nil
	}
	b, err := store.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", f.path, err)
	}
	text := webpage.Decode(b, "")
	if text == "" {
		if len(b) > 0 {
			m.binary++
		}
		return nil
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
	line = data.AppendString(append(line, `,"extension":`...), strings.TrimPrefix(filepath.Ext(f.name), "."))
	line = strconv.AppendInt(append(line, `,"bytes":`...), int64(len(b)), 10)
	m.add(append(line, "}}"...), bad)
	return nil
}
