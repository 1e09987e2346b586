/* Sizes that are products, none of which may wrap and be small. */

/* Whether a buffer is a * b * c items long. */
static int fits(Py_ssize_t bytes, int64_t a, int64_t b, int64_t c, long size)
{
    int64_t n;
    return a >= 1 && b >= 1 && c >= 1 && !__builtin_mul_overflow(a, b, &n) &&
           !__builtin_mul_overflow(n, c, &n) && !__builtin_mul_overflow(n, (int64_t)size, &n) &&
           n == bytes;
}

/* Memory for a * b * c bytes, or NULL. */
static void *piece(int64_t a, int64_t b, int64_t c)
{
    int64_t n;
    if (__builtin_mul_overflow(a, b, &n) || __builtin_mul_overflow(n, c, &n)) return NULL;
    return malloc((size_t)n);
}
