// Package main is the olmo command; everything it does is in internal/cli.
package main

import (
	"os"

	"olmo/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:]))
}
