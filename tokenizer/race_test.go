//go:build race

package tokenizer

// raceDetector tells tests that the detector's own bookkeeping allocates.
const raceDetector = true
