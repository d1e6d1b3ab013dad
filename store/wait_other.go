//go:build !unix

package store

// dontWait opens what is a file at once.
const dontWait = 0
