/* The gradient for the weights as Python calls it: operands checked. Included by tensors.c. */

PyDoc_STRVAR(gradient_doc,
"gradient(numbers, x, grad, out, piece, pieces)\n"
"Sums over all windows of x (N, C, *size) times grad (N, C', *outputs), float32 or float64, into\n"
"out (C', C/groups, *kernel), contiguous: share `piece` of `pieces`, which may run at the same time.\n"
"`numbers` are int64: groups, then stride, dilation and start (minus the padding) on each axis.");

/* The job that numbers and arrays say; 0 if they do not go together. Whatever the caller got wrong
 * must not become a read or a write somewhere else. */
static int understood_gradient(Gradient *g, const Py_buffer *numbers, const Py_buffer *x,
                               const Py_buffer *grad, const Py_buffer *out)
{
    const int rank = x->ndim - 2;
    const long size = (long)x->itemsize;
    int64_t n[10], taps = 1, weight_taps, cells = 1;
    if (rank < 1 || rank > 3 || grad->ndim != x->ndim || out->ndim != x->ndim ||
        (size != 4 && size != 8) || grad->itemsize != size || out->itemsize != size ||
        numbers->len != (1 + 3 * rank) * 8)
        return 0;
    memcpy(n, numbers->buf, (size_t)numbers->len);
    for (int i = 0; i < rank + 2; i++)
        if (x->shape[i] < 1 || grad->shape[i] < 1 || out->shape[i] < 1 || x->shape[i] > FAR ||
            grad->shape[i] > FAR || x->strides[i] % size || grad->strides[i] % size)
            return 0;
    g->groups = (long)n[0], g->batch = (long)x->shape[0];
    if (g->groups < 1 || x->shape[1] % g->groups || out->shape[0] % g->groups ||
        grad->shape[0] != x->shape[0] || grad->shape[1] != out->shape[0] ||
        out->shape[1] != x->shape[1] / g->groups)
        return 0;
    g->channels = (long)out->shape[1], g->per_group = (long)out->shape[0] / g->groups;
    for (int i = 0; i < 2; i++)
        g->step[i] = (long)(x->strides[i] / size), g->grad_step[i] = (long)(grad->strides[i] / size);
    for (int a = 0; a < 3; a++) {
        const int i = a - (3 - rank);
        g->size[a] = g->outputs[a] = g->kernel[a] = g->stride[a] = g->dilation[a] = g->reach[a] = 1;
        if (i < 0) continue;
        int64_t reach = 1, all = 0, most = 0;
        g->size[a] = (long)x->shape[i + 2], g->outputs[a] = (long)grad->shape[i + 2];
        g->kernel[a] = (long)out->shape[i + 2];
        g->step[a + 2] = (long)(x->strides[i + 2] / size);
        g->grad_step[a + 2] = (long)(grad->strides[i + 2] / size);
        const int64_t stride = n[1 + i], dilation = n[1 + rank + i], start = n[1 + 2 * rank + i];
        if (stride < 1 || stride > FAR || dilation < 1 || start < -FAR || start > FAR ||
            !add(&reach, g->kernel[a] - 1, dilation) || reach > FAR || !add(&all, taps, g->kernel[a]) ||
            !add(&most, 1, reach) || !add(&most, g->outputs[a] - 1, stride) || most > FAR)
            return 0;
        taps = all, all = 0;
        if (!add(&all, cells, most)) return 0;
        cells = all;
        g->stride[a] = (long)stride, g->dilation[a] = (long)dilation, g->start[a] = (long)start;
        g->reach[a] = (long)reach;
    }
    weight_taps = out->len / size / (out->shape[0] * out->shape[1]);
    g->x = x->buf, g->grad = grad->buf, g->out = out->buf;
    return weight_taps == taps && g->piece >= 0 && g->piece < g->pieces && g->pieces <= 4096;
}

static PyObject *gradient(PyObject *self, PyObject *args)
{
    PyObject *given[3], *result = NULL;
    Py_buffer numbers, x = {0}, grad = {0}, out = {0};
    Gradient g = {0};
    const Isa *isa = loops;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*OOOll:gradient", &numbers, &given[0], &given[1], &given[2],
                          &g.piece, &g.pieces))
        return NULL;
    if (PyObject_GetBuffer(given[0], &x, PyBUF_STRIDES) ||
        PyObject_GetBuffer(given[1], &grad, PyBUF_STRIDES) ||
        PyObject_GetBuffer(given[2], &out, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS))
        goto done;
    const int fits = understood_gradient(&g, &numbers, &x, &grad, &out);
    const long bytes = !fits ? -1 : x.itemsize == 4 ? isa->gradient_plan_f(&g) : isa->gradient_plan_d(&g);
    if (bytes < 0) {
        PyErr_SetString(PyExc_ValueError, "gradient: sizes do not go together");
        goto done;
    }
    int made = 0;
    Py_BEGIN_ALLOW_THREADS
    void *memory = malloc((size_t)bytes);
    if (memory) (x.itemsize == 4 ? isa->gradient_f : isa->gradient_d)(&g, memory), made = 1;
    free(memory);
    Py_END_ALLOW_THREADS
    if (made) {
        result = Py_None;
        Py_INCREF(result);
    } else
        PyErr_NoMemory();
done:
    PyBuffer_Release(&numbers);
    if (x.obj) PyBuffer_Release(&x);
    if (grad.obj) PyBuffer_Release(&grad);
    if (out.obj) PyBuffer_Release(&out);
    return result;
}
