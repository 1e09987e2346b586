"""Where a C file can be changed, and how an extension is built again.

A small tokenizer is enough: it knows comments, strings, numbers, names and operators. Directives
of the preprocessor are left alone, but the bodies of macros, from their second line on, are code.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from mutant_sites import Place, Site, make_mutant

__all__ = ["build", "c_sites", "extensions"]

TOKEN = re.compile(
    rb"""(?P<skip>/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | \\\n | \s+)
       | (?P<number>0[xX][0-9a-fA-F]+[uUlL]* | (?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?[uUlLfF]*)
       | (?P<name>[A-Za-z_]\w*)
       | (?P<operator><<=|>>=|\.\.\.|->|\+\+|--|&&|\|\||[-+*/%&|^<>=!]=|<<|>>|\#\#|.)""",
    re.DOTALL | re.VERBOSE,
)
DEFINE = re.compile(rb"[ \t]*#[ \t]*define\b")
DIRECTIVE = re.compile(rb"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE)
FUNCTION = re.compile(
    rb"^(?:#[ \t]*define[ \t]+(\w+)|[A-Za-z_][^;={}]*?(\w+(?:\(\w+\))?)\()", re.MULTILINE
)

ATTRIBUTE = re.compile(rb"__attribute__\(\(.*?\)\)(?!\))")

BINARY = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",),
    "!=": ("==",), "&&": ("||",), "||": ("&&",), "+": ("-",), "-": ("+",), "/": ("*",),
    "*": ("+",), "%": ("+",), "<<": (">>",), ">>": ("<<",), "&": ("|",), "|": ("&",), "^": ("|",),
}  # fmt: skip
ANYWHERE = {"+=": "-=", "-=": "+=", "*=": "+=", "<<=": ">>=", ">>=": "<<=", "|=": "&=", "&=": "|="}
TYPES = {b"char", b"int", b"long", b"float", b"double", b"void", b"short", b"unsigned", b"size_t"}


class Token(NamedTuple):
    kind: str
    start: int
    stop: int
    text: bytes


def _tokens(source: bytes) -> list[Token]:
    """The code, without comments, strings and directives."""
    masked = bytearray(source)
    for start, stop in _not_run(source):
        masked[start:stop] = re.sub(rb"[^\n]", b" ", source[start:stop])
    for directive in DIRECTIVE.finditer(source):
        stop = directive.end()
        if DEFINE.match(source, directive.start()):
            line = source.find(b"\n", directive.start(), stop)
            stop = line if line >= 0 else stop
        masked[directive.start() : stop] = re.sub(rb"[^\n]", b" ", source[directive.start() : stop])
    found = (m for m in TOKEN.finditer(bytes(masked)) if m.lastgroup != "skip")
    return [Token(str(m.lastgroup), m.start(), m.end(), m.group()) for m in found]


def _not_run(source: bytes) -> list[tuple[int, int]]:
    """What is compiled for AVX-512 alone, where the processor has none."""
    info = Path("/proc/cpuinfo")
    if not info.exists() or b"avx512bw" in info.read_bytes():
        return []
    found, depth, begun, inside = [], 0, -1, 0
    for directive in DIRECTIVE.finditer(source):
        words = directive.group().replace(b"#", b" ").split()
        depth += {b"if": 1, b"ifdef": 1, b"ifndef": 1, b"endif": -1}.get(words[0], 0)
        if begun >= 0 and (depth < inside or (depth == inside and words[0] in (b"else", b"elif"))):
            found.append((begun, directive.start()))
            begun = -1
        if begun < 0 and words[1:] == [b"VBYTES", b"==", b"64"] and words[0] in (b"if", b"elif"):
            begun, inside = directive.end(), depth
    return found


def _operand(token: Token) -> bool:
    """Whether an operator after it has two sides."""
    if token.kind == "name":
        return token.text not in TYPES | {b"return", b"case"} and not token.text.endswith(b"_t")
    return token.kind == "number" or token.text in (b")", b"]")


def _number(text: str) -> tuple[str, ...]:
    digits = text.rstrip("uUlL") if text[:2].lower() == "0x" else text.rstrip("uUlLfF")
    suffix = text[len(digits) :]
    if "." in digits or ("e" in digits and "x" not in digits):
        value = float(digits)
        return tuple(repr(v) + suffix for v in ((value * 1.5, value / 1.5) if value else (1.0,)))
    whole = int(digits, 0) if digits[:2].lower() == "0x" or digits == "0" else int(digits)
    return (f"{whole + 1}{suffix}", f"{whole - 1}{suffix}")


def _changes(source: bytes, tokens: list[Token], at: int) -> tuple[int, int, tuple[str, ...]]:
    token, before = tokens[at], tokens[at - 1] if at else tokens[at]
    after = source[token.stop : token.stop + 1]
    text = token.text.decode()
    span = token.start, token.stop
    if token.kind == "number":
        return *span, _number(text)
    if text in ("continue", "break"):
        return *span, ("",)
    if text in ("min", "max", "fmin", "fmax"):
        return *span, ({"min": "max", "max": "min", "fmin": "fmax", "fmax": "fmin"}[text],)
    if text in ANYWHERE:
        return *span, (ANYWHERE[text],)
    if text == "!":
        return *span, ("",)
    if text in BINARY and _operand(before):
        pointer = text == "*" and not after.isspace()  # as the formatter has it
        return *span, () if pointer else BINARY[text]
    if text == "-" and before.text != b"[":
        return *span, ("+",)
    return *span, ()


def c_sites(file: str, source: bytes) -> list[Site]:
    """Every place of a C file that can be changed, in the order of the text."""
    tokens = _tokens(source)
    bare = ATTRIBUTE.sub(lambda m: b" " * len(m.group()), source)
    heads = [
        (m.start(), (m.group(1) or m.group(2)).decode())
        for m in FUNCTION.finditer(bare)
        if m.group(1) is None or source[: source.find(b"\n", m.start())].endswith(b"\\")
    ]
    sites = []
    for at, token in enumerate(tokens):
        start, stop, after = _changes(source, tokens, at)
        if not after:
            continue
        name = next((name for begin, name in reversed(heads) if begin <= token.start), "<file>")
        line = source.count(b"\n", 0, start) + 1
        place = Place(file, name, line, line, False)
        sites.append([make_mutant(source, place, start, stop, text) for text in after])
    return sites


BUILD = """
import runpy, sys, setuptools
name, temporary, *rest = sys.argv[1:]
given = {}
real = setuptools.setup
setuptools.setup = lambda **words: given.update(words)
runpy.run_path("setup.py", run_name="__main__")
chosen = [e for e in given["ext_modules"] if e.name == name or name == "all"]
if not rest:
    for e in chosen:
        print(e.name, *e.sources, *e.depends)
    raise SystemExit
for e in chosen:
    e.optional = False
    e.extra_compile_args = ["-O1" if a == "-O3" else a for a in e.extra_compile_args]
given["ext_modules"] = chosen
sys.argv = ["setup.py"]
real(**given, script_args=["-q", "build_ext", "--inplace", "--force", "-t", temporary])
"""
"""Reads what setup.py would build, and builds one of it, quickly."""


def extensions(root: Path) -> dict[str, str]:
    """The extension that each C file belongs to, as ``setup.py`` says; not those of several."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, "all", ""],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    words = [line.split() for line in done.stdout.splitlines()]
    found = [(Path(file).as_posix(), name) for name, *files in words for file in files]
    shared = Counter(file for file, _ in found)
    return {file: name for file, name in found if shared[file] == 1}


def build(root: Path, extension: str, temporary: Path) -> bytes | None:
    """Build an extension in a copy of the project; what it is now, or None if it does not compile."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, extension, str(temporary), "build"],
        cwd=root,
        capture_output=True,
        timeout=300,
    )
    if done.returncode:
        return None
    return built(root, extension).read_bytes()


def built(root: Path, extension: str) -> Path:
    """The file of an extension that was built in place."""
    package, _, name = extension.rpartition(".")
    (made,) = (root / package.replace(".", "/")).glob(f"{name}.*.so")
    return made
