/* What png_gather.c gives the module. */

PyObject *png_gather(PyObject *self, PyObject *args);
extern const char png_gather_doc[];
void png_make_tables(void);
