// Package quickstart is the whole chain as one call: corpus, stages and report card.
package quickstart
