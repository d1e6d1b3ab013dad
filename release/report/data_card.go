package report

import (
	"fmt"
	"slices"
	"strings"

	"olmo/page"
)

// dataCard is the card of the training data, as Hugging Face's hub shows that of a data set.
func (f *facts) dataCard() []byte {
	var m frontMatter
	m.put("pretty_name", "Training data of "+orNot(f.in.Name))
	if len(f.data.Licenses) == 1 {
		m.license(f.data.Licenses[0].Name)
	}
	m.list("language", f.cardLanguages())
	m.list("task_categories", []string{"text-generation"})
	if f.data.known {
		m.list("size_categories", []string{sizeCategory(f.data.Documents)})
	}
	if len(f.below(documentsFolder)) > 0 {
		m.WriteString("configs:\n- config_name: default\n  data_files:\n")
		for _, x := range f.below(documentsFolder) {
			m.WriteString("  - " + quoted(x.Path) + "\n")
		}
	}
	return append(m.bytes(), f.dataPaper().markdown()...)
}

// sizeCategory is the hub's bracket for a number of documents.
func sizeCategory(n int64) string {
	from, names := int64(1000), []string{"1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"}
	if n < from {
		return "n<1K"
	}
	for i := 1; i < len(names); i++ {
		if from *= 10; n < from {
			return names[i-1] + "<n<" + names[i]
		}
	}
	return "n>1T"
}

func (f *facts) dataPaper() *paper {
	p := &paper{
		Title: "Training data of " + orNot(f.in.Name),
		Lead:  []string{"What the model was trained on, counted in the data itself: data/manifest.jsonl.gz has a line for each document, with its place in the token files, the hashes of its tokens and its text, and its source, address, licence and date where it has them."},
	}
	if d := f.date(); d != "" {
		p.Lead = append(p.Lead, "This card is of "+d+".")
	}
	c := &f.data
	figures := sub{Facts: f.dataRows()}
	if c.First != "" {
		figures.Facts = append(figures.Facts, fact{"Dates", fmt.Sprintf("from %s to %s, of %s documents", c.First, c.Last, page.Grouped(c.Dated))})
	} else {
		figures.Facts = append(figures.Facts, fact{"Dates", notStated})
	}
	curation := sub{Text: []string{"What was removed before training is not recorded."}}
	if len(f.in.Removed) > 0 {
		curation = sub{Tables: []table{f.filterTable()}}
	}
	p.Parts = []part{
		{Title: "Figures", Subs: []sub{figures}},
		{Title: "Sources", Aside: "As the documents name them, with what the provider says of each.", Subs: f.sourceSubs(false)},
		{Title: "Curation", Subs: []sub{curation}},
		{Title: "Rights", Subs: []sub{{Facts: []fact{
			{"Reservation of rights", orNot(strings.TrimSpace(f.about.ReservationOfRights))},
			{"Illegal content", orNot(strings.TrimSpace(f.about.IllegalContent))},
			{"Licences", f.licencesInWords()},
		}}}},
		{Title: "Files", Subs: []sub{f.fileSub()}},
	}
	return p
}

// dataFolders are the folders of a release with data, in words.
var dataFolders = []struct{ path, what string }{
	{documentsFolder, "documents, one JSON object a line"},
	{tokensFolder, "token files, with the places of the documents in .csv.gz"},
	{"data/masks/", "label masks"},
	{manifestFile, "a line for each document"},
	{"tokenizer/", "the tokenizer"},
}

func (f *facts) fileSub() sub {
	t := table{Words: 2, Head: []string{"in the release", "what", "files", "bytes"}}
	var gone []string
	for _, d := range dataFolders {
		var files, bytes int64
		for _, x := range f.below(d.path) {
			files, bytes = files+1, bytes+x.Size
		}
		switch {
		case files > 0:
			t.Rows = append(t.Rows, []string{d.path, d.what, page.Grouped(files), page.Grouped(bytes)})
		case f.leftOut(d.path):
			gone = append(gone, d.path)
		}
	}
	s := sub{Tables: []table{t}}
	if len(gone) > 0 {
		s.Text = append(s.Text, "The release was made without "+strings.Join(gone, ", ")+"; release.json lists the files that were left out, with their hashes.")
		if slices.Contains(gone, documentsFolder) && len(f.below(tokensFolder)) > 0 {
			s.Text = append(s.Text, "The texts can be read from the tokens all the same.")
		}
	}
	return s
}
