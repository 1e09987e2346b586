"""The compiled loops: built where there is a compiler, done without where there is none."""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

INCLUDE = "convcli/include"
# Whoever builds can say otherwise. Debug information names the folder of the build, so that no two
# wheels would be the same.
FLAGS = os.environ.get("CFLAGS", "").split()
DEBUG = [] if "-g" in FLAGS else ["-g0"]
OPTIMISATION = [] if any(flag.startswith("-O") for flag in FLAGS) else ["-O3"]


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


def extension(name: str, folder: str, *files: str, **options: Any) -> Extension:
    """Sources of a folder, compiled once for each instruction set (convcli/include/clones.h)."""
    return Extension(
        f"convcli.{name}",
        [f"{folder}/{file}" for file in files],
        include_dirs=[INCLUDE, folder],
        depends=sorted(map(str, [*Path(folder).rglob("*.h"), *Path(INCLUDE).glob("*.h")])),
        py_limited_api=True,
        optional=True,
        **options,
    )


class Build(build_ext):
    """Notes beside the package why an extension could not be built: `convcli info` says it."""

    def run(self) -> None:
        self.failed: dict[str, str] = {}
        super().run()
        for ext in self.extensions:
            built = Path(self.get_ext_fullpath(ext.name))
            note = built.with_name(ext.name.split(".")[1] + ".missing")
            note.unlink(missing_ok=True)
            if ext.name in self.failed:
                built.unlink(missing_ok=True)  # of another state of the sources
                note.parent.mkdir(parents=True, exist_ok=True)
                note.write_text(self.failed[ext.name], encoding="utf-8")

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except Exception as error:
            self.failed[ext.name] = self._reason(ext, error)
            Path(self.get_ext_fullpath(ext.name)).unlink(missing_ok=True)
            raise

    def _reason(self, ext: Extension, error: Exception) -> str:
        """What the compiler says first: the exception only holds its command."""
        command = list(getattr(self.compiler, "compiler_so", ()))
        if not command:
            return " ".join(str(error).split())
        folders = [f"-I{folder}" for folder in (*self.compiler.include_dirs, *ext.include_dirs)]
        command += [*folders, *ext.extra_compile_args, "-c", ext.sources[0], "-o", os.devnull]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        except OSError as missing:
            said = f"error: {missing.strerror}"
        errors = [line for line in said.splitlines() if "error" in line]
        return f"{command[0]}: {errors[0] if errors else 'it fails; pip install -v shows more'}"


class Wheel(bdist_wheel):
    """A wheel for all systems where nothing was compiled."""

    def get_tag(self) -> tuple[str, str, str]:
        built = self.get_finalized_command("build_ext")
        if not any(Path(built.get_ext_fullpath(e.name)).exists() for e in built.extensions):
            self.root_is_pure, self.py_limited_api = True, False
        return super().get_tag()


OPTIONS = [*OPTIMISATION, "-Wno-psabi", *DEBUG]
# No trapping maths: so that the compiler may vectorise comparisons of floats.
FLOATS = [*OPTIONS, "-fno-math-errno", "-fno-trapping-math"]

setup(
    cmdclass={"sdist": SameSdist, "bdist_wheel": Wheel, "build_ext": Build},
    ext_modules=[
        extension("_loops", "convcli/engine/cpu/loops", "loops.c", extra_compile_args=FLOATS),
        extension("_ranks", "convcli/engine/cpu/ranks", "ranks.c", extra_compile_args=OPTIONS),
        extension("_windows", "convcli/engine/cpu/windows", "windows.c", extra_compile_args=FLOATS),
        extension("_tensors", "convcli/ops/loops", "tensors.c", extra_compile_args=FLOATS),
        extension(
            "_png",
            "convcli/imaging/formats",
            "png/rows.c",
            "png/gather.c",
            "png/pack.c",
            "jpeg/bands.c",
            "jpeg/scan.c",
            extra_compile_args=OPTIONS,
        ),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}, "build_ext": {"parallel": True}},
)
