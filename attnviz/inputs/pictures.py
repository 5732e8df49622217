"""Picture files that Pillow reads, as 8-bit RGB, upright; the file's size limits the number of pixels."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import AttnvizWarning, InputError
from attnviz.files.untrusted import open_file

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000
# A small file may hold a few megapixels of one colour; beyond that, no more pixels per byte than photographs have.
ALWAYS_ALLOWED, PIXELS_A_BYTE = 1 << 24, 64


def open_image(path: str | Path) -> Image:
    """Read a picture as 8-bit RGB, upright. Raises InputError; warns about losses, such as transparency."""
    path = Path(path)
    if path.is_dir() or not path.exists():
        raise InputError(f"no such picture: {str(path)!r}")
    notes: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's warnings are hidden: ours say what matters
            image = _opened(path, notes)
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise almost anything over a damaged file
        raise InputError(f"{path.name}: cannot be read as a picture: {_reason(error)}") from None
    for note in notes:
        warnings.warn(f"{path.name}: {note}", AttnvizWarning, stacklevel=3)
    return image


def _opened(path: Path, notes: list[str]) -> Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    with open_file(path) as file:
        try:
            image = Image.open(file)
        except UnidentifiedImageError:
            raise InputError(f"{path.name} is not a picture that Pillow reads", "save it as PNG or JPEG") from None
        except Image.DecompressionBombError:
            raise InputError(f"{path.name}: more pixels than can be read", _SMALLER) from None
        if image.format in ("EPS", "WMF"):
            raise InputError(f"{path.name}: {image.format} is a program that draws, not pixels", "save it as PNG")
        if image.width * image.height > MAX_PIXELS:
            raise InputError(f"{path.name}: {image.width} x {image.height} pixels are too many to read", _SMALLER)
        size = os.fstat(file.fileno()).st_size
        if image.width * image.height > max(ALWAYS_ALLOWED, PIXELS_A_BYTE * size):
            raise InputError(
                f"{path.name}: {image.width} x {image.height} pixels are too many for a file of {size:,} bytes",
                "scale it down first, or save it with less compression",
            )
        if image.format != "MPO" and getattr(image, "is_animated", False):  # an MPO's second image is a preview
            notes.append("it holds several pictures; the first is used")
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _rgb(upright if upright is not None else image, path.name, notes)


_SMALLER = f"scale it down first: at most {MAX_PIXELS // 1_000_000} million pixels"


def _rgb(image: Image, name: str, notes: list[str]) -> Image:
    """Convert any mode to 8-bit RGB: transparency on white, 16-bit grey scaled to 8."""
    from PIL import Image as Images

    if image.mode == "F":
        raise InputError(f"{name}: pixels are floating-point numbers of unknown range", "save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise InputError(f"{name}: grey values from {values.min()} to {values.max()}; wanted 0 to 65535")
        notes.append("16-bit grey, scaled to 8 bits")
        grey = np.empty(values.shape, np.uint8)
        for row, line in enumerate(values):  # row by row: wide numbers of the whole picture would take eight times it
            grey[row] = (line.astype(np.int64) * 255 + 32767) // 65535
        image = Images.fromarray(grey)
    if ("a" in image.mode.lower() and image.mode != "LAB") or image.info.get("transparency") is not None:
        clear = image.convert("RGBA")
        if np.asarray(clear.getchannel("A")).min() < 255:
            notes.append("transparent parts are laid on white")
        ground = Images.new("RGBA", clear.size, (255, 255, 255, 255))
        return Images.alpha_composite(ground, clear).convert("RGB")
    if image.mode == "CMYK":
        notes.append("CMYK, converted to RGB without its colour profile")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    """Pillow's error message, shortened to one line."""
    text = " ".join(str(error).split())
    return f"{text:.120}" if text else type(error).__name__
