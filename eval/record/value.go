package record

import "strings"

// noFilter is lm-eval's name of answers as they are.
const noFilter = "none"

// withFilter is a figure's name with its filter's.
func withFilter(figure string) string {
	if strings.Contains(figure, ",") {
		return figure
	}
	return figure + "," + noFilter
}

// plain makes numbers of truth values; the rest stays.
func plain(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return 1.0
		}
		return 0.0
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}
