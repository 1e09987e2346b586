/* What gather.c, pack.c, jpeg/scan.c and jpeg/bands.c give the module. */

PyObject *png_gather(PyObject *self, PyObject *args);
extern const char png_gather_doc[];
void png_make_tables(void);

PyObject *png_pack(PyObject *self, PyObject *args);
extern const char png_pack_doc[];

PyObject *jpeg_scan(PyObject *self, PyObject *args);
extern const char jpeg_scan_doc[];

PyObject *jpeg_band(PyObject *self, PyObject *args);
extern const char jpeg_band_doc[];
