//go:build !linux

package sandbox

func namespacesRefused() bool { return true }
