//go:build !amd64 || purego

package tokenizer

// classify describes text, which holds blockBytes for each of out.
func classify(out []classBlock, text []byte) { classifyGo(out, text) }
