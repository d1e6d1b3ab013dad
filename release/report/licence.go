package report

import "strings"

// licence is one that reports know by its SPDX identifier.
type licence struct {
	id   string // SPDX
	hub  string // as Hugging Face's cards call it
	open bool   // its terms are open: approved by the Open Source Initiative, or by the Open Definition for data and texts
}

var licences = []licence{
	{"0BSD", "", true},
	{"AGPL-3.0-only", "agpl-3.0", true},
	{"AGPL-3.0-or-later", "agpl-3.0", true},
	{"Apache-2.0", "apache-2.0", true},
	{"Artistic-2.0", "artistic-2.0", true},
	{"BSD-2-Clause", "bsd-2-clause", true},
	{"BSD-3-Clause", "bsd-3-clause", true},
	{"BSL-1.0", "bsl-1.0", true},
	{"CC-BY-4.0", "cc-by-4.0", true},
	{"CC-BY-3.0", "cc-by-3.0", true},
	{"CC-BY-NC-4.0", "cc-by-nc-4.0", false},
	{"CC-BY-NC-SA-4.0", "cc-by-nc-sa-4.0", false},
	{"CC-BY-ND-4.0", "cc-by-nd-4.0", false},
	{"CC-BY-SA-3.0", "cc-by-sa-3.0", true},
	{"CC-BY-SA-4.0", "cc-by-sa-4.0", true},
	{"CC0-1.0", "cc0-1.0", true},
	{"CDLA-Permissive-1.0", "cdla-permissive-1.0", true},
	{"CDLA-Permissive-2.0", "cdla-permissive-2.0", true},
	{"CDLA-Sharing-1.0", "cdla-sharing-1.0", true},
	{"EUPL-1.2", "eupl-1.2", true},
	{"GPL-2.0-only", "gpl-2.0", true},
	{"GPL-2.0-or-later", "gpl-2.0", true},
	{"GPL-3.0-only", "gpl-3.0", true},
	{"GPL-3.0-or-later", "gpl-3.0", true},
	{"ISC", "isc", true},
	{"LGPL-2.1-only", "lgpl-2.1", true},
	{"LGPL-3.0-only", "lgpl-3.0", true},
	{"MIT", "mit", true},
	{"MPL-2.0", "mpl-2.0", true},
	{"ODC-By-1.0", "odc-by", true},
	{"ODbL-1.0", "odbl", true},
	{"PDDL-1.0", "pddl", true},
	{"Unlicense", "unlicense", true},
	{"WTFPL", "wtfpl", false},
	{"Zlib", "zlib", true},
}

// licenceOf knows a licence by its SPDX identifier, in any case, or by the hub's name for it.
func licenceOf(text string) (licence, bool) {
	for _, l := range licences {
		if strings.EqualFold(l.id, text) || l.hub != "" && strings.EqualFold(l.hub, text) {
			return l, true
		}
	}
	return licence{}, false
}
