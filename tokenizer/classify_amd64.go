//go:build !purego

package tokenizer

import (
	"os"

	"golang.org/x/sys/cpu"
)

// useAVX2 chooses the assembly. OLMO_CPU=generic turns all assembly off.
var useAVX2 = cpu.X86.HasAVX2 && os.Getenv("OLMO_CPU") != "generic"

//go:noescape
func classifyAVX2(out *classBlock, text *byte, blocks int)

// classify describes text, which holds blockBytes for each of out.
func classify(out []classBlock, text []byte) {
	if len(out) == 0 {
		return
	}
	_ = text[len(out)*blockBytes-1]
	if useAVX2 {
		classifyAVX2(&out[0], &text[0], len(out))
		return
	}
	classifyGo(out, text)
}
