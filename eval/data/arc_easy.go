package evaldata

import _ "embed"

// arcEasy is ARC-Easy's validation part in the order of the data set: Clark et al. 2018,
// arXiv:1803.05457. 570 rows.
//
//go:embed arc_easy_validation.jsonl.gz
var arcEasy []byte

//go:embed NOTICE.txt
var notice string

//go:embed CC-BY-SA-4.0.txt
var licence string

// Notice names the authors, source, licence and changes of the embedded sets
// in a few lines, for a report that shows results on them.
func Notice() string { return notice }

// Licence is the text of the licence that Notice names, CC BY-SA 4.0.
func Licence() string { return licence }
