package tokenizer_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"olmo/tokenizer"
)

// small is a tokenizer.json with three tokens.
const small = `{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}, "decoder": {"type": "Fuse"}}`

func ExampleParse() {
	tok, err := tokenizer.Parse([]byte(small))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tok.VocabSize(), tok.Token(2))
	// Output: 3 ab
}

func ExampleTokenizer_Encode() {
	tok, err := tokenizer.Parse([]byte(small))
	if err != nil {
		log.Fatal(err)
	}
	e, err := tok.Encode("abba", false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.IDs, e.Offsets)
	// Output: [2 1 0] [[0 2] [2 3] [3 4]]
}

func ExampleTokenizer_AppendEncode() {
	tok, err := tokenizer.Parse([]byte(small))
	if err != nil {
		log.Fatal(err)
	}
	var ids []int32
	for _, text := range []string{"ab", "ba"} {
		if ids, err = tok.AppendEncode(ids, text); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(ids)
	// Output: [2 1 0]
}

func ExampleTokenizer_Decode() {
	tok, err := tokenizer.Parse([]byte(small))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tok.Decode([]int32{2, 1, 0}, true))
	// Output: abba
}

func ExampleTrain() {
	docs := slices.Values([]string{"low lower lowest", "slow slower slowest"})
	data, err := tokenizer.Train(context.Background(), func(yield func(string, error) bool) {
		for d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	}, tokenizer.TrainConfig{VocabSize: 259, SpecialTokens: []string{"<|endoftext|>"}})
	if err != nil {
		log.Fatal(err)
	}
	tok, err := tokenizer.Parse(data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tok.Token(0), tok.Token(257), tok.Token(258))
	// Output: <|endoftext|> lo low
}

// A stream holds the bytes of 漢 back until all of them are there.
func ExampleTokenizer_NewStream() {
	data, err := tokenizer.Train(context.Background(), func(func(string, error) bool) {}, tokenizer.TrainConfig{VocabSize: 256})
	if err != nil {
		log.Fatal(err)
	}
	tok, err := tokenizer.Parse(data)
	if err != nil {
		log.Fatal(err)
	}
	ids, err := tok.AppendEncode(nil, "a漢!")
	if err != nil {
		log.Fatal(err)
	}
	s := tok.NewStream(false)
	for _, id := range ids {
		fmt.Printf("%q ", s.Next(id))
	}
	fmt.Printf("%q\n", s.Flush())
	// Output: "a" "" "" "漢" "!" ""
}

func ExampleTokenizer_EncodeText() {
	tok, err := tokenizer.Parse([]byte(`{"truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0}, ` + small[1:]))
	if err != nil {
		log.Fatal(err)
	}
	cut, err := tok.Encode("abba", false)
	if err != nil {
		log.Fatal(err)
	}
	all, err := tok.EncodeText("abba")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cut.IDs, all.IDs, all.Offsets)
	// Output: [2 1] [2 1 0] [[0 2] [2 3] [3 4]]
}
