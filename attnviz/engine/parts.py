"""The parts of a Spec, as frozen data: norms, positions, inputs, compressed keys, routing. Defaults mean "off"."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Norm:
    """kind: layer (mean and variance) or rms (root mean square). plus_one: multiply by 1 + weight."""

    kind: str = "layer"
    eps: float = 1e-5
    weight: bool = True
    bias: bool = True
    plus_one: bool = False


@dataclass(frozen=True)
class Learned:
    """A learned table of positions; position p reads row p + offset.

    computed: what stands in for the table where a checkpoint does not store one.
    """

    size: int
    offset: int = 0
    computed: Sinusoidal | None = None


@dataclass(frozen=True)
class Sinusoidal:
    """Computed positions, Vaswani 2017 section 3.5. interleaved: sin and cos alternate; else sines first.

    ends_at_base: the slowest of the d_model / 2 frequencies is 1 / base itself, instead of the one after it; sines come
    first, and an odd width ends in a zero. zero_row: the position (offset included) that adds nothing; -1: none.
    """

    interleaved: bool = True
    base: float = 10000.0
    offset: int = 0
    ends_at_base: bool = False
    zero_row: int = -1


@dataclass(frozen=True)
class RotaryScaling:
    """How rotary frequencies are stretched for long texts.

    kind: linear | dynamic | wavelength | yarn | longrope. What each reads stands in engine/positions.py.
    long_attention_factor: takes the place of attention_factor beyond the original length (longrope); 0: it does not.
    """

    kind: str
    factor: float = 1.0
    original: int = 0
    low: float = 1.0
    high: float = 4.0
    attention_factor: float = 0.0  # 0: by the rule of the kind
    long_attention_factor: float = 0.0
    mscale: float = 0.0
    mscale_all_dim: float = 0.0
    truncate: bool = True
    short_factor: tuple[float, ...] = ()
    long_factor: tuple[float, ...] = ()
    limit: int = 0  # positions the model was configured for


@dataclass(frozen=True)
class Rotary:
    """Rotary positions, Su 2021. dim: rotated dimensions of a head, an odd one rounded up to the next pair.

    interleaved: pairs are neighbours, not halves. stored: rows of a table `rotary.table` that a checkpoint may hold
    instead: of each position the sines of its angles, then the cosines. 0: angles are always computed.
    last: the last dimensions of a head turn instead of the first. by_patch: half the pairs turn by a patch's row and
    half by its column (both from -1 to 1 over the image, times 2 pi), and tokens in front of the patches do not turn.
    """

    dim: int
    base: float = 10000.0
    interleaved: bool = False
    scaling: RotaryScaling | None = None
    stored: int = 0
    last: bool = False
    by_patch: bool = False


@dataclass(frozen=True)
class Latent:
    """Keys and values projected up from one compressed vector, DeepSeek-AI 2024 (DeepSeek-V2), section 2.1.

    d_kv: width of that vector, which `norm` normalises first. d_q: width of a compressed vector of queries, normalised
    likewise; 0: queries are projected from the stream. d_shared: the last dimensions of every key, projected from the
    stream itself and shared by all heads. bias: whether the projections down have one.
    """

    d_kv: int
    d_q: int = 0
    d_shared: int = 0
    norm: Norm = field(default_factory=lambda: Norm("rms", bias=False))
    bias: bool = False


@dataclass(frozen=True)
class Routing:
    """How a router's scores [n_experts] for a token become the experts it is sent to, and their shares.

    by: chosen (softmax over the scores of the chosen experts, Jiang 2024, eq. 2) | softmax (over all scores, Shazeer
    2017) | sigmoid (of each score, DeepSeek-AI 2024 (DeepSeek-V3), eq. 13-16) | mixer (two experts, one after the
    other, each with its share of a softmax over the scores left that are near the highest, Liu 2024 (GRIN)).
    normalised: shares are divided by their sum. times: shares are multiplied by this.
    corrected: a learned number for each expert is added to what experts are chosen by, and not to their shares.
    groups, top_groups: experts stand in groups, and are chosen from the best groups only. group_by: how many of its
    best experts a group is measured by. near: how far below the highest a score may lie in a mixer, relative to it.
    """

    by: str = "chosen"
    normalised: bool = False
    times: float = 1.0
    corrected: bool = False
    groups: int = 1
    top_groups: int = 1
    group_by: int = 1
    near: float = 0.0


@dataclass(frozen=True)
class Alibi:
    """A linear penalty on distance, Press 2021. max_bias sets the slopes; bfloat16: they are rounded as stored so."""

    max_bias: float = 8.0
    bfloat16: bool = False
    odd_first: bool = False  # heads not a power of two: every other slope of the next power first, then the rest
    before_scale: bool = False  # added before scores are scaled
    times: float = 1.0


@dataclass(frozen=True)
class Buckets:
    """A learned bias by bucketed distance, Raffel 2020 section 2.1. by_layer: every layer has a table of its own.

    gated: each layer multiplies it by a gate of its own, which depends on what the query's token reads (Chen 2022,
    section III-A).
    """

    n_buckets: int = 32
    max_distance: int = 128
    bidirectional: bool = True
    rows: int = 0  # of the stored table, where it has more than are read
    by_layer: bool = False
    gated: bool = False


@dataclass(frozen=True)
class ImageOffsets:
    """A learned bias by how many rows and columns of patches lie between query and key, Liu 2021 (Swin) section 3.2.

    grid: (rows, columns) of patches that the table was made for; it is stretched to other images. Three further entries
    are for tokens in front of the patches: as queries, as keys, as both. shared: one table for all layers; own: a table
    a layer; where both are on, they are added.
    """

    grid: tuple[int, int]
    shared: bool = False
    own: bool = True

    @property
    def rows(self) -> int:
        """Entries of a table."""
        return (2 * self.grid[0] - 1) * (2 * self.grid[1] - 1) + 3


@dataclass(frozen=True)
class Segmental:
    """Relative positions by a second score, Dai 2019, section 3.3; clamp: largest distance, -1 none."""

    clamp: int = -1


@dataclass(frozen=True)
class Disentangled:
    """Content-to-position and position-to-content scores, He 2021, section 3.1."""

    span: int
    buckets: int = 0
    max_relative: int = 512
    c2p: bool = True
    p2c: bool = True
    share_key: bool = True
    norm: Norm | None = None
    key_bias: bool = True  # of the projection of distances to keys


@dataclass(frozen=True)
class DistanceVectors:
    """A learned vector for each distance, which queries are scored against (Shaw 2018, eq. 4, keys alone).

    size: how many tokens a text may have; query - key reads row query - key + size - 1. by_key: keys are scored
    against it as well (Huang 2020, method 4). scaled: with the other scores; False: added to the scaled ones.
    """

    size: int
    by_key: bool = False
    scaled: bool = True


@dataclass(frozen=True)
class Blocks:
    """Block-sparse attention, Zaheer 2020, section 3."""

    size: int
    n_random: int

    def used(self, n: int) -> bool:
        """Whether a text of n tokens is long enough for blocks; shorter ones attend in full."""
        return n > (5 + 2 * self.n_random) * self.size
