/* What a decoder computes while it writes: products, norms, gates and attention, in float32; see kernels.py.
 *
 * For GCC and Clang on little-endian computers. Arrays are contiguous unless a distance is given, in numbers.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 8
#define AHEAD 4096 /* bytes: far enough for memory to answer in time */

#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

INLINE floats load(const float *x) {
    floats values;
    memcpy(&values, x, sizeof values);
    return values;
}

/* By halves: a sum of 8 in 3 additions, not 8 that wait for each other. */
INLINE float total(floats sums) {
    for (int apart = LANES / 2; apart; apart /= 2)
        for (int i = 0; i < apart; i++)
            sums[i] += sums[i + apart];
    return sums[0];
}

/* --- products -------------------------------------------------------------------------------------------------------
 *
 * A matrix (out, in) lies in panels of WIDTH of its rows. For each number of `in` a panel has words of 32 bits: in
 * bfloat16 twice LANES words, whose lower halves are a part of its rows and whose upper halves are the next; in int8
 * LANES words, whose lowest bytes are the first part of its rows, and so on, and each row of the matrix has a scale.
 */

#define PARTS 4
#define WIDTH (PARTS * LANES)
#ifdef __AVX512VL__ /* 32 registers, most of which hold sums */
#define BLOCK 6     /* rows of x for which a number is widened once */
#else
#define BLOCK 3
#endif
#define CHAINS 2 /* for a row alone, so that there are as many sums as can be added to at once */

/* A bfloat16 is the upper half of a float32. */
INLINE void widen_bfloat16(const char *panel, floats *wide) {
    for (int pair = 0; pair < PARTS / 2; pair++) {
        words stored;
        memcpy(&stored, panel + pair * sizeof stored, sizeof stored);
        wide[2 * pair] = (floats)(stored << 16);
        wide[2 * pair + 1] = (floats)(stored & 0xffff0000u);
    }
}

INLINE void widen_int8(const char *panel, floats *wide) {
    words stored;
    memcpy(&stored, panel, sizeof stored);
    for (int part = 0; part < PARTS; part++)
        wide[part] = __builtin_convertvector((ints)(stored << (24 - 8 * part)) >> 24, floats);
}

/* multiply_panel: one panel of a KIND of numbers, in BYTES, with `rows` of x, a constant.
 *
 * multiply: y (rows, out) = start + x (rows, in) times the transposed matrix; `start` may be NULL, its rows are `step`
 * apart; `in` is a multiple of CHAINS, `out` of WIDTH.
 */
#define DEFINE(KIND, BYTES)                                                                                           \
    INLINE void panel_##KIND(const char *w, const float *scales, const float *x, int64_t in, int rows, int chains,    \
                             const float *start, int64_t step, float *y, int64_t out) {                               \
        floats sums[BLOCK][PARTS] = {0}, more[PARTS] = {0}, wide[PARTS];                                              \
        for (int64_t i = 0; i < in; i += chains) {                                                                    \
            __builtin_prefetch(w + AHEAD);                                                                            \
            widen_##KIND(w, wide);                                                                                    \
            w += BYTES * WIDTH;                                                                                       \
            for (int r = 0; r < rows; r++)                                                                            \
                for (int part = 0; part < PARTS; part++)                                                              \
                    sums[r][part] += x[r * in + i] * wide[part];                                                      \
            if (chains == 2) {                                                                                        \
                widen_##KIND(w, wide);                                                                                \
                __builtin_prefetch(w + AHEAD);                                                                        \
                w += BYTES * WIDTH;                                                                                   \
                for (int part = 0; part < PARTS; part++)                                                              \
                    more[part] += x[i + 1] * wide[part];                                                              \
            }                                                                                                         \
        }                                                                                                             \
        for (int r = 0; r < rows; r++)                                                                                \
            for (int part = 0; part < PARTS; part++) {                                                                \
                if (chains == 2)                                                                                      \
                    sums[r][part] += more[part];                                                                      \
                if (scales)                                                                                           \
                    sums[r][part] *= load(scales + part * LANES);                                                     \
                if (start)                                                                                            \
                    sums[r][part] += load(start + r * step + part * LANES);                                           \
                memcpy(y + r * out + part * LANES, &sums[r][part], sizeof(floats));                                   \
            }                                                                                                         \
    }                                                                                                                 \
    void multiply_##KIND(const char *w, const float *scales, const float *x, const float *start, int64_t step,        \
                         float *y, int64_t rows, int64_t in, int64_t out, int threads) {                              \
        int64_t blocks = (rows + BLOCK - 1) / BLOCK;                                                                  \
        _Pragma("omp parallel for num_threads(threads) schedule(static)")                                             \
        for (int64_t column = 0; column < out; column += WIDTH) {                                                     \
            const char *panel = w + column * in * BYTES;                                                              \
            const float *scale = scales ? scales + column : 0;                                                        \
            for (int64_t b = 0; b < blocks; b++) { /* of nearly the same size */                                      \
                int64_t r = b * rows / blocks;                                                                        \
                const float *begin = start ? start + r * step + column : 0, *row = x + r * in;                        \
                float *to = y + r * out + column;                                                                     \
                switch ((b + 1) * rows / blocks - r) {                                                                \
                case 1: panel_##KIND(panel, scale, row, in, 1, CHAINS, begin, step, to, out); break;                  \
                case 2: panel_##KIND(panel, scale, row, in, 2, 1, begin, step, to, out); break;                       \
                case 3: panel_##KIND(panel, scale, row, in, 3, 1, begin, step, to, out); break;                       \
                CASES_4_TO_6(KIND)                                                                                    \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
    }

#if BLOCK == 6
#define CASES_4_TO_6(KIND)                                                                                            \
    case 4: panel_##KIND(panel, scale, row, in, 4, 1, begin, step, to, out); break;                                   \
    case 5: panel_##KIND(panel, scale, row, in, 5, 1, begin, step, to, out); break;                                   \
    case 6: panel_##KIND(panel, scale, row, in, 6, 1, begin, step, to, out); break;
#else
#define CASES_4_TO_6(KIND)
#endif

DEFINE(bfloat16, 2)
DEFINE(int8, 1)

/* Panels of a matrix (out, in), and the way back. `out` is a multiple of WIDTH. */
void lay_bfloat16(uint16_t *matrix, uint16_t *panels, int64_t out, int64_t in, int back, int threads) {
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t panel = 0; panel < out / WIDTH; panel++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t row = 0; row < WIDTH; row++) {
                int64_t pair = row / (2 * LANES), half = row / LANES % 2;
                uint16_t *plain = matrix + (panel * WIDTH + row) * in + i;
                uint16_t *laid = panels + (panel * in + i) * WIDTH + (pair * LANES + row % LANES) * 2 + half;
                if (back)
                    *plain = *laid;
                else
                    *laid = *plain;
            }
}

void lay_int8(const int8_t *matrix, int8_t *panels, int64_t out, int64_t in, int threads) {
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t panel = 0; panel < out / WIDTH; panel++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t row = 0; row < WIDTH; row++) {
                int64_t place = row % LANES * PARTS + row / LANES;
                panels[(panel * in + i) * WIDTH + place] = matrix[(panel * WIDTH + row) * in + i];
            }
}

/* --- norms and gates --------------------------------------------------------------------------------------------- */

/* y (rows, size) = x over the root of its mean square, times weight (size). `size` is a multiple of LANES. */
void rms_norm(const float *x, const float *weight, float epsilon, float *y, int64_t rows, int64_t size) {
    for (int64_t r = 0; r < rows; r++, x += size, y += size) {
        floats squares = {0};
        for (int64_t i = 0; i < size; i += LANES)
            squares += load(x + i) * load(x + i);
        float scale = 1 / sqrtf(total(squares) / size + epsilon);
        for (int64_t i = 0; i < size; i += LANES) {
            floats values = load(x + i) * scale * load(weight + i);
            memcpy(y + i, &values, sizeof values);
        }
    }
}

/* e^x: the power of two next to it, times the polynomial of what is left (Taylor, to 1e-7); 0 below -87. */
INLINE floats exponential(floats x) {
    floats lowest = (floats){0} - 87, highest = (floats){0} + 88;
    x = (floats)(((ints)x & (x > lowest)) | ((ints)lowest & (x <= lowest)));
    x = (floats)(((ints)x & (x < highest)) | ((ints)highest & (x >= highest)));
    floats twos = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: what is added is rounded to a whole number */
    ints whole = (ints)twos - 0x4b400000;
    twos -= 12582912.0f;
    floats rest = x - twos * 0.693359375f + twos * 2.12194440e-4f; /* ln 2 in two parts */
    floats power = rest * (1 / 5040.0f) + 1 / 720.0f;
    power = power * rest + 1 / 120.0f;
    power = power * rest + 1 / 24.0f;
    power = power * rest + 1 / 6.0f;
    power = power * rest + 0.5f;
    power = power * rest + 1;
    power = power * rest + 1;
    return power * (floats)((whole + 127) << 23);
}

/* y (rows, size) = silu(gate) * up from x (rows, gate and up). `size` is a multiple of LANES. */
void swiglu(const float *x, float *y, int64_t rows, int64_t size) {
    for (int64_t r = 0; r < rows; r++, x += 2 * size, y += size)
        for (int64_t i = 0; i < size; i += LANES) {
            floats gate = load(x + i), values = gate / (1 + exponential(-gate)) * load(x + size + i);
            memcpy(y + i, &values, sizeof values);
        }
}

/* --- attention ------------------------------------------------------------------------------------------------------
 *
 * A text is a prefix, which it may share with others, and what came after. Keys and values of the prefixes are (parts,
 * heads, before, size) and those of the texts (rows, heads, after, size); heads lie a distance apart.
 */

/* Scores of a query with `count` keys; returns the largest, or `highest`. */
INLINE float score(const float *q, const float *keys, int64_t count, int64_t size, float *scores, float highest) {
    for (int64_t k = 0; k < count; k++, keys += size) {
        floats sums[2] = {0};
        for (int64_t i = 0; i < size; i += 2 * LANES) {
            __builtin_prefetch((const char *)(keys + i) + AHEAD);
            sums[0] += load(q + i) * load(keys + i);
            sums[1] += load(q + i + LANES) * load(keys + i + LANES);
        }
        scores[k] = total(sums[0] + sums[1]);
        highest = scores[k] > highest ? scores[k] : highest;
    }
    return highest;
}

/* Add values (count, size), weighted, to y: `width` numbers at a time, a constant. */
INLINE void mix(const float *weights, const float *values, int64_t count, int64_t size, int width, float *y) {
    for (int64_t i = 0; i < size; i += width) {
        floats sums[8];
        for (int j = 0; j < width / LANES; j++)
            sums[j] = load(y + i + j * LANES);
        for (int64_t k = 0; k < count; k++)
            for (int j = 0; j < width / LANES; j++) {
                if (j % 2 == 0)
                    __builtin_prefetch((const char *)(values + k * size + i + j * LANES) + AHEAD);
                sums[j] += weights[k] * load(values + k * size + i + j * LANES);
            }
        memcpy(y + i, sums, 4 * width);
    }
}

/* y of one query (size). `scores` has room for before + after + LANES numbers. */
INLINE void attend_one(const float *q, const float *old_keys, const float *old_values, int64_t before,
                       const float *keys, const float *values, int64_t after, int64_t size, int width, float *scores,
                       float *y) {
    float highest = score(q, old_keys, before, size, scores, -INFINITY);
    highest = score(q, keys, after, size, scores + before, highest);
    int64_t length = before + after;
    for (int i = 0; i < LANES; i++)
        scores[length + i] = -INFINITY;
    floats sums = {0};
    for (int64_t k = 0; k < length; k += LANES) {
        floats weights = exponential(load(scores + k) - highest);
        memcpy(scores + k, &weights, sizeof weights);
        sums += weights;
    }
    memset(y, 0, size * sizeof *y);
    mix(scores, old_values, before, size, width, y);
    mix(scores + before, values, after, size, width, y);
    float scale = 1 / total(sums);
    for (int64_t i = 0; i < size; i++)
        y[i] *= scale;
}

/* Queries and y are (rows, heads, count * shared, size): `shared` queries at each of the last `count` positions, which
 * do not see those after them. Text `order[i]` has prefix p for firsts[p] <= i < firsts[p + 1]: texts of a prefix come
 * behind each other, so that it is read from memory once. `size` is a multiple of 2 * LANES.
 */
void attend(const float *q, float *y, int64_t heads, int64_t count, int64_t shared, int64_t size, const int64_t *order,
            const int64_t *firsts, int64_t parts, const float *old_keys, const float *old_values, int64_t old_distance,
            int64_t before, const float *keys, const float *values, int64_t distance, int64_t after, float *scratch,
            int threads) {
    int64_t room = before + after + LANES;
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t job = 0; job < parts * heads; job++) {
        float *scores = scratch + job * room;
        int64_t part = job / heads, head = job % heads, old = job * old_distance;
        for (int64_t i = firsts[part]; i < firsts[part + 1]; i++) {
            int64_t row = order[i] * heads + head, own = row * distance;
            for (int64_t n = 0; n < count * shared; n++) {
                int64_t at = (row * count * shared + n) * size, seen = after - count + 1 + n / shared;
                if (size == 64) /* known when this is compiled: the sums of a whole head stay in registers */
                    attend_one(q + at, old_keys + old, old_values + old, before, keys + own, values + own, seen, 64,
                               64, scores, y + at);
                else
                    attend_one(q + at, old_keys + old, old_values + old, before, keys + own, values + own, seen, size,
                               2 * LANES, scores, y + at);
            }
        }
    }
}
