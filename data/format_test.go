package data_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"olmo/data"
)

// TestAppendDocument shows what becomes of a foreign row's members.
func TestAppendDocument(t *testing.T) {
	for _, c := range []struct{ name, row, want string }{
		{"as it is", `{"id":"a","text":"t","source":"own","metadata":{"k":[1]}}`, `{"id":"a","text":"t","source":"own","metadata":{"k":[1]}}`},
		{"a number as id", `{"text":"t","id":17}`, `{"id":"17","text":"t","source":"s"}`},
		{"no id", `{"text":"t"}`, `{"id":"f/3","text":"t","source":"s"}`},
		{"other columns", `{"id":"a","text":"t","url":"u","n":1.50,"none":null}`, `{"id":"a","text":"t","source":"s","metadata":{"url":"u","n":1.50,"none":null}}`},
		{"columns over metadata", `{"id":"a","text":"t","metadata":{"url":"old","k":1},"url":"new"}`, `{"id":"a","text":"t","source":"s","metadata":{"k":1,"url":"new"}}`},
		{"metadata in a string", `{"id":"a","text":"t","metadata":"{\"k\":\"v\"}"}`, `{"id":"a","text":"t","source":"s","metadata":{"k":"v"}}`},
		{"metadata that is none", `{"id":"a","text":"t","metadata":"words"}`, `{"id":"a","text":"t","source":"s","metadata":{"metadata":"words"}}`},
		{"wrong types", `{"id":["x"],"text":"t","version":3,"created":null,"attributes":7}`, `{"id":"f/3","text":"t","source":"s","metadata":{"id":["x"],"version":3,"attributes":7}}`},
		{"no text", `{"id":"a","text":null}`, `{"id":"a","text":null,"source":"s"}`},
	} {
		got, err := data.Keys{Text: "text", ID: "id", Source: "s"}.AppendDocument(nil, []byte(c.row), "f", 3)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got  %s, %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

func FuzzAppendDocument(f *testing.F) {
	f.Add([]byte(`{"id":1,"text":"t","metadata":"{}","x":[{}]}`))
	f.Fuzz(func(t *testing.T, row []byte) {
		got, err := data.DefaultKeys.AppendDocument(nil, row, "f", 1)
		if json.Valid(row) && err == nil && !json.Valid(got) {
			t.Errorf("%q became %q", row, got)
		}
	})
}

// TestOrdered wants all results in order from any number of workers, and the
// first error of each part.
func TestOrdered(t *testing.T) {
	stop := errors.New("stop")
	for _, workers := range []int{1, 4} {
		run := func(failNext, failWork, failEmit int) (got []int, err error) {
			n := 0
			next := func() (int, error) {
				if n++; n == failNext {
					return 0, stop
				}
				if n > 100 {
					return 0, io.EOF
				}
				return n, nil
			}
			work := func(i int) (int, error) {
				time.Sleep(time.Duration(i*7%5) * 100 * time.Microsecond)
				if i == failWork {
					return 0, stop
				}
				return i, nil
			}
			err = data.Ordered(context.Background(), data.NewPool(workers), next, func(i int) bool { return i%3 == 0 }, work, func(i int) error {
				if i == failEmit {
					return stop
				}
				got = append(got, i)
				return nil
			})
			return got, err
		}
		if got, err := run(0, 0, 0); err != nil || len(got) != 100 || !slices.IsSorted(got) {
			t.Errorf("%d workers: %v, %v", workers, got, err)
		}
		for _, fail := range [][3]int{{50, 0, 0}, {0, 50, 0}, {0, 0, 50}} {
			if got, err := run(fail[0], fail[1], fail[2]); !errors.Is(err, stop) || len(got) != 49 {
				t.Errorf("%d workers, failing at %v: %d results, %v", workers, fail, len(got), err)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := data.Ordered(ctx, data.NewPool(2), func() (int, error) { return 0, nil }, nil, func(i int) (int, error) { return i, nil }, func(int) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled run: %v", err)
	}
}
