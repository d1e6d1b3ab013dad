package eval

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"

	"olmo/store"
)

// journal keeps answers as they come, so that nothing is asked twice when a run is killed. It
// is a file beside the requests', under a temporary name: a line with the digest of the job,
// then one for each answer, in any order. A line that a kill tore is passed over, and so is one
// that a disk or a hand changed: it asks again, where a wrong digit would be a wrong score.
type journal struct{ file *store.File }

// entry is a line of a journal.
type entry struct {
	Digest  string          `json:"digest,omitempty"`
	Request int             `json:"request"` // counted through the job's documents
	Answer  json.RawMessage `json:"answer,omitempty"`
	Sum     uint32          `json:"sum,omitempty"` // checksum of the line of an answer
}

// checksum is CRC-32C of an answer and the number of its request.
func (e entry) checksum() uint32 {
	text := strconv.AppendInt(slices.Clone([]byte(e.Answer)), int64(e.Request), 10)
	return crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli))
}

// openJournal goes on with the journal of a file of requests, and returns the answers that it
// has when it is that of the same job.
func openJournal(requests, digest string) (*journal, map[int]Answer, error) {
	name := requests + ".progress"
	f, err := store.Continue(name)
	if err != nil {
		return nil, nil, err
	}
	j := &journal{f}
	answers, torn, err := readJournal(f, digest)
	switch {
	case err == nil && answers == nil: // nothing, or of another job
		answers = map[int]Answer{}
		if err = f.Seal(); err == nil {
			if j.file, err = store.Create(name); err == nil {
				err = j.write(entry{Digest: digest})
			}
		}
	case err == nil && torn:
		_, err = f.Write([]byte("\n"))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("going on with the progress of %s: %w", requests, err)
	}
	return j, answers, nil
}

// readJournal reads to the end. answers is nil for a journal of another job; torn says that
// the last line has no end.
func readJournal(f io.Reader, digest string) (answers map[int]Answer, torn bool, err error) {
	in := bufio.NewReader(f)
	for first := true; ; first = false {
		line, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, false, err
		}
		var e entry
		var a Answer
		good := json.Unmarshal(line, &e) == nil
		switch {
		case first && good && e.Digest == digest:
			answers = map[int]Answer{}
		case answers != nil && good && e.Sum == e.checksum() && json.Unmarshal(e.Answer, &a) == nil:
			answers[e.Request] = a
		}
		if errors.Is(err, io.EOF) {
			return answers, len(line) > 0, nil
		}
	}
}

// write hands a line to the system, which keeps it when the process dies.
func (j *journal) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = j.file.Write(append(line, '\n'))
	return err
}

func (j *journal) add(request int, a Answer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	e := entry{Request: request, Answer: text}
	e.Sum = e.checksum()
	return j.write(e)
}

// end removes the journal, whose answers are kept elsewhere now; keep leaves it for the next run.
func (j *journal) end()        { j.file.Abort() }
func (j *journal) keep() error { return j.file.Seal() }
