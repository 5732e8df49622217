"""How images and sound become tokens, as frozen data: the part of a Spec that text has no use for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patches:
    """An image cut into rectangles, Dosovitskiy 2021. size, image: (rows, columns) of pixels.

    prefix: learned tokens in front (class, distillation, ...). registers: further learned tokens between the prefix and
    the patches, without a place of their own (Darcet 2024). interpolate: the places are stretched to other images;
    smooth: with a wider filter where that makes them fewer.
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
        """How many tokens stand in front of the patches."""
        return len(self.prefix) + self.registers

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of an image's patches; what is left over at the right and below is cut off."""
        return height // self.size[0], width // self.size[1]


@dataclass(frozen=True)
class Convolutions:
    """Sound into frames by 1-D convolutions.

    norm: group (first layer only) | layer (each) | "" ; pad: zeros on both sides.
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
    project: bool = False  # a norm and a projection to d_model behind them
    project_norm: bool = True  # False: the projection alone

    def frames(self, n: int) -> int:
        """How many frames come of n samples or spectra; 0 or less where it is too short."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            n = (n + 2 * self.pad - kernel) // stride + 1
        return n


@dataclass(frozen=True)
class PositionalConvolution:
    """A grouped convolution over the frames, added to them (Baevski 2020 section 2).

    Its weight may be stored as lengths and directions (Salimans 2016): a length for each place of the kernel.
    stack: so many convolutions one after the other, the output of each normalised over its channels without weights
    (Baevski 2022); 0: a single one, not normalised. batch_norm: what goes in is normalised by stored means and
    variances.
    """

    kernel: int
    groups: int
    activation: str = "gelu"
    stack: int = 0
    batch_norm: bool = False
