#!/bin/sh
# Build the extensions with every C compiler that is found, and compare what they compute with
# NumPy's loops; compile them, at least, for arm64.
#   tools/compilers.sh [python]
set -eu
python=${1:-python3}
here=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "$python")
case $python in /*) ;; *) python=$PWD/$python ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/convcli" "$here/tests" "$here/tools" "$here/samples" "$here/setup.py" "$here/pyproject.toml" \
    "$here/README.md" "$here/LICENSE" "$here/MANIFEST.in" "$work"
cd "$work"
rm -f convcli/*.so

usual=$(readlink -f "$(command -v cc)")
for number in "" -11 -12 -13 -14 -15 -16 -17 -18 -19 -20 -21; do
    for name in gcc clang; do
        compiler=$(command -v "$name$number") || continue
        # cc built what all other tests run, and a name without a number is another's.
        real=$(readlink -f "$compiler")
        case " ${seen:-$usual} " in *" $real "*) continue ;; esac
        seen="${seen:-$usual} $real"
        echo "+ $("$compiler" --version | head -n 1)"
        CC=$compiler "$python" setup.py -q build_ext --inplace
        "$python" - <<'END'
import os
from convcli.extensions import EXTENSIONS, extension
for name in EXTENSIONS:
    module, why = extension(name)
    assert module is not None, why
    assert module.__file__.startswith(os.getcwd()), module.__file__
    print(f"  {name}: {', '.join(module.isas())}")
END
        # What runs on a GPU is compiled by g++ in tests, whatever builds the extensions.
        "$python" -m pytest -q -n auto -p no:cacheprovider -m 'not slow and not gpu and not ci' \
            tests/engine --ignore=tests/engine/gpu tests/ops/test_compiled.py tests/ops/test_compiled_gradient.py \
            tests/ops/test_stride_phases.py tests/ops/test_algorithms.py tests/imaging/test_png.py \
            tests/imaging/test_png_rows.py tests/imaging/test_png_packing.py tests/imaging/test_jpeg_bands.py
        rm -rf build convcli/*.so
    done
done

[ "${seen:-$usual}" != "$usual" ] || { echo "there is no compiler but cc" >&2; exit 1; }

# The stable ABI's headers name nothing of the processor, so this machine's serve.
python_h=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
compile_for_arm64() {  # COMMAND OBJECT
    for source in engine/cpu/loops/loops.c engine/cpu/ranks/ranks.c engine/cpu/windows/windows.c ops/loops/tensors.c \
        imaging/formats/png/rows.c imaging/formats/png/gather.c imaging/formats/png/pack.c imaging/formats/jpeg/scan.c \
        imaging/formats/jpeg/bands.c; do
        $1 -c -O1 -fPIC -Wall -Werror -Wno-psabi -I"$python_h" -Iconvcli/include \
            -Iconvcli/imaging/formats -I"convcli/$(dirname "$source")" "convcli/$source" -o "$2" || return 1
    done
}
running=
for command in "aarch64-linux-gnu-gcc" "clang --target=aarch64-linux-gnu -I/usr/aarch64-linux-gnu/include"; do
    command -v "${command%% *}" >/dev/null && [ -d /usr/aarch64-linux-gnu/include ] || continue
    echo "+ $command"
    compile_for_arm64 "$command" "${command%% *}.o" &
    running="$running $!"
done
for each in $running; do wait "$each"; done
