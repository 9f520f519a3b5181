/* FP8 codes times block scales to float32, in one pass. `fused.py` says when and why.

   The value of a code is exact, and no subnormal number: the product is the only rounding, and the
   only place where flags that flush subnormal numbers could matter. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

typedef union {
    uint32_t bits;
    float value;
} Word;

typedef struct {
    const uint8_t *codes; /* [rows, columns] */
    const float *scales;  /* [rows of blocks, groups] */
    float *out;           /* [rows, columns] */
    float *wide;          /* [columns]: the scale of each column, in one row of blocks */
    Py_ssize_t rows, columns, block_rows, block_columns, groups, first_row;
    int mantissa_bits;
} Product;

/* Codes of a sign, `7 - mantissa` bits of exponent, and a mantissa. From `special` on they are
   infinite or NaN. Masks, and no branch, let a compiler do many at a time. */
INLINE void multiply_row(const uint8_t *codes, const float *scales, float *out, Py_ssize_t columns,
                         int mantissa, uint32_t special)
{
    const uint32_t bias = (1u << (6 - mantissa)) - 1;
    const Word smallest = {.bits = (128 - bias - mantissa) << 23};
    for (Py_ssize_t i = 0; i < columns; i++) {
        const uint32_t code = codes[i], magnitude = code & 0x7f;
        const uint32_t is_subnormal = 0u - (magnitude < (1u << mantissa));
        const uint32_t is_special = 0u - (magnitude >= special);
        const Word subnormal = {.value = (float)(int32_t)magnitude * smallest.value};
        Word word = {.bits = (magnitude << (23 - mantissa)) + ((127 - bias) << 23)};
        word.bits = (word.bits & ~is_subnormal) | (subnormal.bits & is_subnormal);
        word.bits |= (is_special & 0x7f800000) | ((code & 0x80) << 24);
        out[i] = word.value * scales[i];
    }
}

INLINE void repeat_scales(const Product *p, Py_ssize_t block_row)
{
    const float *scales = p->scales + block_row * p->groups;
    Py_ssize_t column = 0;
    for (Py_ssize_t group = 0; group < p->groups; group++) {
        const Py_ssize_t left = p->columns - column;
        const Py_ssize_t stop = column + (left < p->block_columns ? left : p->block_columns);
        const float scale = scales[group];
        for (; column < stop; column++)
            p->wide[column] = scale;
    }
}

INLINE void multiply_rows(const Product *p, int mantissa, uint32_t special)
{
    Py_ssize_t repeated = -1;
    for (Py_ssize_t row = 0; row < p->rows; row++) {
        const Py_ssize_t block_row = (p->first_row + row) / p->block_rows;
        if (block_row != repeated)
            repeat_scales(p, repeated = block_row);
        multiply_row(p->codes + row * p->columns, p->wide, p->out + row * p->columns, p->columns,
                     mantissa, special);
    }
}

INLINE void multiply_all(const Product *p)
{
    if (p->mantissa_bits == 3)
        multiply_rows(p, 3, 0x7f); /* E4M3: no infinity, one NaN of each sign */
    else
        multiply_rows(p, 2, 0x7c); /* E5M2, as IEEE 754 would have it */
}

static void multiply_portable(const Product *p) { multiply_all(p); }

#if defined(__GNUC__) && defined(__x86_64__)
__attribute__((target("avx2"))) static void multiply_avx2(const Product *p) { multiply_all(p); }

__attribute__((target("avx512f,avx512bw,avx512vl")))
static void multiply_avx512(const Product *p) { multiply_all(p); }

static void multiply_here(const Product *p)
{
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        multiply_avx512(p);
    else if (__builtin_cpu_supports("avx2"))
        multiply_avx2(p);
    else
        multiply_portable(p);
}
#else
static void multiply_here(const Product *p) { multiply_portable(p); }
#endif

/* What does not fit, or NULL. Fills in the counts that the sizes of the buffers settle. */
static const char *misfit(Product *p, Py_ssize_t codes, Py_ssize_t scale_bytes,
                          Py_ssize_t out_bytes)
{
    const Py_ssize_t size = sizeof(float);
    if (p->mantissa_bits != 2 && p->mantissa_bits != 3)
        return "codes have 2 or 3 bits of mantissa";
    if (p->columns < 1 || p->block_rows < 1 || p->block_columns < 1 || p->first_row < 0)
        return "columns and blocks are positive, first_row is not negative";
    if ((uintptr_t)p->scales % size || (uintptr_t)p->out % size)
        return "floats are not aligned";
    if (codes % p->columns)
        return "codes are not a whole number of rows";
    if (out_bytes % size || out_bytes / size != codes)
        return "out has another size than the codes";
    p->rows = codes / p->columns;
    p->groups = (p->columns - 1) / p->block_columns + 1;
    if (p->first_row > PY_SSIZE_T_MAX - p->rows)
        return "first_row is too large";
    if (p->rows && (p->first_row + p->rows - 1) / p->block_rows >= scale_bytes / size / p->groups)
        return "scales do not cover the codes";
    return NULL;
}

static PyObject *multiply(PyObject *module, PyObject *arguments)
{
    Py_buffer codes, scales, out;
    Product p = {0};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*w*nnnni:multiply", &codes, &scales, &out, &p.columns,
                          &p.block_rows, &p.block_columns, &p.first_row, &p.mantissa_bits))
        return NULL;
    p.codes = codes.buf;
    p.scales = scales.buf;
    p.out = out.buf;
    const char *problem = misfit(&p, codes.len, scales.len, out.len);
    if (problem != NULL)
        PyErr_SetString(PyExc_ValueError, problem);
    else if ((p.wide = PyMem_Malloc(p.rows ? p.columns * sizeof(float) : 0)) == NULL)
        PyErr_NoMemory();
    else {
        Py_BEGIN_ALLOW_THREADS
        multiply_here(&p);
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(p.wide);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&scales);
    PyBuffer_Release(&out);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"multiply", multiply, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_fused", .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__fused(void) { return PyModuleDef_Init(&definition); }
