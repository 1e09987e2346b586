"""A mutant: one small change to a source file; and where a Python file can be changed.

The text is kept: only the range of the token is replaced, so the line that is shown is the line
that is tried. Annotations, messages and docstrings are left alone.
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import NamedTuple

__all__ = ["Mutant", "Site", "make_mutant", "python_sites"]


class Mutant(NamedTuple):
    """``start`` to ``stop``, in bytes, become ``after``; ``first`` to ``last`` are the lines of
    the statement, and ``at_import`` says that it runs when the module is loaded."""

    file: str
    function: str
    number: int
    start: int
    stop: int
    after: str
    line: str
    becomes: str
    first: int
    last: int
    at_import: bool

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names a mutant when lines move."""
        return self.file, self.function, self.line, self.becomes


Site = list[Mutant]
"""The changes that one place can suffer; a sample takes one of them."""


class Place(NamedTuple):
    """Where a change stands, as ``make_mutant`` needs it."""

    file: str
    function: str
    first: int
    last: int
    at_import: bool


def make_mutant(source: bytes, place: Place, start: int, stop: int, after: str) -> Mutant:
    """The mutant with the line before and after; of a longer piece, its first line."""
    number = source.count(b"\n", 0, start) + 1
    begin = source.rfind(b"\n", 0, start) + 1
    end = source.find(b"\n", start)
    end = len(source) if end < 0 else end
    line = source[begin:end].decode()
    rest = source[stop : max(end, stop)].partition(b"\n")[0] if stop <= end else b""
    becomes = source[begin:start].decode() + after + rest.decode()
    return Mutant(
        place.file,
        place.function,
        number,
        start,
        stop,
        after,
        line.strip(),
        becomes.strip(),
        place.first,
        place.last,
        place.at_import,
    )


OPERATORS: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.In: ("in", ("not in",)),
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+",)),
    ast.Div: ("/", ("*",)),
    ast.FloorDiv: ("//", ("*",)),
    ast.Mod: ("%", ("+",)),
    ast.Pow: ("**", ("*",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.BitXor: ("^", ("|",)),
}
"""How an operator is written, and what it becomes; ``is not`` and ``not in`` lose their ``not``."""

TWINS = ["min max", "minimum maximum", "fmin fmax", "any all", "argmin argmax", "floor ceil"]
NAMES = {a: b for pair in TWINS for a, b in (pair.split(), pair.split()[::-1])}


def python_sites(file: str, source: bytes) -> list[Site]:
    """Every place of a Python file that can be changed, in the order of the text."""
    finder = _Finder(file, source)
    finder.visit(ast.parse(source))
    return sorted(finder.sites, key=lambda site: (site[0].start, site[0].stop))


class _Finder(ast.NodeVisitor):
    def __init__(self, file: str, source: bytes) -> None:
        self.file, self.source, self.sites = file, source, list[Site]()
        lines = source.splitlines(keepends=True)
        self.offsets = [0]
        for line in lines:
            self.offsets.append(self.offsets[-1] + len(line))
        self.tokens: list[tuple[int, int, str]] = []
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            if token.type in (tokenize.OP, tokenize.NAME):
                row, column = token.start
                start = self.offsets[row - 1] + len(token.line[:column].encode())
                self.tokens.append((start, start + len(token.string), token.string))
        self.scope: list[str] = []
        self.running = False  # inside of a function's body
        self.statement: ast.stmt | None = None

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.offsets[node.lineno - 1] + node.col_offset
        return start, self.offsets[node.end_lineno - 1] + node.end_col_offset

    def _add(self, start: int, stop: int, *after: str) -> None:
        statement = self.statement
        assert statement is not None
        last = statement.end_lineno or statement.lineno
        body = getattr(statement, "body", None)
        if body:  # of a compound statement, what stands before its body
            last = max(statement.lineno, body[0].lineno - 1)
        name = ".".join(self.scope) or "<module>"
        place = Place(self.file, name, statement.lineno, last, not self.running)
        site = [make_mutant(self.source, place, start, stop, text) for text in after]
        if site:
            self.sites.append(site)

    def _between(self, start: int, stop: int, text: str) -> tuple[int, int]:
        """The token that is written between two expressions."""
        found = [t for t in self.tokens if start <= t[0] and t[1] <= stop and t[2] == text]
        return found[0][:2]

    # ------------------------------------------------------------ statements

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt):
            before, self.statement = self.statement, node
            super().visit(node)
            self.statement = before
        else:
            super().visit(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for expression in [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]:
            if expression is not None:
                self.visit(expression)
        before, self.running = self.running, True
        self.scope.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.scope.pop()
        self.running = before

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.scope.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.scope.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and ast.unparse(node.annotation) != "TypeAlias":
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        start, stop = self._span(node.test)
        if self.running and isinstance(node.body[-1], ast.Return | ast.Raise | ast.Continue):
            self._add(start, stop, "False")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        alias = not self.running and isinstance(node.value, ast.BinOp | ast.Subscript)
        if "__all__" not in names and not (alias and any(n[:1].isupper() for n in names)):
            self.generic_visit(node)
        elif alias and not any(isinstance(n, ast.Name) for n in ast.walk(node.value)):
            self.generic_visit(node)  # a constant, not the name of a type

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        text, after = OPERATORS[type(node.op)]
        start, stop = self._between(
            self._span(node.target)[1], self._span(node.value)[0], text + "="
        )
        self._add(start, stop, *(new + "=" for new in after))
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and self.running:
            self._add(*self._span(node), "pass")
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def _leave(self, node: ast.Raise | ast.Continue | ast.Break) -> None:
        self._add(*self._span(node), "pass")

    visit_Raise = visit_Continue = visit_Break = _leave

    # ------------------------------------------------------------ expressions

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A message; before Python 3.12 its places would be wrong, too."""

    def visit_Compare(self, node: ast.Compare) -> None:
        left: ast.expr = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            between = self._span(left)[1], self._span(right)[0]
            if isinstance(operator, ast.IsNot | ast.NotIn):
                start, stop = self._between(*between, "not")
                self._add(start, stop, "")
            else:
                text, after = OPERATORS[type(operator)]
                self._add(*self._between(*between, text), *after)
            left = right
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in OPERATORS:
            text, after = OPERATORS[type(node.op)]
            between = self._span(node.left)[1], self._span(node.right)[0]
            self._add(*self._between(*between, text), *after)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        text, after = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            between = self._span(left)[1], self._span(right)[0]
            self._add(*self._between(*between, text), after)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        start, _ = self._span(node)
        if isinstance(node.op, ast.USub | ast.Invert):
            self._add(start, start + 1, " ")
        elif isinstance(node.op, ast.Not):
            self._add(start, start + 3, "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value, span = node.value, self._span(node)
        if isinstance(value, bool):
            self._add(*span, str(not value))
        elif isinstance(value, int):
            self._add(*span, str(value + 1), str(value - 1))
        elif isinstance(value, float):
            self._add(*span, *((repr(value * 1.5), repr(value / 1.5)) if value else ("1.0",)))

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in NAMES:
            self._add(*self._span(node), NAMES[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in NAMES:
            _, stop = self._span(node)
            self._add(stop - len(node.attr), stop, NAMES[node.attr])
        self.generic_visit(node)
