// Package tokenizer turns text into token ids and back: Hugging Face
// tokenizer.json files (byte-level and SentencePiece-like BPE, Unigram,
// WordPiece), GGUF vocabularies, and training of byte-level BPE.
//
// Results are those of Hugging Face tokenizers 0.23.3, id by id and offset by
// offset, its Unicode versions included: it takes letters and numbers from
// Unicode 16, and normal forms from Unicode 9.
//
// A [Tokenizer] is immutable once loaded and safe for concurrent use. The state
// that makes encoding fast, a cache of encoded words, lives in an [Encoder];
// [Tokenizer.AppendEncode] borrows one from a pool.
package tokenizer
