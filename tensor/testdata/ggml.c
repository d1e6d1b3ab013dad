// Prints the SHA-256 input of the goldens in quantize_test.go: for each block
// type, ggml's own bytes and its own dequantised numbers, for the numbers of
// the test's generator.
//
// Built against ggml 43724a63 (July 2026), without fused multiply-adds:
//   gcc -O2 -ffp-contract=off -Iinclude -Isrc -Isrc/ggml-cpu -DGGML_COMMIT='""' -DGGML_VERSION='""' \
//       ggml.c src/ggml-quants.c -lm -o ggml
//   for t in q8_0 q4_0 q4_1 q5_0 q5_1 q4_K q5_K q6_K; do ./ggml $t >$t.bin; sha256sum $t.bin; done
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml-quants.h"

// What ggml-quants.c wants of the rest of ggml, for paths not taken here.
void ggml_abort(const char *file, int line, const char *fmt, ...) { abort(); }
size_t ggml_type_size(enum ggml_type t) { abort(); }
const char *ggml_type_name(enum ggml_type t) { abort(); }
size_t ggml_row_size(enum ggml_type t, int64_t n) { abort(); }

enum { N = 1 << 19 };
static float x[N], y[N];
static char q[4 * N];

int main(int argc, char **argv) {
  uint64_t s = 1;
  for (int i = 0; i < N; i++) {
    s = s * 6364136223846793005u + 1442695040888963407u;
    int e = i / 256 % 24; // every block has a magnitude of its own
    x[i] = ldexpf((float)(int32_t)(s >> 32), -31 - e);
    if (i / 512 % 16 == 7) x[i] = 0; // a zero block
    if (i / 512 % 16 == 9) x[i] = fabsf(x[i]); // no negative numbers
    if (i / 512 % 16 == 11 && i % 32) x[i] *= 0.001f; // outliers
    if (i / 512 % 16 == 13) x[i] = roundf(x[i] * 64) / 64; // ties
  }
#define RUN(T)                                                  \
  if (!strcmp(argv[1], #T)) {                                   \
    quantize_row_##T##_ref(x, (block_##T *)q, N);               \
    dequantize_row_##T((block_##T *)q, y, N);                   \
    fwrite(q, sizeof(block_##T), N / (sizeof(block_##T) > 64 ? 256 : 32), stdout); \
  }
  RUN(q8_0) RUN(q4_0) RUN(q4_1) RUN(q5_0) RUN(q5_1) RUN(q4_K) RUN(q5_K) RUN(q6_K)
  fwrite(y, 4, N, stdout);
  return 0;
}
