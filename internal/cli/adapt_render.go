package cli

import (
	"bytes"
	"encoding/json"

	"github.com/spf13/cobra"

	"olmo/adapt"
)

func newAdaptRenderCommand() *cobra.Command {
	var from adaptFlags
	var output string
	c := &cobra.Command{
		Use:   "render --tokenizer PATH --chat-template NAME|FILE --input X.jsonl --output Y.jsonl",
		Short: "Write conversations as a chat template has them",
		Long: `Each row of the input has messages, and if wanted tools and add_generation_prompt;
its line of the output has text, or error where the template refuses the messages.`,
		Example: `  olmo adapt render --tokenizer OLMo-2-1B --chat-template tulu --input chats.jsonl --output texts.jsonl`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "tokenizer", "input", "output"); err != nil {
				return err
			}
			t, _, err := from.open(output)
			if err != nil {
				return err
			}
			return adaptRows(c, from.input, output, func(row []byte) (rendered, error) {
				request, err := adapt.ParseRender(row)
				if err != nil {
					return rendered{Error: err.Error()}, nil
				}
				text, err := t.Render(request.Turns, request.Tools, request.Answer)
				if err != nil {
					return rendered{Error: err.Error()}, nil
				}
				return rendered{Text: &text}, nil
			}, func(rendered) {})
		},
	}
	from.add(c)
	c.Flags().StringVar(&output, "output", "", "JSONL `file` for the texts")
	return c
}

// rendered is what a template made of a row.
type rendered struct {
	Text  *string `json:"text,omitempty"`
	Error string  `json:"error,omitempty"`
}

func (r rendered) Line() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		panic(err) // texts alone
	}
	return b.Bytes()
}
