/* Operations of decoding: products, norms, gates and attention, in float32; see kernels.py.
 *
 * For GCC and Clang on little-endian computers. Arrays are contiguous unless a distance is given, in numbers.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8
#endif
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

int lanes(void) {
    return LANES;
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
#define BLOCK 6  /* rows of x for which a number is widened once */
#define CHAINS 2 /* for a row alone, so that there are as many sums as can be added to at once */
#ifdef __AVX512F__
#define AT_ONCE 4 /* parts for which a block's sums fit into the registers, 32 of them */
#else
#define AT_ONCE 2 /* 16 */
#endif

/* A part of the rows of a panel, as float32. */
typedef floats Widen(const char *numbers, int part);

INLINE floats widen_float32(const char *numbers, int part) {
    return load((const float *)numbers + part * LANES);
}

/* A bfloat16 is the upper half of a float32. */
INLINE floats widen_bfloat16(const char *numbers, int part) {
    words stored;
    memcpy(&stored, numbers + part / 2 * sizeof stored, sizeof stored);
    return (floats)(part % 2 ? stored & 0xffff0000u : stored << 16);
}

/* A byte of every word, moved to its top, the rest 0. x86 does that in one instruction, which compilers do not find. */
INLINE words top_byte(words stored, int part) {
#ifdef __AVX2__
    __m128i zero = _mm_setr_epi32(0x00808080, 0x04808080, 0x08808080, 0x0c808080);
    __m128i from = _mm_add_epi32(zero, _mm_set1_epi32(part << 24));
#endif
#if LANES == 16 && defined __AVX512BW__
    return (words)_mm512_shuffle_epi8((__m512i)stored, _mm512_broadcast_i32x4(from));
#elif LANES == 8 && defined __AVX2__
    return (words)_mm256_shuffle_epi8((__m256i)stored, _mm256_broadcastsi128_si256(from));
#else
    return stored << (24 - 8 * part) & 0xff000000u;
#endif
}

/* 2^24 times the numbers: scales are that much smaller. */
INLINE floats widen_int8(const char *numbers, int part) {
    words stored;
    memcpy(&stored, numbers, sizeof stored);
    return __builtin_convertvector((ints)top_byte(stored, part), floats);
}

/* y (rows, WIDTH) = start + x (rows, in) times WIDTH columns, for each number of `in` `next` bytes further. Rows of x,
 * start and y lie apart as said; `widen`, `rows` and `chains` are constants, `in` is a multiple of `chains`; scales and
 * start may be NULL.
 */
INLINE void panel(Widen widen, const char *w, int64_t next, const float *scales, const float *x, int64_t x_apart,
                  int64_t in, int rows, int chains, const float *start, int64_t start_apart, float *y,
                  int64_t y_apart) {
    int parts = rows > 2 ? AT_ONCE : PARTS;
    for (int first = 0; first < PARTS; first += parts) {
        floats sums[BLOCK][PARTS] = {0}, more[PARTS] = {0};
        const char *from = w;
        for (int64_t i = 0; i < in; i += chains) {
            floats wide[PARTS];
            __builtin_prefetch(from + AHEAD);
            for (int part = 0; part < parts; part++)
                wide[part] = widen(from, first + part);
            for (int r = 0; r < rows; r++)
                for (int part = 0; part < parts; part++)
                    sums[r][part] += x[r * x_apart + i] * wide[part];
            from += next;
            if (chains == 2) {
                __builtin_prefetch(from + AHEAD);
                for (int part = 0; part < parts; part++)
                    more[part] += x[i + 1] * widen(from, first + part);
                from += next;
            }
        }
        for (int r = 0; r < rows; r++)
            for (int part = 0; part < parts; part++) {
                int64_t at = (first + part) * LANES;
                if (chains == 2)
                    sums[r][part] += more[part];
                if (scales)
                    sums[r][part] *= load(scales + at);
                if (start)
                    sums[r][part] += load(start + r * start_apart + at);
                memcpy(y + r * y_apart + at, &sums[r][part], sizeof(floats));
            }
    }
}

/* The same for 1 to BLOCK rows; a row alone has so many chains. */
INLINE void block(Widen widen, const char *w, int64_t next, const float *scales, const float *x, int64_t x_apart,
                  int64_t in, int64_t rows, int chains, const float *start, int64_t start_apart, float *y,
                  int64_t y_apart) {
#define CASE(COUNT, CHAINS_OF_IT)                                                                                     \
    case COUNT:                                                                                                       \
        panel(widen, w, next, scales, x, x_apart, in, COUNT, CHAINS_OF_IT, start, start_apart, y, y_apart);           \
        break;
    switch (rows) {
        CASE(1, chains)
        CASE(2, 1)
        CASE(3, 1)
        CASE(4, 1)
        CASE(5, 1)
        CASE(6, 1)
    }
#undef CASE
}

/* Where the b-th of so many blocks of nearly the same size begins. */
INLINE int64_t begin(int64_t b, int64_t rows) {
    return b * rows / ((rows + BLOCK - 1) / BLOCK);
}

/* One panel of a matrix times all rows of x. */
INLINE void column(Widen widen, int64_t bytes, const char *w, const float *scales, const float *x, const float *start,
                   int64_t start_apart, float *y, int64_t rows, int64_t in, int64_t out) {
    for (int64_t b = 0, r = 0; r < rows; r = begin(++b, rows))
        block(widen, w, bytes * WIDTH, scales, x + r * in, in, in, begin(b + 1, rows) - r, CHAINS,
              start ? start + r * start_apart : 0, start_apart, y + r * out, out);
}

/* y (rows, out) = start + x (rows, in) times the transposed matrix; `in` is a multiple of CHAINS, `out` of WIDTH. */
void multiply_bfloat16(const char *w, const float *scales, const float *x, const float *start, int64_t start_apart,
                       float *y, int64_t rows, int64_t in, int64_t out, int threads) {
    (void)scales;
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t to = 0; to < out; to += WIDTH)
        column(widen_bfloat16, 2, w + 2 * to * in, 0, x, start ? start + to : 0, start_apart, y + to, rows, in, out);
}

void multiply_int8(const char *w, const float *scales, const float *x, const float *start, int64_t start_apart,
                   float *y, int64_t rows, int64_t in, int64_t out, int threads) {
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t to = 0; to < out; to += WIDTH)
        column(widen_int8, 1, w + to * in, scales + to, x, start ? start + to : 0, start_apart, y + to, rows, in, out);
}

/* Panels of a matrix (out, in), and the way back; `out` is a multiple of WIDTH. A row gives TILE numbers at a time, so
 * that what is read and what is written stay in the cache.
 */
#define TILE 32

void pack_bfloat16(uint16_t *matrix, uint16_t *panels, int64_t out, int64_t in, int back, int threads) {
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t panel = 0; panel < out / WIDTH; panel++)
        for (int64_t tile = 0; tile < in; tile += TILE)
            for (int64_t row = 0; row < WIDTH; row++) {
                int64_t pair = row / (2 * LANES), half = row / LANES % 2, end = tile + TILE < in ? tile + TILE : in;
                uint16_t *plain = matrix + (panel * WIDTH + row) * in;
                uint16_t *packed = panels + panel * in * WIDTH + (pair * LANES + row % LANES) * 2 + half;
                for (int64_t i = tile; i < end; i++)
                    if (back)
                        plain[i] = packed[i * WIDTH];
                    else
                        packed[i * WIDTH] = plain[i];
            }
}

void pack_int8(const int8_t *matrix, int8_t *panels, int64_t out, int64_t in, int threads) {
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t panel = 0; panel < out / WIDTH; panel++)
        for (int64_t tile = 0; tile < in; tile += TILE)
            for (int64_t row = 0; row < WIDTH; row++) {
                const int8_t *plain = matrix + (panel * WIDTH + row) * in;
                int8_t *packed = panels + panel * in * WIDTH + row % LANES * PARTS + row / LANES;
                int64_t end = tile + TILE < in ? tile + TILE : in;
                for (int64_t i = tile; i < end; i++)
                    packed[i * WIDTH] = plain[i];
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
 * A sequence is a prefix, which batch rows may share, and the positions after it in a block of its own. Keys and values
 * of the prefixes are (prefixes, heads, before, size), those of the blocks (blocks, heads, after, size); heads are a
 * distance apart. Where rows share prefixes, `columns` is not 0 and the prefixes' keys are transposed, (prefixes,
 * heads, size, columns): scores of many queries are then products like those above. `size` is a multiple of WIDTH.
 */
typedef struct {
    const float *keys, *values;
    int64_t count;
} Memory;

/* Store keys, and values, which are `between` numbers after them in rows (rows, count, heads, size), in KV blocks:
 * batch row r in blocks[r], after its first `used` positions.
 */
void store_keys_values(const float *rows_of, int64_t row_apart, int64_t position_apart, int64_t between, float *keys,
              float *values, int64_t distance, const int64_t *blocks, int64_t rows, int64_t heads, int64_t count,
              int64_t used, int64_t size) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t head = 0; head < heads; head++)
            for (int64_t n = 0; n < count; n++) {
                const float *from = rows_of + r * row_apart + n * position_apart + head * size;
                int64_t to = (blocks[r] * heads + head) * distance + (used + n) * size;
                memcpy(keys + to, from, size * sizeof *keys);
                memcpy(values + to, from + between, size * sizeof *values);
            }
}

/* Scores of a query with `count` keys. */
INLINE void score(const float *q, const float *keys, int64_t count, int64_t size, float *scores) {
    for (int64_t k = 0; k < count; k++, keys += size) {
        floats sums[2] = {0};
        for (int64_t i = 0; i < size; i += 2 * LANES) {
            __builtin_prefetch((const char *)(keys + i) + AHEAD);
            sums[0] += load(q + i) * load(keys + i);
            sums[1] += load(q + i + LANES) * load(keys + i + LANES);
        }
        scores[k] = total(sums[0] + sums[1]);
    }
}

INLINE floats larger(floats a, floats b) {
    ints above = a > b;
    return (floats)(((ints)a & above) | ((ints)b & ~above));
}

/* Make weights of `length` scores, not yet divided by their sum, which is returned; there is room for LANES more. */
INLINE float weigh(float *scores, int64_t length) {
    for (int i = 0; i < LANES; i++)
        scores[length + i] = -INFINITY;
    floats highest = load(scores), sums = {0};
    for (int64_t k = LANES; k < length; k += LANES)
        highest = larger(highest, load(scores + k));
    for (int i = 1; i < LANES; i++)
        highest[0] = highest[i] > highest[0] ? highest[i] : highest[0];
    for (int64_t k = 0; k < length; k += LANES) {
        floats weights = exponential(load(scores + k) - highest[0]);
        memcpy(scores + k, &weights, sizeof weights);
        sums += weights;
    }
    return total(sums);
}

/* Add values (count, size), weighted, to y. */
INLINE void mix(const float *weights, const float *values, int64_t count, int64_t size, float *y) {
    for (int64_t i = 0; i < size; i += WIDTH) {
        floats sums[PARTS];
        for (int part = 0; part < PARTS; part++)
            sums[part] = load(y + i + part * LANES);
        for (int64_t k = 0; k < count; k++)
            for (int part = 0; part < PARTS; part++) {
                if (part % 2 == 0)
                    __builtin_prefetch((const char *)(values + k * size + i + part * LANES) + AHEAD);
                sums[part] += weights[k] * load(values + k * size + i + part * LANES);
            }
        memcpy(y + i, sums, sizeof sums);
    }
}

/* y of 1 to BLOCK queries (size), each behind the same prefix with memories of its own. */
INLINE void attend_block(const float *const *q, float *const *y, int64_t rows, int64_t size, Memory prefix,
                         int64_t columns, const Memory *own) {
    int64_t length = prefix.count, most = 0;
    for (int64_t r = 0; r < rows; r++)
        most = own[r].count > most ? own[r].count : most;
    int64_t room = (columns > length + most ? columns : length + most) + LANES;
    float queries[BLOCK * size], mixed[BLOCK * size], scores[BLOCK * room], sums[BLOCK];
    for (int64_t r = 0; r < rows; r++)
        memcpy(queries + r * size, q[r], size * sizeof *queries);
    for (int64_t k = 0; k < columns; k += WIDTH) /* those without a key are written over, or not read */
        block(widen_float32, (const char *)(prefix.keys + k), 4 * columns, 0, queries, size, size, rows, CHAINS, 0, 0,
              scores + k, room);
    for (int64_t r = 0; r < rows; r++) {
        if (!columns)
            score(q[r], prefix.keys, length, size, scores + r * room);
        score(q[r], own[r].keys, own[r].count, size, scores + r * room + length);
        sums[r] = weigh(scores + r * room, length + own[r].count);
    }
    for (int64_t i = 0; i < size; i += WIDTH)
        block(widen_float32, (const char *)(prefix.values + i), 4 * size, 0, scores, room, length, rows, 1, 0, 0,
              mixed + i, size);
    for (int64_t r = 0; r < rows; r++) {
        mix(scores + r * room + length, own[r].values, own[r].count, size, mixed + r * size);
        for (int64_t i = 0; i < size; i++)
            y[r][i] = mixed[r * size + i] / sums[r];
    }
}

/* Queries and y are (rows, heads, count * shared, size): `shared` queries at each of the last `count` positions, which
 * do not see those after them. Batch row `order[i]` has prefix p for firsts[p] <= i < firsts[p + 1]: rows of a prefix
 * are consecutive, so that it is read from memory once. Row r is kept in block blocks[r].
 */
void attend(const float *q, float *y, int64_t heads, int64_t count, int64_t shared, int64_t size, const int64_t *order,
            const int64_t *firsts, int64_t prefixes, const float *old_keys, const float *old_values,
            int64_t old_distance, int64_t before, int64_t columns, const float *keys, const float *values,
            int64_t distance, int64_t after, const int64_t *blocks, int threads) {
    int64_t each = count * shared; /* queries of a batch row and a head */
    _Pragma("omp parallel for num_threads(threads) schedule(static)")
    for (int64_t job = 0; job < prefixes * heads; job++) {
        int64_t part = job / heads, head = job % heads, last = firsts[part + 1] * each;
        const float *first_key = old_keys + job * (columns ? size * columns : old_distance);
        Memory prefix = {first_key, old_values + job * old_distance, before}, own[BLOCK];
        for (int64_t start = firsts[part] * each; start < last; start += BLOCK) {
            int64_t rows = last - start < BLOCK ? last - start : BLOCK;
            const float *from[BLOCK];
            float *to[BLOCK];
            for (int64_t r = 0; r < rows; r++) {
                int64_t row = order[(start + r) / each], n = (start + r) % each;
                int64_t query = ((row * heads + head) * each + n) * size, at = (blocks[row] * heads + head) * distance;
                from[r] = q + query;
                to[r] = y + query;
                own[r] = (Memory){keys + at, values + at, after - count + 1 + n / shared};
            }
            attend_block(from, to, rows, size, prefix, columns, own);
        }
    }
}
