"""The compiled loops: built where there is a compiler, done without where there is none."""

from __future__ import annotations

from setuptools import Extension, setup

LOOPS = "convcli/engine/cpu/loops"

setup(
    ext_modules=[
        Extension(
            "convcli._loops",
            [f"{LOOPS}/loops.c"],
            depends=[f"{LOOPS}/{name}.h" for name in ("isa", "sums", "finish", "box")],
            # No trapping maths: so that the compiler may vectorise comparisons of floats.
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"],
            py_limited_api=True,
            optional=True,
        ),
        Extension(
            "convcli._tensors",
            ["convcli/ops/loops/tensors.c"],
            depends=["convcli/ops/loops/sliding.h"],
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"],
            py_limited_api=True,
            optional=True,
        ),
        Extension(
            "convcli._png",
            ["convcli/imaging/png_rows.c"],
            extra_compile_args=["-O3"],
            py_limited_api=True,
            optional=True,
        ),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
