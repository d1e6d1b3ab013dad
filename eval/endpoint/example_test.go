package endpoint_test

import (
	"context"
	"fmt"

	"olmo/eval"
	"olmo/eval/endpoint"
	"olmo/eval/endpoint/endpointtest"
)

func Example() {
	imitated := endpointtest.Start(endpointtest.VLLM, "small")
	defer imitated.Close()

	server, err := endpoint.New(imitated.URL+"/v1", endpoint.Options{Concurrency: 2})
	if err != nil {
		panic(err)
	}
	model, err := server.Model(context.Background(), "") // the only one that there is
	if err != nil {
		panic(err)
	}
	requests := []eval.Request{{Context: "Two and two make", Continuation: " four"}}
	err = model.Answer(context.Background(), requests, eval.AnswerOptions{Boundary: eval.Together}, func(i int, a eval.Answer) error {
		fmt.Printf("%s: %.4f nats, %d token, greedy %v\n", model.Name(), a.Logprob, a.Tokens, a.Greedy)
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// small: -6.3066 nats, 1 token, greedy true
}
