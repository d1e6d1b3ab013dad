package quickstart

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"sync"

	template "github.com/DataDog/datadog-agent/pkg/template/text"

	"olmo/device/cpu"
	"olmo/model"
	"olmo/page"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

//go:embed card.md.tmpl
var cardText string

var card = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("card").Funcs(template.FuncMap{
		"cardLanguages": (*CorpusInfo).CardLanguages,
		"grouped":       page.Grouped,
		"documents":     documentsInWords,
		"figure":        func(x float64) string { return fmt.Sprintf("%.3f", x) },
		"percent":       func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) },
		"maybe": func(x *float64) string {
			if x == nil {
				return "not measured"
			}
			return fmt.Sprintf("%.3f", *x)
		},
	}).Parse(cardText))
})

// release writes the model as Hugging Face's tools load it, with a card that has the
// run's own figures. It returns the weights_digest of the release's own files, which
// differs from the run's because it is over other names.
func (q *quick) release(corpus CorpusInfo, c curated, v vocab, m trained, j judged, samples []Sample) (digest string, err error) {
	folder, err := store.CreateFolder(q.path("release"))
	if err != nil {
		return "", err
	}
	defer folder.Abort()
	l, err := model.Open(q.path(filepath.FromSlash(m.StepFolder)))
	if err != nil {
		return "", err
	}
	defer l.Close()
	if err := model.SaveHF(folder.Path(), l.Config, l.Param, tensor.F32, 0, nil); err != nil {
		return "", err
	}
	if digest, err = digestOf(folder.Path()); err != nil {
		return "", err
	}
	tokenizer, err := store.ReadFile(q.tokenizerFile())
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = card().Execute(&text, map[string]any{
		"Corpus": &corpus, "Language": (&Report{Corpus: corpus}).language(), "Curated": c, "Vocab": v, "Trained": m, "Judged": j, "Samples": samples, "Model": l.Config,
		"Recipe": q.recipe(), "Version": q.Version, "Kernels": cpu.Kernels(), "Digest": digest,
	})
	if err != nil {
		return "", fmt.Errorf("writing the model card: %w", err)
	}
	for name, text := range map[string][]byte{"tokenizer.json": tokenizer, "tokenizer_config.json": []byte(tokenizerConfig), "README.md": text.Bytes()} {
		if err := store.WriteFile(filepath.Join(folder.Path(), name), text); err != nil {
			return "", err
		}
	}
	return digest, folder.Commit()
}

// digestOf is the weights_digest of a folder's weights, under the names of its files.
func digestOf(dir string) (string, error) {
	set, err := weights.Open(dir)
	if err != nil {
		return "", err
	}
	defer set.Close()
	sum, err := set.Digest()
	return hex.EncodeToString(sum[:]), err
}

// tokenizerConfig tells Hugging Face's loader which class reads tokenizer.json.
const tokenizerConfig = `{
  "tokenizer_class": "PreTrainedTokenizerFast",
  "eos_token": "` + endOfText + `",
  "pad_token": "` + padding + `",
  "clean_up_tokenization_spaces": false
}
`
