"""The compiled loops: built where there is a compiler, done without where there is none."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.sdist import sdist

LOOPS = "convcli/engine/cpu/loops"
# Debug information names the folder of the build, so that no two wheels would be the same.
DEBUG = [] if "-g" in os.environ.get("CFLAGS", "").split() else ["-g0"]


class SameSdist(sdist):
    """With SOURCE_DATE_EPOCH, every file has that time and no owner: the same bytes each time.

    setuptools does so for wheels, not for source distributions.
    """

    def make_archive(
        self, base_name: Any, format: str, root_dir: Any = None, base_dir: Any = None, **rest: Any
    ) -> str:
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar" or base_dir is None:
            return super().make_archive(base_name, format, root_dir, base_dir, **rest)

        def settled(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime, member.mode = int(epoch), 0o755 if member.isdir() else 0o644
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return member

        name = f"{base_name}.tar.gz"
        with (
            Path(name).open("wb") as file,
            gzip.GzipFile("", "wb", 9, file, mtime=int(epoch)) as folded,
            tarfile.open(fileobj=folded, mode="w") as tar,
        ):
            for path in [Path(base_dir), *sorted(Path(base_dir).rglob("*"))]:
                tar.add(path, recursive=False, filter=settled)
        return name


setup(
    cmdclass={"sdist": SameSdist},
    ext_modules=[
        Extension(
            "convcli._loops",
            [f"{LOOPS}/loops.c"],
            depends=sorted(map(str, Path(LOOPS).glob("*.h"))),
            # No trapping maths: so that the compiler may vectorise comparisons of floats.
            extra_compile_args=[
                "-O3",
                "-fno-math-errno",
                "-fno-trapping-math",
                "-Wno-psabi",
                *DEBUG,
            ],
            py_limited_api=True,
            optional=True,
        ),
        Extension(
            "convcli._tensors",
            ["convcli/ops/loops/tensors.c"],
            depends=["convcli/ops/loops/sliding.h"],
            extra_compile_args=[
                "-O3",
                "-fno-math-errno",
                "-fno-trapping-math",
                "-Wno-psabi",
                *DEBUG,
            ],
            py_limited_api=True,
            optional=True,
        ),
        Extension(
            "convcli._png",
            ["convcli/imaging/png_rows.c", "convcli/imaging/png_gather.c"],
            depends=["convcli/imaging/png_rows.h"],
            extra_compile_args=["-O3", "-Wno-psabi", *DEBUG],
            py_limited_api=True,
            optional=True,
        ),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
