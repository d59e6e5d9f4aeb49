/* Products with a matrix that is stored in fewer bits than it is multiplied in; see stored.py.
 *
 * The matrix (out, in) is bfloat16, or int8 with a scale for each of its rows, and is read as 32-bit words of 2 or 4
 * numbers. x (rows, in) is float32, its numbers in the order in which LANES words come apart. y (rows, out) is float32.
 * For GCC and Clang on little-endian computers.
 */
#include <stdint.h>
#include <string.h>

#define LANES 8
#define BLOCK 4    /* rows of x for which a number is widened once */
#define AHEAD 2048 /* bytes: far enough for memory to answer in time */

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

static inline floats load(const float *x) {
    floats values;
    memcpy(&values, x, sizeof values);
    return values;
}

static inline float total(floats sums) {
    float sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += sums[i];
    return sum;
}

/* A bfloat16 is the upper half of a float32. */
static inline floats bfloat16_part(words w, int part) { return (floats)(part ? w & 0xffff0000u : w << 16); }

static inline floats int8_part(words w, int part) {
    return __builtin_convertvector((ints)(w << (24 - 8 * part)) >> 24, floats);
}

/* dots: one row of the matrix with `rows` of x, a constant, in `chains` independent sums each.
 * multiply: the whole product.
 */
#define DEFINE(NAME, PARTS)                                                                                          \
    static inline __attribute__((always_inline)) void dots_##NAME(const uint32_t *w, const float *x, int64_t in,     \
                                                                  int rows, int chains, float *y, int64_t out) {     \
        floats sums[BLOCK][PARTS] = {0};                                                                             \
        for (int64_t i = 0; i < in; i += LANES * PARTS, w += LANES) {                                                \
            words stored;                                                                                            \
            memcpy(&stored, w, sizeof stored);                                                                       \
            __builtin_prefetch((const char *)w + AHEAD);                                                             \
            for (int part = 0; part < PARTS; part++) {                                                               \
                floats wide = NAME##_part(stored, part);                                                             \
                for (int r = 0; r < rows; r++)                                                                       \
                    sums[r][part % chains] += wide * load(x + r * in + i + part * LANES);                            \
            }                                                                                                        \
        }                                                                                                            \
        for (int r = 0; r < rows; r++) {                                                                             \
            for (int c = 1; c < chains; c++)                                                                         \
                sums[r][0] += sums[r][c];                                                                            \
            y[r * out] = total(sums[r][0]);                                                                          \
        }                                                                                                            \
    }                                                                                                                \
    void multiply_##NAME(const uint32_t *w, const float *scales, const float *x, float *y, int64_t rows,             \
                         int64_t out, int64_t in, int threads) {                                                     \
        _Pragma("omp parallel for num_threads(threads) schedule(static)")                                            \
        for (int64_t o = 0; o < out; o++) {                                                                          \
            const uint32_t *row = w + o * (in / PARTS);                                                              \
            int64_t r = 0;                                                                                           \
            for (; r + BLOCK <= rows; r += BLOCK)                                                                    \
                dots_##NAME(row, x + r * in, in, BLOCK, 2, y + r * out + o, out);                                    \
            for (; r + 2 <= rows; r += 2)                                                                            \
                dots_##NAME(row, x + r * in, in, 2, 2, y + r * out + o, out);                                        \
            for (; r < rows; r++)                                                                                    \
                dots_##NAME(row, x + r * in, in, 1, PARTS, y + r * out + o, out);                                    \
            for (r = 0; scales && r < rows; r++)                                                                     \
                y[r * out + o] *= scales[o];                                                                         \
        }                                                                                                            \
    }

DEFINE(bfloat16, 2)
DEFINE(int8, 4)
