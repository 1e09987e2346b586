#!/bin/sh
# Run the tests of the compiled loops (engine, tensors, PNG rows, JPEG scans) under AddressSanitizer and UBSan.
#   tools/sanitize.sh [python]        needs GCC with libasan and libubsan
set -eu
python=${1:-python3}
here=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "$python")
case $python in /*) ;; *) python=$PWD/$python ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/convcli" "$here/tests" "$here/tools" "$here/samples" "$here/setup.py" "$here/pyproject.toml" "$work"
rm -f "$work"/convcli/*.so
[ -f "$here/README.md" ] && cp "$here/README.md" "$here/LICENSE" "$here/MANIFEST.in" "$work" 2>/dev/null || true
cd "$work"
CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer" \
LDFLAGS="-fsanitize=address,undefined" "$python" setup.py -q build_ext --inplace
ls convcli/_loops*.so
"$python" -c 'import convcli, os; assert convcli.__file__.startswith(os.getcwd()), convcli.__file__'
# Python itself does not free everything at exit: leaks are not looked for.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 CONVCLI_LOOPS=compiled \
    "$python" -m pytest tests/imaging/test_png.py tests/imaging/test_png_readers.py \
    tests/imaging/test_png_rows.py tests/imaging/test_png_packing.py tests/imaging/test_flowing.py \
    tests/imaging/test_ahead.py tests/imaging/test_jpeg_check.py tests/imaging/test_jpeg_bands.py \
    tests/imaging/test_jpeg_flow.py tests/ops/test_compiled.py tests/ops/test_compiled_gradient.py \
    tests/ops/test_stride_phases.py tests/ops/test_algorithms.py tests/ops/test_conv_random.py tests/engine --ignore=tests/engine/gpu \
    -q -x -n auto -p no:cacheprovider
