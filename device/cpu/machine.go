package cpu

import (
	"olmo/device/cpu/kernel"
	"olmo/internal/parallel"
)

// Kernels names the kernels in use: avx512bf16, avx512vnni, avx512, avx2, neondot, neon or generic.
func Kernels() string { return kernel.CPU() }

// Check reports what the environment asks for and this machine cannot serve: OLMO_CPU names
// kernels that it lacks, OLMO_THREADS is not a number of threads.
func Check() error {
	if err := kernel.Check(); err != nil {
		return err
	}
	return parallel.Check()
}

// Peak is what this machine could do at best.
type Peak = kernel.Peak

// MeasurePeak measures for about a second.
func MeasurePeak() Peak { return kernel.MeasurePeak() }
