//go:build !race

package generate_test

const race = false
