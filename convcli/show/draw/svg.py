"""SVG, written by hand: small, animated by CSS alone, readable aloud, the same on every run.

A shape that several steps share is written once. Shapes are grouped by the steps in which they
show, and each group has keyframes that switch it on and off; the pointer over the picture
pauses it. Where nothing moves (print, reduced motion, a viewer without CSS) the last step shows.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr
from zlib import crc32

from convcli.imaging.shapes import Image, Line, Polygon, Rect, Shape
from convcli.show.draw.layout import Drawing

__all__ = ["HOLD", "image_png", "shape_svg", "write_svg"]

HOLD = 3
"""Steps for which the last one stays."""

FONT = "-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif"


def write_svg(
    drawing: Drawing,
    *,
    width: float | None = None,
    fps: float = 2.0,
    frame: int | None = None,
    inline: bool = False,
) -> str:
    """The drawing as an SVG document.

    Parameters
    ----------
    width
        Pixels across; by default those of the canvas.
    fps
        Steps in a second.
    frame
        Only this step, counted from 0, without animation.
    inline
        Whether it will stand in a page among others: its rules and names are then its own, and
        touch nothing beside it.
    """
    frames = drawing.frames if frame is None else drawing.frames[frame : frame + 1]
    styles: dict[str, str] = {}
    body: list[str] = []
    shown: dict[tuple[int, ...], str] = {}
    for layer in range(len(frames[0])):
        for steps, shapes in _grouped([f[layer] for f in frames]).items():
            text = "".join(shape_svg(shape, styles) for shape in shapes)
            if len(steps) == len(frames):
                body.append(text)
            else:
                name = shown.setdefault(steps, f"f{len(shown)}")
                body.append(f'<g class="{name}">{text}</g>')
    own = f"c{crc32(''.join(body).encode()):08x}" if inline else ""
    root = f"#{own}" if own else "svg"
    within = f"{root} " if own else ""
    css = [f"{within}text{{font-family:{FONT}}}"]
    css += [f"{within}.{name}{{{rule}}}" for rule, name in styles.items()]
    if shown:
        css += _animation(shown, len(frames), fps, root, within, own)
    canvas = drawing.canvas
    scale = 1.0 if width is None else width / canvas.width
    sizes = f'width="{_n(canvas.width * scale)}" height="{_n(canvas.height * scale)}"'
    place = f'x="{_n(-canvas.left)}" y="{_n(-canvas.top)}" ' if canvas.left or canvas.top else ""
    corner = f"{_n(-canvas.left)} {_n(-canvas.top)}"
    box = f'viewBox="{corner} {_n(canvas.width)} {_n(canvas.height)}"'
    named = f'id="{own}" ' if own else ""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {named}{sizes} {box} role="img" '
            f'aria-labelledby="{own}title {own}desc">',
            f'<title id="{own}title">{escape(drawing.title)}</title>',
            f'<desc id="{own}desc">{escape(drawing.description)}</desc>',
            "<style>" + escape("".join(css)) + "</style>",
            f'<rect {place}width="100%" height="100%" fill="{canvas.ground}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _grouped(frames: Sequence[Sequence[Shape]]) -> dict[tuple[int, ...], list[Shape]]:
    """Shapes by the steps in which they show, in the order in which they come."""
    seen: dict[Shape, list[int]] = {}
    for number, shapes in enumerate(frames):
        for shape in dict.fromkeys(shapes):
            seen.setdefault(shape, []).append(number)
    groups: dict[tuple[int, ...], list[Shape]] = {}
    for shape, steps in seen.items():
        groups.setdefault(tuple(steps), []).append(shape)
    return groups


def _animation(
    shown: dict[tuple[int, ...], str], count: int, fps: float, root: str, within: str, own: str
) -> list[str]:
    """Rules for the elements below ``root``; keyframes are named after the ``own`` name."""
    total = count + HOLD
    css = [f"{within}g{{animation:{_n(total / fps, 3)}s step-end infinite;visibility:hidden}}"]
    css += [f"{root}:hover g{{animation-play-state:paused}}"]
    for steps, name in shown.items():
        visible = {*steps} | ({*range(count, total)} if count - 1 in steps else set())
        keys = []
        for step in range(total):
            if step == 0 or (step in visible) != (step - 1 in visible):
                word = "visible" if step in visible else "hidden"
                keys.append(f"{_n(100 * step / total, 3)}%{{visibility:{word}}}")
        css.append(f"@keyframes {own}{name}{{{''.join(keys)}}}")
        rest = ";visibility:visible" if count - 1 in steps else ""
        css.append(f"{within}.{name}{{animation-name:{own}{name}{rest}}}")
    still = f"{within}g{{animation:none!important}}"
    css.append(f"@media print,(prefers-reduced-motion:reduce){{{still}}}")
    return css


def _n(value: float, digits: int = 2) -> str:
    """A number in as few characters as it needs."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if value % 1 else str(int(value))


def shape_svg(shape: Shape, styles: dict[str, str]) -> str:
    """One element; what many share of its look is put into ``styles`` as a class.

    >>> styles = {}
    >>> shape_svg(Line(0, 1, 2.5, 1, "#000000"), styles), styles
    ('<path class="s0" d="M0 1L2.5 1"/>', {'stroke:#000000': 's0'})
    """

    def styled(*rules: str) -> str:
        name = styles.setdefault(";".join(filter(None, rules)), f"s{len(styles)}")
        return f'class="{name}"'

    if isinstance(shape, Rect):
        look = styled(
            f"fill:{shape.fill or 'none'}",
            f"stroke:{shape.stroke}" if shape.stroke else "",
            f"stroke-width:{_n(shape.thickness)}" if shape.stroke and shape.thickness != 1 else "",
            f"stroke-dasharray:{_n(shape.dash)}" if shape.dash else "",
        )
        radius = f' rx="{_n(shape.radius)}"' if shape.radius else ""
        place = f'x="{_n(shape.x)}" y="{_n(shape.y)}"'
        size = f'width="{_n(shape.width)}" height="{_n(shape.height)}"'
        return f"<rect {look} {place} {size}{radius}/>"
    if isinstance(shape, Line):
        look = styled(
            f"stroke:{shape.stroke}",
            f"stroke-width:{_n(shape.thickness)}" if shape.thickness != 1 else "",
            f"stroke-dasharray:{_n(shape.dash)}" if shape.dash else "",
        )
        ends = f"M{_n(shape.x1)} {_n(shape.y1)}L{_n(shape.x2)} {_n(shape.y2)}"
        return f'<path {look} d="{ends}"/>'
    if isinstance(shape, Polygon):
        look = styled(
            f"fill:{shape.fill}", f"opacity:{_n(shape.opacity)}" if shape.opacity < 1 else ""
        )
        points = " ".join(f"{_n(x)},{_n(y)}" for x, y in shape.points)
        return f'<polygon {look} points="{points}"/>'
    if isinstance(shape, Image):
        place = f'x="{_n(shape.x)}" y="{_n(shape.y)}"'
        size = f'width="{_n(shape.width)}" height="{_n(shape.height)}"'
        data = "data:image/png;base64," + base64.b64encode(image_png(shape)).decode()
        return (
            f'<image {place} {size} preserveAspectRatio="none" '
            f'style="image-rendering:pixelated" href={quoteattr(data)}/>'
        )
    look = styled(
        f"fill:{shape.fill}",
        f"font-size:{_n(shape.size)}px",
        f"text-anchor:{shape.anchor}" if shape.anchor != "start" else "",
        "font-weight:600" if shape.bold else "",
    )
    # Not dominant-baseline: several viewers do not know it.
    place = f'x="{_n(shape.x)}" y="{_n(shape.y + 0.35 * shape.size)}"'
    return f"<text {look} {place}>{escape(shape.text)}</text>"


def image_png(image: Image) -> bytes:
    """Its pixels as a PNG file."""
    import numpy as np

    from convcli.imaging.formats.png.write import encode_png
    from convcli.imaging.header import Metadata

    pixels = np.frombuffer(image.rgb, np.uint8).reshape(image.rows, image.columns, 3)
    return encode_png(pixels, Metadata())
