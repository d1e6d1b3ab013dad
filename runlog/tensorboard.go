package runlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"

	"olmo/store"
)

// TensorBoard writes event files that TensorBoard reads while a run goes on.
type TensorBoard struct {
	f *store.Appended
}

// OpenTensorBoard makes a new event file in dir. It tells TensorBoard to forget what
// earlier files hold from step first on: a run that goes on repeats those steps.
func OpenTensorBoard(dir string, first int, now time.Time) (*TensorBoard, error) {
	// TensorBoard takes files with this word in their names, in order of time.
	f, err := store.Append(filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.%09d.olmo", now.Unix(), now.Nanosecond())))
	if err != nil {
		return nil, fmt.Errorf("opening TensorBoard events: %w", err)
	}
	t := &TensorBoard{f}
	event := appendDouble(nil, 1, seconds(now))
	event = appendBytes(event, 3, []byte("brain.Event:2")) // file_version
	start := appendVarint(nil, 1, 1)                       // session_log { status: START }
	session := appendDouble(nil, 1, seconds(now))
	session = appendVarint(session, 2, uint64(first))
	session = appendBytes(session, 7, start)
	if err := errors.Join(t.write(event), t.write(session)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// Append adds the numbers of a record as scalars under its step.
func (t *TensorBoard) Append(r Record, now time.Time) error {
	step, ok := r.Step()
	if !ok {
		return errors.New("writing TensorBoard events: a record has no step")
	}
	var summary []byte
	for _, k := range slices.Sorted(maps.Keys(r)) {
		v, ok := asNumber(r[k])
		if !ok || k == "step" {
			continue
		}
		value := appendBytes(nil, 1, []byte(k))
		value = append(value, 2<<3|5) // simple_value, a float
		value = binary.LittleEndian.AppendUint32(value, math.Float32bits(float32(v)))
		summary = appendBytes(summary, 1, value)
	}
	event := appendDouble(nil, 1, seconds(now))
	event = appendVarint(event, 2, uint64(step))
	event = appendBytes(event, 5, summary)
	return t.write(event)
}

// asNumber returns a record's value as a number.
func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// Close closes the file.
func (t *TensorBoard) Close() error { return t.f.Close() }

// write frames an event as TFRecord does: length, its checksum, data, their checksum.
func (t *TensorBoard) write(event []byte) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(event)))
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(b))
	b = append(b, event...)
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(event))
	if _, err := t.f.Write(b); err != nil {
		return fmt.Errorf("writing TensorBoard events: %w", err)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is TensorFlow's checksum (tensorflow/core/lib/hash/crc32c.h).
func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// The three kinds of protocol buffer fields that events need.

func appendVarint(b []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(append(b, byte(field<<3)), v)
}

func appendDouble(b []byte, field int, v float64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, byte(field<<3|1)), math.Float64bits(v))
}

func appendBytes(b []byte, field int, v []byte) []byte {
	return append(binary.AppendUvarint(append(b, byte(field<<3|2)), uint64(len(v))), v...)
}
