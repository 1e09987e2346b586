"""``identity`` on a lossless file of every mode and depth: the same pixels and metadata."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from convcli.imaging.opening import decode_picture
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Request

RNG = np.random.default_rng(3)
H, W = 23, 31
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(channels: int, dtype: str) -> np.ndarray:
    if dtype.startswith("f"):
        return RNG.normal(0.5, 0.4, (H, W, channels)).astype(dtype)
    return RNG.integers(0, np.iinfo(dtype).max + 1, (H, W, channels), dtype=dtype)


def pillow_file(fmt: str, mode: str, **options: Any) -> bytes:
    image = Image.fromarray(noise(4, "uint8")).convert("RGB" if mode in "P" else "RGBA")
    out = io.BytesIO()
    image.convert(mode).save(out, fmt, **options)
    return out.getvalue()


def tiff_file(channels: int, dtype: str) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        noise(channels, dtype).squeeze(),
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="lzw",
        resolution=(300, 150),
        resolutionunit="INCH",
        description="a description",
        iccprofile=ICC if channels > 2 else None,
        metadata=None,
    )
    return out.getvalue()


def png16(channels: int) -> bytes:
    return imagecodecs.png_encode(np.ascontiguousarray(noise(channels, "uint16").squeeze()))


CASES: dict[str, bytes] = {
    **{f"png_{m}": pillow_file("PNG", m) for m in ("1", "L", "LA", "P", "RGB", "RGBA")},
    "png_PA": pillow_file("PNG", "P", transparency=3),
    "png_key": pillow_file("PNG", "RGB", transparency=(1, 2, 3)),
    **{f"tiff_{m}": pillow_file("TIFF", m) for m in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")},
    "webp_RGB": pillow_file("WEBP", "RGB", lossless=True),
    "webp_RGBA": pillow_file("WEBP", "RGBA", lossless=True, exact=True),
    "gif_P": pillow_file("GIF", "P"),
    **{f"bmp_{m}": pillow_file("BMP", m) for m in ("1", "L", "P", "RGB")},
    **{f"ppm_{m}": pillow_file("PPM", m) for m in ("1", "L", "RGB")},
    **{f"png16_{c}": png16(c) for c in (1, 2, 3, 4)},
    **{f"tiff_{d}_{c}": tiff_file(c, d) for d in ("uint8", "uint16") for c in (1, 2, 3, 4)},
    **{f"tiff_{d}_{c}": tiff_file(c, d) for d in ("float32", "float64") for c in (1, 3)},
    "ppm16": f"P6\n{W} {H}\n65535\n".encode() + noise(3, "uint16").astype(">u2").tobytes(),
    "pgm16": f"P5\n{W} {H}\n65535\n".encode() + noise(1, "uint16").astype(">u2").tobytes(),
}
SUFFIX = {"png": ".png", "tiff": ".tif", "webp": ".webp", "gif": ".gif", "bmp": ".bmp"}


def identity(data: bytes, kind: str, folder: Path) -> bytes:
    suffix = next((s for k, s in SUFFIX.items() if kind.startswith(k)), ".ppm")
    source, target = folder / f"in{suffix}", folder / f"out{suffix}"
    source.write_bytes(data)
    request = Request((str(source),), (load_kernel("identity"),), output=str(target))
    list(Batch(request).run())
    return target.read_bytes()


@pytest.mark.parametrize("kind", CASES)
def test_identity_gives_back_every_pixel(kind: str, tmp_path: Path) -> None:
    data = CASES[kind]
    before = decode_picture(data, "before")
    after = decode_picture(identity(data, kind, tmp_path), "after")
    assert (after.dtype, after.alpha) == (before.dtype, before.alpha)
    assert after.meta.dpi == pytest.approx(before.meta.dpi) if before.meta.dpi else True
    assert after.meta.icc == before.meta.icc
    assert after.meta.fields == before.meta.fields
    for a, b in zip(after.frames, before.frames, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


@pytest.mark.parametrize("kind", [k for k in CASES if "16" not in k and "float" not in k])
def test_the_reader_agrees_with_pillow(kind: str) -> None:
    picture = decode_picture(CASES[kind], "x")
    got = next(iter(picture.frames)).pixels
    image = Image.open(io.BytesIO(CASES[kind]))
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if picture.space == "cmyk" else "RGBA"}
    expected = np.asarray(image.convert(mode[got.shape[-1]]))
    np.testing.assert_array_equal(got, expected.reshape(got.shape))


def test_metadata_of_a_png_survives(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("Title", "a title")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 1, "maker"
    data = pillow_file("PNG", "RGBA", pnginfo=info, dpi=(300, 300), icc_profile=ICC, exif=exif)
    after = Image.open(io.BytesIO(identity(data, "png", tmp_path)))
    before = Image.open(io.BytesIO(data))
    after.load(), before.load()
    assert after.text == before.text
    assert after.info["icc_profile"] == ICC
    assert after.info["dpi"] == before.info["dpi"]
    assert dict(after.getexif()) == dict(before.getexif())


@pytest.mark.parametrize("fmt", ["JPEG", "WEBP", "PNG", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8, 99])
def test_pixels_are_turned_upright_once(fmt: str, orientation: int, tmp_path: Path) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "maker"
    y, x = np.mgrid[0:48, 0:80]
    pixels = np.stack([x * 3, y * 5, x + y], -1).astype(np.uint8)
    out = io.BytesIO()
    options = {"lossless": True} if fmt == "WEBP" else {"quality": 95} if fmt != "PNG" else {}
    Image.fromarray(pixels).save(out, fmt, exif=exif.tobytes(), **options)
    source, target = tmp_path / f"in.{fmt.lower()}", tmp_path / f"out.{fmt.lower()}"
    source.write_bytes(out.getvalue())
    quality = 95 if fmt in ("JPEG", "AVIF") else None
    kernels = (load_kernel("identity"),)
    list(Batch(Request((str(source),), kernels, output=str(target), quality=quality)).run())
    done = Image.open(io.BytesIO(target.read_bytes()))
    assert done.getexif()[0x010F] == "maker"
    assert done.getexif().get(0x0112, 1) == 1
    reference = Image.open(io.BytesIO(out.getvalue()))
    turned = ImageOps.exif_transpose(reference)
    difference = np.asarray(done.convert("RGB"), int) - np.asarray(turned.convert("RGB"), int)
    # AVIF and JPEG are coded once more; a wrong turn would differ by a hundred levels.
    assert np.abs(difference).mean() <= (0 if fmt in ("PNG", "WEBP") else 3)


def test_a_turned_tiff_is_upright(tmp_path: Path) -> None:
    deep = noise(3, "uint16")
    tifffile.imwrite(
        tmp_path / "in.tif",
        deep,
        photometric="rgb",
        extratags=[(274, 3, 1, 6, True)],
        resolution=(300, 150),
        resolutionunit="INCH",
    )
    picture = decode_picture((tmp_path / "in.tif").read_bytes(), "x")
    np.testing.assert_array_equal(next(iter(picture.frames)).pixels, np.rot90(deep, -1))


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tiff"])
def test_every_frame_comes_back(kind: str, tmp_path: Path) -> None:
    rows = [noise(3, "uint8") // 64 * 64 for _ in range(3)]
    frames = [Image.fromarray(f).quantize(64) for f in (*rows[:2], rows[1], rows[2])]
    out = io.BytesIO()
    fmt = {"tiff": "TIFF"}.get(kind, kind.upper())
    frames[0].save(
        out,
        fmt,
        save_all=True,
        append_images=[frames[1], frames[3]],
        duration=[40, 80, 1000],
        loop=2,
        **({"lossless": True, "exact": True} if kind == "webp" else {}),
    )
    before = decode_picture(out.getvalue(), "x")
    after = decode_picture(identity(out.getvalue(), kind, tmp_path), "y")
    assert after.n_frames == before.n_frames == 3
    for a, b in zip(after.frames, before.frames, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        assert a.duration == b.duration
    if kind != "tiff":
        assert after.meta.loop == 2


@pytest.mark.parametrize("target", ["TIFF", "PNG", "WEBP", "JPEG"])
def test_exif_travels_between_formats(target: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x829A] = 0.004
    Image.fromarray(noise(3, "uint8")).save(
        tmp_path / "in.jpg", exif=exif.tobytes(), dpi=(300, 300)
    )
    out = tmp_path / f"out.{target.lower()}"
    kernels = (load_kernel("identity"),)
    list(Batch(Request((str(tmp_path / "in.jpg"),), kernels, output=str(out))).run())
    image = Image.open(io.BytesIO(out.read_bytes()))
    image.load()
    found = image.getexif().get_ifd(0x8769)
    assert found[0x9003] == "2026:01:02 03:04:05"
    assert float(found[0x829A]) == pytest.approx(0.004)
    assert image.size == (H, W)
    assert image.getexif().get(0x0112, 1) == 1
    if target != "WEBP":
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.02)
