"""The rules that turn images and sound into tokens, as frozen data: the part of a Spec that text does not need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patches:
    """An image cut into rectangles, Dosovitskiy 2021. size, image: (rows, columns) of pixels.

    prefix: learned tokens before the patches (class, distillation, ...). registers: learned tokens between the
    prefix and the patches, without position embeddings (Darcet 2024). interpolate: position embeddings are stretched
    for images of other sizes. smooth: with a wider filter if the new grid has fewer patches.
    """

    size: tuple[int, int]
    channels: int
    image: tuple[int, int]
    prefix: tuple[str, ...] = ("class",)
    bias: bool = True
    interpolate: bool = False
    registers: int = 0
    smooth: bool = False

    @property
    def front(self) -> int:
        """The number of tokens before the patches."""
        return len(self.prefix) + self.registers

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of an image's patches; the remaining pixels at the right and bottom are cut off."""
        return height // self.size[0], width // self.size[1]


@dataclass(frozen=True)
class Convolutions:
    """1-D convolutions that turn sound into frames.

    dims, kernels, strides: output channels, width and step of each convolution. pad: zeros on both sides. norm: group
    (the first convolution only) | layer (each) | "". channels: of the input; 1 for raw sound, else mel bands.
    """

    dims: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    pad: int = 0
    bias: bool = True
    norm: str = ""
    eps: float = 1e-5
    activation: str = "gelu"
    channels: int = 1
    project: bool = False  # a norm and a projection to d_model follow
    project_norm: bool = True  # False: only the projection follows

    def frames(self, n: int) -> int:
        """The number of frames from n samples or spectra; 0 or less if the sound is too short."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            n = (n + 2 * self.pad - kernel) // stride + 1
        return n


@dataclass(frozen=True)
class PositionalConvolution:
    """A grouped convolution over the frames, added to them (Baevski 2020 section 2).

    Its weight may be stored as directions and lengths (Salimans 2016), one length per position in the kernel.
    stack: number of convolutions in sequence, each output normalised over its channels without weights (Baevski 2022);
    0: a single one, not normalised. batch_norm: the input is normalised by stored means and variances.
    """

    kernel: int
    groups: int
    activation: str = "gelu"
    stack: int = 0
    batch_norm: bool = False
