"""An image file -> pixel_values, as the checkpoint's own image processor would make them.

The steps and their order follow the reference: upright by EXIF, RGB, resized with Pillow, cropped about the middle,
rescaled, normalised. The reference's torchvision variant resizes a little differently (by 1/255 in some pixels); these
are the numbers of its older Pillow variant. A processor without a Pillow variant rescales before it resizes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import AttnvizWarning, InputError
from attnviz.families import family as family_file
from attnviz.families import model_types
from attnviz.families._config import Config
from attnviz.families._vision import CLIP, HALF, IMAGENET, ImageHabit
from attnviz.inputs.pictures import MAX_PIXELS, open_image
from attnviz.inputs.settings import FILE, check_keys, kind_of, settings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

MAX_SEEN = 1 << 22  # limit of pixels after resizing: each becomes floating-point numbers
_NEAREST, _LANCZOS, _BILINEAR, _BICUBIC, _BOX, _HAMMING = range(6)  # Pillow's numbers of filters


@dataclass(frozen=True)
class Size:
    """A size in pixels: height and width, or the shorter side, perhaps with a limit for the longer side. 0 is unset."""

    height: int = 0
    width: int = 0
    shortest: int = 0
    longest: int = 0

    def of(self, height: int, width: int) -> tuple[int, int]:
        """The size (rows, columns) to which a picture of height x width is resized."""
        if not self.shortest:
            return self.height, self.width
        low, high = min(height, width), max(height, width)
        exact: float = self.shortest
        short = self.shortest
        if self.longest and high / low * short > self.longest:
            exact = self.longest * low / high
            short = round(exact)
        long = short if low == high else int(exact * high / low)
        return (short, long) if height <= width else (long, short)


@dataclass(frozen=True)
class Steps:
    """The steps applied to a picture, None for a step that is left out.

    resample: Pillow's number of the filter. mean, std: one per channel. square: a size of one number means a square.
    rescale_first: pixels become floating-point numbers before they are resized, and are not rounded after it.
    """

    resize: Size | None
    resample: int
    crop: tuple[int, int] | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    factor: float | None = 1 / 255
    square: bool = True
    channels: int = 3
    rescale_first: bool = False


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as a model reads it, and a picture of the pixels that the model reads.

    pixel_values: float32 [channel, row, column]. shown: uint8 [row, column, 3], after resizing and cropping and before
    normalising; a margin at the right and below that fills no whole patch is cut off.
    """

    pixel_values: NDArray[np.float32]
    shown: NDArray[np.uint8]
    name: str = ""


# Each processor's values of keys that its file leaves out.
PROCESSORS = {
    "ViT": Steps(Size(224, 224), _BILINEAR, None, HALF, HALF),
    "DeiT": Steps(Size(256, 256), _BICUBIC, (224, 224), HALF, HALF),
    "Bit": Steps(Size(shortest=224), _BICUBIC, (224, 224), *CLIP, square=False),
    "CLIP": Steps(Size(shortest=224), _BICUBIC, (224, 224), *CLIP, square=False),
    "Siglip": Steps(Size(224, 224), _BICUBIC, None, HALF, HALF),
    "Beit": Steps(Size(224, 224), _BICUBIC, None, HALF, HALF),
    "DINOv3ViT": Steps(Size(224, 224), _BILINEAR, None, *IMAGENET, rescale_first=True),
}


def read_image(
    path: str | Path, config: Mapping[str, Any], folder: Path | None = None, ignore_keys: Iterable[str] = ()
) -> Picture:
    """Read an image file as the model's input.

    Args:
        path: any file that Pillow reads, except PostScript (reading it would run it).
        config: the model's config.json.
        folder: where its preprocessor_config.json is. Without one the family's usual steps are used, with a warning.
        ignore_keys: keys of that file to ignore.

    Raises:
        InputError: the file is missing, damaged, too large, or holds no picture of 8 or 16 bits.
        ConfigError: the preprocessor's file asks for something unknown.
    """
    steps = steps_of(config, folder, ignore_keys)
    return prepared(open_image(path), steps, _patch(config), Path(path).name)


def prepared(image: Image, steps: Steps, patch: tuple[int, int] = (1, 1), name: str = "") -> Picture:
    """An RGB image through all steps. patch: (rows, columns) of a patch in pixels."""
    if steps.channels == 1:
        image = image.convert("L")
    size = None if steps.resize is None else steps.resize.of(image.height, image.width)
    _check_seen(image, steps, size, name)
    if size is not None and not steps.rescale_first:
        image = image.resize(size[::-1], resample=steps.resample)
    pixels: NDArray[Any] = np.asarray(image, np.uint8)
    pixels = pixels.reshape(*pixels.shape[:2], steps.channels)  # [row, column, channel]
    factor = 1.0 if steps.factor is None else steps.factor
    if size is not None and steps.rescale_first:
        pixels, factor = _resized(pixels * np.float32(factor), size, steps.resample), 1.0
    if steps.crop is not None:
        pixels = _cropped(pixels, *steps.crop)
    # Rounded as in the reference: rescaled in float64, normalised in float32.
    values: NDArray[np.float32] = np.multiply(pixels, factor, dtype=np.float64).astype(np.float32)
    seen = pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels / (steps.factor or 1)), 0, 255)
    rows, cols = (side // size * size for side, size in zip(pixels.shape, patch, strict=False))
    shown = np.broadcast_to(seen.astype(np.uint8), (*pixels.shape[:2], 3))[:rows, :cols]
    if steps.mean is not None and steps.std is not None:
        values -= np.array(steps.mean, np.float32)
        values /= np.array(steps.std, np.float32)
    return Picture(np.ascontiguousarray(values.transpose(2, 0, 1)), np.ascontiguousarray(shown), name)


def _check_seen(image: Image, steps: Steps, size: tuple[int, int] | None, name: str) -> None:
    """Raise InputError for a picture that the steps would make too large or empty."""
    rows, cols = (image.height, image.width) if size is None else size
    if not 0 < rows * cols <= (MAX_PIXELS if steps.crop is not None and not steps.rescale_first else MAX_SEEN):
        raise InputError(f"{name}: {image.width} x {image.height} pixels would be resized to {cols} x {rows}")
    if steps.crop is not None:
        high, wide = steps.crop
        if high * wide > MAX_SEEN or max(high, rows) * max(wide, cols) > MAX_PIXELS:
            raise InputError(f"{name}: {cols} x {rows} pixels would be cropped to {wide} x {high}")


def _resized(values: NDArray[np.float32], size: tuple[int, int], resample: int) -> NDArray[np.float32]:
    """float32 [row, column, channel] resized to (rows, columns) without rounding, channel by channel."""
    from PIL import Image as Images

    planes = (Images.fromarray(values[..., c]).resize(size[::-1], resample=resample) for c in range(values.shape[2]))
    return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=-1)


def _cropped(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """The middle [height, width] of [row, column, channel]; black where the picture is smaller than that."""
    rows, cols = pixels.shape[:2]
    high, wide = max(height, rows), max(width, cols)
    top, left = math.ceil((high - rows) / 2), math.ceil((wide - cols) / 2)
    if (high, wide) != (rows, cols):
        canvas = np.zeros((high, wide, pixels.shape[2]), pixels.dtype)
        canvas[top : top + rows, left : left + cols] = pixels
        pixels = canvas
    y, x = max(0, (rows - height) // 2 + top), max(0, (cols - width) // 2 + left)
    return pixels[y : y + height, x : x + width]


# --- the checkpoint's settings ----------------------------------------------------------------------------------


def steps_of(config: Mapping[str, Any], folder: Path | None = None, ignore_keys: Iterable[str] = ()) -> Steps:
    """The steps for a model, from its preprocessor_config.json or its family's usual steps. Raises ConfigError."""
    family = str(config.get("model_type", ""))
    inner = config.get("vision_config")
    own = Config(inner if isinstance(inner, Mapping) else config)
    channels = own.int("num_channels", 3)
    if channels not in (1, 3):
        raise InputError(f"the model reads images of {channels} channels; a file has 3 (or 1, if it is grey)")
    habit = _habit_of(family)
    stated = settings(folder, "image_processor")
    if stated is None:
        steps = _habit(habit.processor, _pair(own, "image_size", 224))
        steps = replace(steps, mean=habit.mean, std=habit.std)
        warnings.warn(
            f"no {FILE}: the image is {_words(steps)}, as is usual for {family or 'such a model'}",
            AttnvizWarning,
            stacklevel=3,
        )
    else:
        steps = _read(stated, habit.processor)
        check_keys(stated, ignore_keys)
    steps = replace(steps, channels=channels, mean=_each(steps.mean, channels), std=_each(steps.std, channels))
    for what, values in (("image_mean", steps.mean), ("image_std", steps.std)):
        if values is not None and len(values) != channels:
            raise InputError(f"{what} has {len(values)} numbers; the model reads {channels} channels")
    return steps


def _habit_of(model_type: str) -> ImageHabit:
    """A family's preparation of images; ViT's if the family has none."""
    habit = getattr(family_file(model_type), "IMAGES", None) if model_type in model_types() else None
    return habit if isinstance(habit, ImageHabit) else ImageHabit("ViT", HALF, HALF)


def _habit(kind: str, side: tuple[int, int]) -> Steps:
    """A processor's steps for another image size: the sizes for resizing and cropping keep their ratio."""
    usual = PROCESSORS[kind]
    if usual.crop is None:
        return replace(usual, resize=Size(*side))
    if usual.square:
        return replace(usual, resize=Size(*(round(256 / 224 * s) for s in side)), crop=side)
    shortest = max(side) if kind == "CLIP" else round(256 / 224 * max(side))
    return replace(usual, resize=Size(shortest=shortest), crop=side)


def _words(steps: Steps) -> str:
    """`resized to 224 x 224, normalised with mean and deviation 0.5`."""
    size = steps.resize or Size()
    side = f"{size.shortest} on the shorter side" if size.shortest else f"{size.height} x {size.width}"
    text = f"resized to {side}"
    if steps.crop is not None:
        text += f", cropped to {steps.crop[0]} x {steps.crop[1]}"
    named: dict[tuple[float, ...], str] = {HALF: "0.5", IMAGENET[0]: "ImageNet's", CLIP[0]: "CLIP's"}
    return f"{text}, normalised with mean and deviation {named[steps.mean or HALF]}"


def _read(config: Config, family: str) -> Steps:
    """The steps in a preprocessor's file."""
    known = ("image_processor_type", "feature_extractor_type")
    usual = PROCESSORS[kind_of(config, known, "ImageProcessor|FeatureExtractor", PROCESSORS, family)]
    for key in ("do_pad", "use_square_size", "do_flip_channel_order"):
        config.off(key)
    config.bool("do_convert_rgb", True)  # always converted to RGB: a file may hold grey, palette or CMYK pixels
    square = config.bool("default_to_square", usual.square)
    resize = _size(config, "size", square) or usual.resize
    crop = _size(config, "crop_size", True) or Size(*(usual.crop or (0, 0)))
    if crop.shortest:
        raise config.error("crop_size must have a height and a width")
    if config.bool("do_center_crop", usual.crop is not None) and not crop.height:
        raise config.error("crop_size is missing")
    resample = config.int("resample", usual.resample, low=_NEAREST, high=_HAMMING)
    factor = config.float("rescale_factor", 1 / 255)
    mean, std = _numbers(config, "image_mean", usual.mean), _numbers(config, "image_std", usual.std)
    if std is not None and 0 in std:
        raise config.error("image_std must not be 0")
    normalise = config.bool("do_normalize", True)
    return Steps(
        resize=resize if config.bool("do_resize", True) else None,
        resample=resample,
        crop=(crop.height, crop.width) if config.bool("do_center_crop", usual.crop is not None) else None,
        mean=mean if normalise else None,
        std=std if normalise else None,
        factor=factor if config.bool("do_rescale", True) else None,
        rescale_first=usual.rescale_first,
    )


def _size(config: Config, key: str, square: bool) -> Size | None:
    """A size in any of its spellings: 224, [224, 224], {height, width}, {shortest_edge}, perhaps with longest_edge."""
    value = config.raw(key)
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        value = dict(zip(("height", "width"), config.ints(key, length=2), strict=True))
    elif not isinstance(value, dict):
        side = config.int(key, high=1 << 16)
        value = {"height": side, "width": side} if square else {"shortest_edge": side}
    inner = Config(value, f"{config.where}: {key}")
    forms = ({"height", "width"}, {"shortest_edge"}, {"shortest_edge", "longest_edge"})
    present = {name for name, side in value.items() if side is not None}
    if present not in forms:
        raise config.error(
            f"{key} must have height and width, or shortest_edge; got {', '.join(sorted(present)) or '{}'}"
        )
    sides = {name: inner.int(name, high=1 << 16) for name in present}
    return Size(*(sides.get(name, 0) for name in ("height", "width", "shortest_edge", "longest_edge")))


def _numbers(config: Config, key: str, default: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """One number for all channels, or a list with one per channel."""
    value = config.raw(key)
    if value is None:
        return default
    if not isinstance(value, (list, tuple)):
        return (config.float(key),)
    inner = Config({str(i): v for i, v in enumerate(value[:5])}, f"{config.where}: {key}")
    return tuple(inner.float(str(i)) for i in range(len(inner.data)))


def _each(values: tuple[float, ...] | None, channels: int) -> tuple[float, ...] | None:
    """One number per channel; a single number is used for all, and three equal ones fit a grey image too."""
    if values is not None and (len(values) == 1 or (channels == 1 and len(set(values)) == 1)):
        return values[:1] * channels
    return values


def _pair(config: Config, key: str, default: int) -> tuple[int, int]:
    """A size written as one number or as two, rows first."""
    value = config.raw(key, default)
    sides = config.ints(key, length=2) if isinstance(value, (list, tuple)) else (config.int(key, default),) * 2
    return sides[0], sides[1]


def _patch(config: Mapping[str, Any]) -> tuple[int, int]:
    """(rows, columns) of a patch in pixels; 1 x 1 if the configuration has none."""
    inner = config.get("vision_config")
    return _pair(Config(inner if isinstance(inner, Mapping) else config), "patch_size", 1)
