package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"olmo/chat"
	"olmo/generate"
	"olmo/lm"
)

const chatHelp = `/reset    forget the conversation
/help     this help
/quit     end (also Ctrl-D)
Ctrl-C    end an answer early
`

// chatOptions are the flags of `olmo chat`.
type chatOptions struct {
	model, tokenizer string
	system           string
	plain            bool
	maxTokens        int
	sampling         samplingFlags
	precision        string
	how              modelFlags
	form             formFlags
}

func newChatCommand() *cobra.Command {
	var o chatOptions
	c := &cobra.Command{
		Use:   "chat --model PATH",
		Short: "Talk with a model in the terminal",
		Long: `Chat reads a line, answers, and goes on. A model with a chat template
(chat_template.jinja, tokenizer_config.json, or inside its .gguf file) reads the
conversation in that form. Any other, and any with --plain, reads a transcript, which
models that were not trained to chat go on writing:

  User: what you type
  Assistant: its answer

The answer ends where the model begins a new turn, at its end of text, or after
--max-tokens. When the conversation outgrows the model's positions, its oldest
turns are left out. Questions may also be piped in, one a line.

--schema, --grammar, --regex, --choice and --json-mode hold each answer to a form, as in
'olmo generate'.

` + chatHelp,
		Example: `  olmo chat --model olmo-quickstart
  olmo chat --model MODEL --system "The assistant answers in one sentence." --temperature 0
  olmo chat --model olmo-quickstart --choice yes,no
  echo "What is a slice?" | olmo chat --model olmo-quickstart`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runChat(c, o) },
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "the model: a folder, a run, a .gguf file, a folder with an adapter, or hf:ORG/NAME@REVISION of a hub")
	f.StringVar(&o.system, "system", "", "a text that stands before the conversation")
	f.BoolVar(&o.plain, "plain", false, "use the transcript, not the model's chat template")
	f.IntVar(&o.maxTokens, "max-tokens", 256, "most tokens of an answer")
	o.sampling.add(f)
	o.form.add(f)
	// Small models that always take the likeliest token soon repeat themselves.
	f.Lookup("temperature").DefValue, o.sampling.Temperature = "0.7", 0.7
	f.Lookup("top-p").DefValue, o.sampling.TopP = "0.95", 0.95
	f.StringVar(&o.tokenizer, "tokenizer", "", "a tokenizer.json to use instead of the model's")
	o.how.add(f)
	o.how.addMemory(f)
	o.how.addSpeculate(f)
	o.how.addAdapter(f, false)
	f.StringVar(&o.precision, "precision", "fp32", precisionWords())
	return c
}

func runChat(c *cobra.Command, o chatOptions) error {
	arithmetic, err := precisionFlag(o.precision)
	if err != nil {
		return err
	}
	if err := o.sampling.check(c); err != nil {
		return err
	}
	if o.maxTokens < 1 {
		return usageErrorf("--max-tokens is %d, it must be 1 or more", o.maxTokens)
	}
	if err := generate.CheckTokens(o.sampling.MinTokens, o.maxTokens, o.maxTokens); err != nil {
		return usageErrorf("--%w", err)
	}
	if err := o.form.check(c); err != nil {
		return err
	}
	grammar, err := o.form.read(c)
	if err != nil {
		return err
	}
	m, err := openModel(c, o.model, o.tokenizer, arithmetic, o.how)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := needTokenizer(m, ""); err != nil {
		return err
	}
	var format chat.Format = chat.Transcript{}
	if !o.plain {
		if format, err = m.ChatFormatOf(o.how.first()); err != nil {
			return fmt.Errorf("%w\nhint: --plain goes on without the template", err)
		}
	}
	sampling, err := o.sampling.of(m)
	if err != nil {
		return err
	}
	form, err := o.form.of(c, m, grammar)
	if err != nil {
		return err
	}
	answerer, err := m.Chat(format)
	if err != nil {
		return err
	}
	lines := openLines(c.InOrStdin(), c.OutOrStdout())
	defer lines.close()
	t := &talk{chat: answerer, options: o, sampling: sampling, form: form, interactive: lines.terminal != nil, out: c.OutOrStdout(), notes: c.ErrOrStderr()}
	t.reset()
	if t.interactive {
		fmt.Fprintf(t.notes, "%s, %d positions. /help lists the commands.\n", m.Path, m.Config.T)
	}
	for {
		line, err := lines.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch line = strings.TrimSpace(line); {
		case line == "":
		case line == "/quit" || line == "/exit":
			return nil
		case line == "/reset":
			t.reset()
			fmt.Fprintln(t.notes, "The conversation is forgotten.")
		case strings.HasPrefix(line, "/"):
			if line != "/help" {
				fmt.Fprintf(t.notes, "There is no command %s.\n", line)
			}
			fmt.Fprint(t.notes, chatHelp)
		default:
			if err := t.answer(c.Context(), line); err != nil {
				return err
			}
		}
	}
}

// talk is a running conversation.
type talk struct {
	chat        *lm.Chat
	options     chatOptions
	sampling    generate.Sampling
	form        *lm.Form
	interactive bool
	messages    []chat.Message
	turn        uint64
	out, notes  io.Writer
}

func (t *talk) reset() {
	t.messages = nil
	if t.options.system != "" {
		t.messages = []chat.Message{{Role: chat.System, Content: t.options.system}}
	}
}

// answer adds a question to the conversation, and the model's answer to the output and
// to the conversation. In a terminal an interrupt ends the answer, and a message that is too long is
// taken back.
func (t *talk) answer(ctx context.Context, question string) error {
	t.messages = append(t.messages, chat.Message{Role: chat.User, Content: question})
	// An answer may take half of the positions at most, so that the question keeps the other.
	positions := t.chat.Positions()
	room := min(t.options.maxTokens, positions/2)
	prompt, dropped, err := t.chat.Prompt(t.messages, positions-room)
	if errors.Is(err, chat.ErrTooLong) {
		if !t.interactive {
			return fmt.Errorf("the message %.20q… does not fit into the model's %d positions\nhint: a shorter one, or a smaller --max-tokens", question, positions)
		}
		t.messages = t.messages[:len(t.messages)-1]
		fmt.Fprintf(t.notes, "The message does not fit into the model's %d positions.\n", positions)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w\nhint: --plain goes on without the template", err)
	}
	if dropped > 0 {
		fmt.Fprintf(t.notes, "(the oldest %d messages no longer fit)\n", dropped)
	}
	if t.interactive {
		// Ctrl-C ends the answer, not the program, which the verbs' own context would.
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt)
		defer stop()
	}
	var broken error // of the output
	sampling := t.sampling
	sampling.Seed += t.turn // else a question asked twice is answered twice the same
	t.turn++
	a, err := t.chat.Answer(ctx, lm.Request{Prompt: prompt, MaxTokens: room, Adapter: t.options.how.first(), Sampling: sampling, Form: t.form, Text: func(piece string) bool {
		_, broken = io.WriteString(t.out, piece)
		return broken == nil
	}})
	if _, nl := io.WriteString(t.out, "\n"); nl != nil {
		broken = nl
	}
	if err != nil && !(t.interactive && errors.Is(err, context.Canceled)) {
		return err
	}
	t.messages = append(t.messages, chat.Message{Role: chat.Assistant, Content: a.Text})
	if t.form != nil && a.Reason == "length" {
		fmt.Fprintf(t.notes, "(the answer was cut off after %d tokens, before its form was complete)\n", len(a.IDs))
	}
	return broken
}

// lineReader reads the user's lines: edited in a terminal, plain otherwise.
type lineReader struct {
	in       *os.File
	terminal *term.Terminal // nil when input is piped
	state    *term.State
	plain    *bufio.Scanner
}

func openLines(in io.Reader, out io.Writer) *lineReader {
	f, ok := in.(*os.File)
	o, outOK := out.(*os.File)
	if !ok || !outOK || !term.IsTerminal(int(f.Fd())) || !term.IsTerminal(int(o.Fd())) {
		s := bufio.NewScanner(in)
		s.Buffer(nil, 16<<20)
		return &lineReader{plain: s}
	}
	l := &lineReader{in: f}
	l.terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{f, o}, "> ")
	if w, h, err := term.GetSize(int(o.Fd())); err == nil && w > 0 {
		_ = l.terminal.SetSize(w, h)
	}
	return l
}

// read returns the next line, or io.EOF after the last one, Ctrl-C or Ctrl-D. The
// terminal is in raw mode only meanwhile.
func (l *lineReader) read() (string, error) {
	if l.plain != nil {
		if !l.plain.Scan() {
			if err := l.plain.Err(); err != nil {
				return "", fmt.Errorf("reading standard input: %w", err)
			}
			return "", io.EOF
		}
		return l.plain.Text(), nil
	}
	var err error
	if l.state, err = term.MakeRaw(int(l.in.Fd())); err != nil {
		return "", fmt.Errorf("preparing the terminal: %w", err)
	}
	line, err := l.terminal.ReadLine()
	l.close()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	return line, err
}

// close gives the terminal back as it was.
func (l *lineReader) close() {
	if l.state != nil {
		_ = term.Restore(int(l.in.Fd()), l.state)
		l.state = nil
	}
}
