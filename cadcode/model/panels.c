/* Products with a bfloat16 matrix that lies in panels of its rows; see panels.py. For GCC and Clang on little-endian
 * computers.
 *
 * The matrix is (out, in). A panel holds WIDTH of its rows: for each number of `in`, LANES words of 32 bits, whose lower
 * halves are rows 0 to LANES - 1 and whose upper halves are the others. x (rows, in) and y (rows, out) are float32.
 */
#include <stdint.h>
#include <string.h>

#define LANES 8
#define WIDTH (2 * LANES)
#define BLOCK 6    /* rows of x for which a number is widened once: 12 sums, of 16 registers */
#define CHAINS 4   /* independent sums where there is one row alone */
#define AHEAD 4096 /* bytes: far enough for memory to answer in time */

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

/* One panel with `rows` of x, a constant. `sums` begin as rows of `start`, `step` apart, or as 0. */
static inline __attribute__((always_inline)) void multiply_panel(const uint32_t *w, const float *x, int64_t in, int rows,
                                                                 int chains, const float *start, int64_t step, float *y,
                                                                 int64_t out) {
    floats sums[BLOCK][2] = {0}, more[CHAINS][2] = {0};
    for (int r = 0; start && r < rows; r++)
        memcpy(sums[r], start + r * step, sizeof sums[r]);
    for (int64_t i = 0; i < in; i += chains)
        for (int c = 0; c < chains; c++, w += LANES) {
            words stored;
            memcpy(&stored, w, sizeof stored);
            __builtin_prefetch((const char *)w + AHEAD);
            floats lower = (floats)(stored << 16), upper = (floats)(stored & 0xffff0000u);
            for (int r = 0; r < rows; r++) {
                floats(*to)[2] = c ? &more[c] : &sums[r];
                (*to)[0] += x[r * in + i + c] * lower;
                (*to)[1] += x[r * in + i + c] * upper;
            }
        }
    for (int c = 1; c < chains; c++)
        for (int half = 0; half < 2; half++)
            sums[0][half] += more[c][half];
    for (int r = 0; r < rows; r++)
        memcpy(y + r * out, sums[r], sizeof sums[r]);
}

#define ROWS(COUNT, CHAINS_OF_ONE)                                                                                   \
    case COUNT:                                                                                                      \
        multiply_panel(panel, x + r * in, in, COUNT, CHAINS_OF_ONE, begin, step, y + r * out + column, out);         \
        break;

/* y = start + x times the transposed matrix. `in` is a multiple of CHAINS, `out` one of WIDTH; `start` may be NULL. */
void multiply_panels(const uint32_t *w, const float *x, const float *start, int64_t step, float *y, int64_t rows,
                     int64_t in, int64_t out, int threads) {
    int64_t blocks = (rows + BLOCK - 1) / BLOCK;
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t column = 0; column < out; column += WIDTH) {
        const uint32_t *panel = w + column * (in / 2);
        for (int64_t b = 0; b < blocks; b++) { /* of nearly the same size: 8 rows are 4 and 4 */
            int64_t r = b * rows / blocks;
            const float *begin = start ? start + r * step + column : 0;
            switch ((b + 1) * rows / blocks - r) {
                ROWS(1, CHAINS)
                ROWS(2, 1)
                ROWS(3, 1)
                ROWS(4, 1)
                ROWS(5, 1)
                ROWS(6, 1)
            }
        }
    }
}
