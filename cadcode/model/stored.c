/* Products with a matrix that is stored in fewer bits than it is multiplied in; see stored.py.
 *
 * x (rows, in) is float32; the matrix (out, in) is bfloat16, or int8 with a scale for each of its rows; y (rows, out) is
 * float32. Decoding is as slow as its matrices are read, so each number is read once and widened in a register.
 */
#include <stdint.h>
#include <string.h>

#define SUMS 32 /* independent ones, for a compiler to keep in vector registers; `in` is a multiple of it */

static inline float from_bfloat16(uint16_t upper_half) {
    uint32_t bits = (uint32_t)upper_half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float from_int8(int8_t value) { return (float)value; }

#define DEFINE(NAME, STORED, READ)                                                                                   \
    static float dot_##NAME(const STORED *restrict w, const float *restrict x, int64_t in) {                         \
        float sums[SUMS] = {0}, sum = 0;                                                                             \
        for (int64_t i = 0; i < in; i += SUMS)                                                                       \
            for (int j = 0; j < SUMS; j++)                                                                           \
                sums[j] += READ(w[i + j]) * x[i + j];                                                                \
        for (int j = 0; j < SUMS; j++)                                                                               \
            sum += sums[j];                                                                                          \
        return sum;                                                                                                  \
    }                                                                                                                \
    void multiply_##NAME(const STORED *w, const float *scales, const float *x, float *y, int64_t rows, int64_t out,  \
                         int64_t in, int threads) {                                                                  \
        _Pragma("omp parallel for num_threads(threads) schedule(static)")                                            \
        for (int64_t o = 0; o < out; o++)                                                                            \
            for (int64_t r = 0; r < rows; r++)                                                                       \
                y[r * out + o] = dot_##NAME(w + o * in, x + r * in, in) * (scales ? scales[o] : 1.0f);               \
    }

DEFINE(bfloat16, uint16_t, from_bfloat16)
DEFINE(int8, int8_t, from_int8)
