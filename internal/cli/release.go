package cli

import (
	"bufio"
	"cmp"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"olmo/internal/program"
	"olmo/proof/note"
	"olmo/release/build"
	"olmo/release/report"
	"olmo/release/signature"
	"olmo/store"
)

// releaseFlags are those of olmo release.
type releaseFlags struct {
	out, name, key, note, newKey, checkpoints, about string
	documents, without                               []string
	yes, fullURLs, asJSON                            bool
}

func newReleaseCommand() *cobra.Command {
	var f releaseFlags
	c := &cobra.Command{
		Use:   "release RUN --out DIR",
		Short: "Make a folder of a run that anybody can check and repeat",
		Long: `Release writes everything that a run is made of into one folder: models of all
checkpoints as Hugging Face's tools load them, the training state of each, token
files, the documents' texts, the tokenizer, logs, the chain that binds every step,
evaluations and cards; and release.json, which lists each file by its hash. RUN is
the save_folder of olmo train, or the folder of a quickstart.

Every byte follows from the run: made twice it is the same, and nothing tells when,
by whom or where. What is never written again (tensors, token files, documents) is
hard-linked where the file system can, so that it takes no room twice; do not edit
such files in place. 'olmo verify' checks a release, 'olmo replay' repeats its steps.

Documents are found by the .csv.gz beside the token files (as it names them, else
below the folders above the token file), or are those of --documents. Each must
encode to its tokens.

--without takes patterns of paths in the release (a folder's takes all that is in
it) and the words documents (texts; the tokens, from which they can be read, stay),
data (texts, tokens, manifest), state (train/stepN) and requests. What is left out
stays listed by its hash.

Before anything is written, licences and personal data of the documents are told as
far as documents and attributes tell them; where texts have no licence, a person at
a terminal is asked. SOURCE_DATE_EPOCH dates the cards.`,
		Example: `  olmo release olmo-quickstart --out my-model --name lab/my-model
  olmo release --new-key key.pem --name lab/my-model
  olmo release run-a --out small --key key.pem --checkpoints last --without documents`,
		RunE: func(c *cobra.Command, args []string) error { return runRelease(c, args, &f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.out, "out", "", "new folder to write")
	flags.StringVar(&f.name, "name", "", "what the release is called, ORG/NAME (default: the run's name)")
	flags.StringVar(&f.key, "key", "", "private key to sign with, ECDSA on P-256, PEM")
	flags.StringVar(&f.note, "note", "", "private key that signs the head of the chain, for whoever stamps or witnesses it")
	flags.StringVar(&f.newKey, "new-key", "", "make key pairs: this file and NAME.pub.pem beside it, NAME.note and NAME.pub.note for --note")
	flags.StringVar(&f.checkpoints, "checkpoints", "all", "steps whose checkpoints go in: all, last, or N,N…")
	listFlag(flags, &f.documents, "documents", "files, folders or patterns of the documents (default: as the .csv.gz name them)")
	flags.StringVar(&f.about, "about", "", "YAML file with what only a person can say, for the cards")
	flags.StringArrayVar(&f.without, "without", nil, "leave out documents, data, state, requests, or paths by pattern")
	flags.BoolVar(&f.yes, "yes", false, "do not ask about texts without a licence")
	flags.BoolVar(&f.fullURLs, "full-urls", false, "write URLs of documents with user and query")
	flags.BoolVar(&f.asJSON, "json", false, "print what was written as JSON")
	return c
}

func runRelease(c *cobra.Command, args []string, f *releaseFlags) error {
	if err := checkFilled(c.Flags()); err != nil {
		return err
	}
	if f.newKey != "" {
		if len(args) > 0 {
			return usageErrorf("--new-key makes a key pair and nothing else\nhint: olmo release --new-key %s, then olmo release … --key %s", f.newKey, f.newKey)
		}
		return f.makeKeys(c.OutOrStdout())
	}
	switch {
	case len(args) != 1:
		return usageErrorf("one RUN is needed")
	case f.out == "":
		return usageErrorf("--out DIR is needed")
	}
	o := build.Options{
		Run: args[0], Out: f.out, Name: f.name, Documents: f.documents, Without: f.without, FullURLs: f.fullURLs, Program: program.Read(),
	}
	var err error
	if o.Checkpoints, err = f.steps(args[0]); err != nil {
		return err
	}
	if o.Date, err = sourceDate(); err != nil {
		return err
	}
	if f.about != "" {
		if o.About, err = report.ReadAbout(f.about); err != nil {
			return err
		}
	}
	if f.key != "" {
		var key *ecdsa.PrivateKey
		if key, err = signature.ReadPrivate(f.key); err != nil {
			return err
		}
		o.Key = key
	}
	if f.note != "" {
		if o.Note, err = note.ReadPrivate(f.note); err != nil {
			return err
		}
	}
	p := newProgress(c.ErrOrStderr())
	o.Warn = func(what string) { p.print("olmo release: warning: " + what) }
	part := ""
	o.Progress = func(name string, done, total int64, unit string) {
		if name != part {
			p.begin(name)
			part = name
		}
		s := step{done: float64(done), total: float64(total), unit: unit}
		if unit == "bytes" {
			s = step{done: float64(done) / 1e6, total: float64(total) / 1e6, unit: "MB"}
		}
		p.update(s)
	}
	var found *build.Survey
	o.Ask = func(s *build.Survey) error {
		p.end()
		part, found = "", s
		for _, line := range surveyLines(s) {
			p.print(line)
		}
		return f.ask(c, p, s)
	}
	r, err := build.Run(c.Context(), o)
	var unsound *build.UnsoundError
	if errors.As(err, &unsound) {
		p.end()
		return (&verifyFlags{json: f.asJSON}).report(c, unsound.Run, unsound.Report)
	}
	if err != nil {
		p.fail()
		return err
	}
	p.end()
	return f.print(c.OutOrStdout(), r, found)
}

// makeKeys makes a pair of keys for releases, and one for notes, which has a name: that of the release,
// or of the file.
func (f *releaseFlags) makeKeys(out io.Writer) error {
	stem := strings.TrimSuffix(f.newKey, ".pem")
	public, err := signature.WriteKeys(f.newKey)
	if err != nil {
		return err
	}
	notes := stem + ".note"
	publicNotes, err := note.WriteKeys(notes, cmp.Or(f.name, filepath.Base(stem)))
	if err != nil {
		// Both pairs or none.
		return errors.Join(err, store.Remove(f.newKey), store.Remove(public))
	}
	for _, pair := range []struct{ private, public, what string }{{f.newKey, public, "releases"}, {notes, publicNotes, "notes"}} {
		fmt.Fprintf(out, "%s: keep it to yourself, it signs %s\n%s: give it to whoever checks them\n", pair.private, pair.what, pair.public)
	}
	return nil
}

// steps are those that --checkpoints names; nil for all.
func (f *releaseFlags) steps(run string) ([]int, error) {
	switch f.checkpoints {
	case "all":
		return nil, nil
	case "last":
		n, err := build.Last(run)
		return []int{n}, err
	}
	var steps []int
	for _, s := range strings.Split(f.checkpoints, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 0 {
			return nil, usageErrorf("--checkpoints %s: %q is no step\nhint: all, last, or steps as 100,200", f.checkpoints, s)
		}
		steps = append(steps, n)
	}
	return steps, nil
}

// sourceDate is the time that SOURCE_DATE_EPOCH gives, zero without.
func sourceDate() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, it should be seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// surveyLines say what is known of licences and personal data.
func surveyLines(s *build.Survey) []string {
	names := slices.SortedFunc(maps.Keys(s.Licenses), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Licenses[b], s.Licenses[a]), strings.Compare(a, b))
	})
	const most = 10
	var list []string
	for _, name := range names[:min(len(names), most)] {
		list = append(list, fmt.Sprintf("%s %d", name, s.Licenses[name]))
	}
	if n := len(names) - most; n > 0 {
		list = append(list, fmt.Sprintf("%d more", n))
	}
	none := fmt.Sprintf("none %d", s.None)
	if s.Unknown > 0 {
		none += fmt.Sprintf(" (of %d there are the tokens alone)", s.Unknown)
	}
	lines := []string{fmt.Sprintf("licences of %d documents: %s", s.Documents, strings.Join(append(list, none), ", "))}
	switch {
	case s.Judged == 0:
		lines = append(lines, "personal data: nobody looked; no attributes of pii_regex_v2 or the like lie beside the documents")
	default:
		lines = append(lines, fmt.Sprintf("personal data: found in %d of %d documents that were looked at", s.Personal, s.Judged))
	}
	if s.Addresses > 0 && s.Texts {
		lines = append(lines, fmt.Sprintf("addresses: %d documents have a URL with a user or a query; manifest and reports leave these out, the documents themselves do not (--without documents does)", s.Addresses))
	}
	if s.Folders > 0 && s.Texts {
		lines = append(lines, fmt.Sprintf("folders: %d documents name a folder of this machine (home, working or run's), and are released as they are", s.Folders))
	}
	return lines
}

// ask asks whether texts without a licence may go out.
func (f *releaseFlags) ask(c *cobra.Command, p *progress, s *build.Survey) error {
	if s.None == 0 || !s.Texts && !s.Tokens {
		return nil
	}
	what := fmt.Sprintf("%d documents have no licence", s.None)
	if !s.Texts {
		what += ", and texts can be read from their tokens"
	}
	in, ok := c.InOrStdin().(*os.File)
	if f.yes || !ok || !term.IsTerminal(int(in.Fd())) {
		p.print("olmo release: warning: " + what)
		return nil
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s. Release them all the same? [y/N] ", what)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was released\nhint: --yes does not ask; --without data leaves out texts and tokens")
}

// print says what was written.
func (f *releaseFlags) print(out io.Writer, r *build.Result, s *build.Survey) error {
	m := r.Manifest
	if f.asJSON {
		var names []string
		for _, v := range m.Revisions {
			names = append(names, v.Name)
		}
		return json.NewEncoder(out).Encode(map[string]any{
			"out": r.Out, "name": m.Name, "steps": m.Run.Steps, "tokens": m.Run.Tokens, "revisions": names, "files": len(m.Files), "bytes": r.Bytes,
			"left_out": len(m.LeftOut), "files_root": m.FilesRoot, "steps_root": m.Run.StepsRoot, "signed": r.Signed, "documents": s,
		})
	}
	fmt.Fprintf(out, "%s: %s, %d steps, %d models, %d files, %s\n", r.Out, m.Name, m.Run.Steps, len(m.Revisions), len(m.Files), size(r.Bytes))
	if n := len(m.LeftOut); n > 0 {
		fmt.Fprintf(out, "left out, and listed by hash: %d files\n", n)
	}
	fmt.Fprintf(out, "check it: olmo verify %s\n", r.Out)
	return nil
}
