// Package config reads strict YAML files and overrides into structs, and writes complete configs.
package config
