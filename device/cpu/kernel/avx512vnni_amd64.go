//go:build !purego

package kernel

// avx512vnni is the table for AVX-512 with dot products of bytes.
var avx512vnni = func() *primitives {
	p := *avx512
	p.name = "avx512vnni"
	p.vnni()
	return &p
}()

// vnni gives a table of AVX-512 the products under int8 by these.
func (p *primitives) vnni() {
	p.int8Levels4, p.int8Levels8, p.int8Levels5 = int8Levels4VNNI, int8Levels8VNNI, int8Levels8VNNI
	p.int8Nested4, p.int8Nested8, p.int8Halves8 = int8Nested4VNNI, int8Nested8VNNI, int8Halves8VNNI
}

// peakBytes does turns × 30 dot products of 16 times 4 bytes.
//
//go:noescape
func peakBytes(turns int)

// int8Levels4VNNI is primitives.int8Levels4.
//
//go:noescape
func int8Levels4VNNI(t *int8Args)

// int8Levels8VNNI is primitives.int8Levels8.
//
//go:noescape
func int8Levels8VNNI(t *int8Args)

// int8Nested4VNNI is primitives.int8Nested4.
//
//go:noescape
func int8Nested4VNNI(t *int8Args)

// int8Nested8VNNI is primitives.int8Nested8.
//
//go:noescape
func int8Nested8VNNI(t *int8Args)

// int8Halves8VNNI is primitives.int8Halves8.
//
//go:noescape
func int8Halves8VNNI(t *int8Args)
