package build

// Survey is what the documents of a release say of their licences, and what was found in them of people.
type Survey struct {
	Documents int64            `json:"documents"`
	Licenses  map[string]int64 `json:"licenses"` // documents of each
	None      int64            `json:"without_license"`
	// Unknown are those of None of which there is nothing but the tokens.
	Unknown int64 `json:"unknown"`
	// Judged are the documents beside which attributes of a tagger of personal data lie, and
	// Personal those in which it found some.
	Judged   int64 `json:"judged_for_personal_data"`
	Personal int64 `json:"with_personal_data"`
	// Addresses are the documents whose URL has a user or a query, which data/documents still has.
	Addresses int64 `json:"urls_with_user_or_query"`
	// Folders are the documents that name the home folder, the working folder or the run's, in
	// their text or beside it.
	Folders int64 `json:"naming_folders_of_this_machine"`
	// Texts tells that the release has the texts, Tokens the tokens, from which they can be read
	// all the same.
	Texts  bool `json:"texts"`
	Tokens bool `json:"tokens"`
}

func (s *Survey) add(f *facts) {
	s.Documents++
	switch {
	case f.License != "":
		s.Licenses[f.License]++
	default:
		s.None++
		if f.Text == "" {
			s.Unknown++
		}
	}
	if bare(f.URL) != f.URL {
		s.Addresses++
	}
}

// ask tells what was found, and ends the release if it may not go on.
func (b *builder) ask() error {
	b.survey.Texts = len(b.texts.files()) > 0 && !b.folder.leftOut(documentsFolder+"/x")
	b.survey.Tokens = !b.folder.leftOut(tokensFolder + "/x")
	if b.o.Ask == nil {
		return nil
	}
	return b.o.Ask(&b.survey)
}
