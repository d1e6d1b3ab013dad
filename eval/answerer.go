package eval

import (
	"context"
	"errors"

	"olmo/chat"
)

// ErrNotFinite is returned when a model's probabilities are not numbers.
var ErrNotFinite = errors.New("the model gives no probabilities: its logits are not numbers\nhint: the weights are damaged, or training diverged")

// Answerer is what is judged: a model that runs here, or a server.
type Answerer interface {
	// Name is how results call it: a path, or a server's name for the model.
	Name() string
	// Identity is what answers depend on beside the requests: the weights' and the
	// tokenizer's digests, precision, the positions. It changes with each of them and with
	// nothing else.
	Identity() (map[string]string, error)
	// Answer answers requests of one boundary, in any order; each is told the request's
	// number with its answer, one at a time. Answers do not depend on the other requests.
	Answer(ctx context.Context, requests []Request, o AnswerOptions, each func(i int, a Answer) error) error
}

// AnswerOptions are the same for all requests of a call.
type AnswerOptions struct {
	Boundary Boundary
	Tokens   bool  // the log-probability of every token is wanted, too
	Memory   int64 // bytes that caches may take; 0: a quarter of what is free
	NoShare  bool  // beginnings that requests have in common are computed for each anew
	// Thinking says where a model's thinking ends, which may hold what ends a text.
	Thinking chat.Thinking
}
