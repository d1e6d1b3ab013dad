package tokenizer

import "fmt"

// compilePattern returns a matcher for a regular expression of a file.
func compilePattern(expr string) (matcher, error) {
	switch expr {
	case gpt2Pattern:
		return scanner(scanGPT2), nil
	case cl100kPattern:
		return scanner(scanCL100K), nil
	}
	return nil, fmt.Errorf("regular expression %q is not known yet", expr)
}
