package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"olmo/proof/note"
	"olmo/release/signature"
	"olmo/release/verify"
	"olmo/store"
	"olmo/tokenizer"
)

// verifyFlags are the flags of olmo verify.
type verifyFlags struct {
	key, note, signature, since, name, revision string
	only, parents                               []string
	texts, json                                 bool
	proof, proofFile, root, leaf, tokenizer     string
}

func newVerifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify RELEASE",
		Short: "Say whether a release, or a run, is what it says it is",
		Long: `Verify reads everything that is there and lists all that is wrong, never just the
first: files against release.json, the steps against their chain, checkpoints and
models against the steps, token files and documents, data order, learning rates and
log against the settings. RELEASE is a folder that 'olmo release' has made, or the
folder of a run.

--key checks release.sig with a public key; --only reads just the files that match,
such as a branch that was downloaded alone; --since and --parent compare with other
releases. --note checks who signed the notes of the chain, as 'olmo train --note' and
'olmo release --note' write them. With --signature it takes any folder that was signed with OpenSSF
model-signing and a key.

--proof prints that a step (its number), a file, a tensor (PATH#TENSOR) or a document
(document:ID) is in the release, in a few kB; --proof-file checks that without the
release: --root is a root of its release.json, KIND:HEX with KIND steps, files, weights
or documents, and --leaf a file with what the proof is of: the line of a chain, the
file, the bytes of the tensor or of the tokens; with --tokenizer, a document's text.

What no hash shows is computed again by 'olmo replay'. Exit code 1: there are problems.
docs/verification.md says what each kind of problem means.`,
		Example: `  olmo verify run-a
  olmo verify my-model --key key.pub.pem
  olmo verify my-model --since my-older-model --json
  olmo verify my-model --only 'model/main'
  olmo verify run-a --proof 2 > proof.json
  olmo verify --proof-file proof.json --root steps:ROOT
  olmo verify someones-model --signature model.sig --key key.pub.pem`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	f.register(c)
	return c
}

func (f *verifyFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.key, "key", "", "public key with which the signature must be valid (PEM)")
	fs.StringVar(&f.note, "note", "", "public key with which notes of the chain must be signed")
	fs.StringVar(&f.signature, "signature", "", "the signature of a folder signed with OpenSSF model-signing")
	fs.StringArrayVar(&f.only, "only", nil, "pattern of the files, or folders, that are wanted and read (repeatable)")
	fs.StringVar(&f.since, "since", "", "an older release, which this one must continue")
	fs.StringArrayVar(&f.parents, "parent", nil, "the release or run that this run grew out of (repeatable: one of them)")
	fs.StringVar(&f.name, "name", "", "the name that the release must have, ORG/NAME")
	fs.StringVar(&f.revision, "revision", "", "a revision that the release must have")
	fs.BoolVar(&f.texts, "texts", false, "encode the documents again and compare with the tokens")
	fs.StringVar(&f.proof, "proof", "", "print the proof of a STEP, PATH, PATH#TENSOR or document:ID")
	fs.StringVar(&f.proofFile, "proof-file", "", "check a proof, without a release")
	fs.StringVar(&f.root, "root", "", "the root that a proof must lead to, KIND:HEX")
	fs.StringVar(&f.leaf, "leaf", "", "a file with what a proof is of")
	fs.StringVar(&f.tokenizer, "tokenizer", "", "tokenizer.json with which --leaf, a document's text, gives the tokens")
	fs.BoolVar(&f.json, "json", false, "print one JSON object")
}

func (f *verifyFlags) run(c *cobra.Command, args []string) error {
	if err := checkFilled(c.Flags()); err != nil {
		return err
	}
	if f.proofFile != "" {
		if len(args) > 0 || f.root == "" {
			return usageErrorf("--proof-file takes no RELEASE, and --root KIND:HEX")
		}
		return f.checkProof(c)
	}
	if len(args) != 1 {
		return usageErrorf("one RELEASE is needed")
	}
	if f.root != "" || f.leaf != "" || f.tokenizer != "" {
		return usageErrorf("--root, --leaf and --tokenizer go with --proof-file")
	}
	if f.proof != "" {
		if c.Flags().NFlag() > 1 {
			return usageErrorf("--proof prints proofs and checks nothing: it goes without other flags")
		}
		proofs, err := verify.Prove(c.Context(), args[0], f.proof)
		if err != nil {
			return err
		}
		e := json.NewEncoder(c.OutOrStdout())
		e.SetEscapeHTML(false)
		for i := range proofs {
			if err := e.Encode(&proofs[i]); err != nil {
				return err
			}
		}
		return nil
	}
	r, err := f.check(c, args[0])
	if err != nil {
		return err
	}
	return f.report(c, args[0], r)
}

// check reads the release and says what is wrong.
func (f *verifyFlags) check(c *cobra.Command, dir string) (*verify.Report, error) {
	o := verify.Options{Only: f.only, Since: f.since, Parents: f.parents, Name: f.name, Revision: f.revision, Texts: f.texts}
	if f.key != "" {
		var err error
		if o.Key, err = signature.ReadPublic(f.key); err != nil {
			return nil, err
		}
	}
	if f.note != "" {
		var err error
		if o.Note, err = note.ReadPublic(f.note); err != nil {
			return nil, err
		}
	}
	p := newProgress(c.ErrOrStderr())
	p.begin("verify")
	o.Progress = func(done, total int64) {
		p.update(step{done: float64(done) / 1e6, total: float64(total) / 1e6, unit: "MB"})
	}
	var r *verify.Report
	var err error
	if f.signature != "" {
		r, err = f.checkSignature(c.Context(), dir, &o)
	} else {
		r, err = verify.Folder(c.Context(), dir, o)
	}
	if err != nil {
		p.fail()
		return nil, err
	}
	p.end()
	return r, nil
}

// checkSignature checks a folder that others have signed.
func (f *verifyFlags) checkSignature(ctx context.Context, dir string, o *verify.Options) (*verify.Report, error) {
	if o.Since != "" || len(o.Parents)+len(o.Only) > 0 || o.Name != "" || o.Revision != "" || o.Texts || o.Note != nil {
		return nil, usageErrorf("--signature goes with --key and --json alone: such a folder has no chain and no list of its own")
	}
	s, err := signature.Check(ctx, dir, f.signature, o.Key, o.Progress)
	if err != nil {
		return nil, err
	}
	r := &verify.Report{OK: len(s.Problems) == 0, Problems: []verify.Problem{}, Notes: append([]string{}, s.Notes...), Checked: verify.Counts{Files: s.Files, Bytes: s.Bytes}}
	for _, p := range s.Problems {
		r.Problems = append(r.Problems, verify.Problem{Kind: verify.Kind(p.Kind), Path: p.Path, Message: p.Path + ": " + p.Message})
	}
	return r, nil
}

// report prints what was found.
func (f *verifyFlags) report(c *cobra.Command, dir string, r *verify.Report) error {
	out := c.OutOrStdout()
	if f.json {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		for _, p := range r.Problems {
			fmt.Fprintf(out, "%s: %s\n", p.Kind, visible(p.Message))
		}
		for _, s := range r.Notes {
			fmt.Fprintf(out, "note: %s\n", visible(s))
		}
		if r.OK {
			fmt.Fprintf(out, "%s: %s: sound\n", filepath.Clean(dir), verified(r.Checked))
		}
	}
	switch n := len(r.Problems); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: one problem", dir)
	default:
		return fmt.Errorf("%s: %d problems", dir, n)
	}
}

// verified says how much was read.
func verified(n verify.Counts) string {
	text := fmt.Sprintf("%d files, %s", n.Files, size(n.Bytes))
	if n.Steps > 0 {
		text = fmt.Sprintf("%d steps, %d checkpoints, %d documents, %s", n.Steps, n.Checkpoints, n.Documents, text)
	}
	return text
}

// checkProof checks the proofs in a file.
func (f *verifyFlags) checkProof(c *cobra.Command) error {
	in, err := store.Open(f.proofFile)
	if err != nil {
		return err
	}
	defer in.Close()
	proofs, err := verify.ReadProofs(in)
	if err != nil {
		return fmt.Errorf("%s: %w", f.proofFile, err)
	}
	var errs []error
	for i := range proofs {
		p := &proofs[i]
		err := p.Check(f.root)
		if err == nil && f.leaf != "" {
			err = f.checkLeaf(p)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, proof %d: %w", f.proofFile, i+1, err))
			continue
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: %s is leaf %d of the %d under %s\n", f.proofFile, visible(p.What()), p.Index, p.Size, f.root)
	}
	return errors.Join(errs...)
}

// checkLeaf compares what a proof is of with a file.
func (f *verifyFlags) checkLeaf(p *verify.Proof) error {
	in, err := store.Open(f.leaf)
	if err != nil {
		return err
	}
	defer in.Close()
	if f.tokenizer == "" {
		err = p.CheckLeaf(in)
	} else {
		err = f.checkText(p, in)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.leaf, err)
	}
	return nil
}

// checkText compares a document's proof with its text.
func (f *verifyFlags) checkText(p *verify.Proof, in io.Reader) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	t, err := tokenizer.Load(f.tokenizer)
	if err != nil {
		return err
	}
	var ends []int32
	for _, a := range t.Describe().AddedTokens {
		ends = append(ends, a.ID)
	}
	return p.CheckText(string(text), t, ends)
}
