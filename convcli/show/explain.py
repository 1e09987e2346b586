"""``convcli.explain``: what a filter will do, and why so, for Python and for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from os import fspath
from pathlib import Path
from typing import Unpack

from convcli.imaging.api import AllKeywords, Kernels, Picture, planned
from convcli.runs.request import Job, Report

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What ``convcli filter --explain`` says, in pairs; those of a step are indented."""

    pairs: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        width = max(len(key) for key, _ in self.pairs)
        return "\n".join(f"{key:<{width}}  {value}" for key, value in self.pairs)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from convcli.show.notebook import pairs_html

        return pairs_html(self.pairs)


def explain(image: Picture, kernel: Kernels, **options: Unpack[AllKeywords]) -> Explanation:
    """Say what :func:`convcli.filter_image` would do with an image, without doing it.

    Parameters
    ----------
    image, kernel, options
        As of :func:`convcli.filter_image`.

    Returns
    -------
    Explanation
        Options resolved, the sizes worked out, the algorithm of each step with what else was
        weighed, the backend; a table in a notebook, ``str()`` of it is text.

    Raises
    ------
    UsageError
        If an option, a shape or a type does not fit.

    >>> import numpy as np
    >>> said = dict(explain(np.zeros((6, 9), np.uint8), "sobel-x", stride=2).pairs)
    >>> said["  width"]
    'floor((9 + 1 + 1 - 3) / 2) + 1 = 5'
    """
    from convcli.show.messages import explained

    chain = planned(image, kernel, **options)
    source = fspath(image) if isinstance(image, str | Path) else "the image"
    names = ", ".join(step.name for step in chain.plans.chain)
    report = Report(Job(source, "the result"), names, chain.outline, "in memory", False, {})
    return Explanation(tuple(explained(report)))
