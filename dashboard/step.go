package dashboard

// Source tells what the page shows of a run beside its log and its config. The command
// fills it, so that this package knows neither models nor data.
type Source interface {
	// Parameters is how many weights the model of the run in a folder has.
	Parameters(folder string) (int64, error)
	// Data is what a step of the run in a folder trains on: at most so many instances,
	// from one on.
	Data(folder string, step, from, most int) (*StepData, error)
	// Text is what the ids of tokens say to the model of the run in a folder.
	Text(folder string, ids []int32) (string, error)
}

// StepData is what a step of a run trains on.
type StepData struct {
	Step      int        `json:"step"`
	Epoch     int        `json:"epoch"`
	Length    int        `json:"length"` // of an instance, in tokens
	Total     int        `json:"total"`  // instances of the step
	Instances []Instance `json:"instances"`
}

// Instance is a sequence of a step.
type Instance struct {
	Index     int64      `json:"index"` // in the data set
	File      string     `json:"file"`
	Start     int64      `json:"start"` // tokens [Start, End) of the file
	End       int64      `json:"end"`
	Text      string     `json:"text"` // nothing without a tokenizer
	Documents []Document `json:"documents"`
}

// Document is one that an instance holds a part of.
type Document struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Line   int64  `json:"line"`
	Start  int64  `json:"start"` // tokens [Start, End) of the file
	End    int64  `json:"end"`
	Text   string `json:"text"` // of what the instance holds; nothing without a tokenizer
}

// stepAnswer is what the page shows of a step.
type stepAnswer struct {
	Step    int            `json:"step"`
	Values  map[string]any `json:"values"`
	Data    *StepData      `json:"data,omitempty"`
	Problem string         `json:"problem,omitempty"` // why there is no data
}
