"""The parts of a Spec, as frozen data: norms, positions, inputs, compressed keys, routing. Defaults mean "off"."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Norm:
    """A norm. kind: layer (mean and variance) or rms (root mean square). plus_one: multiply by 1 + weight."""

    kind: str = "layer"
    eps: float = 1e-5
    weight: bool = True
    bias: bool = True
    plus_one: bool = False


@dataclass(frozen=True)
class Learned:
    """A learned table of positions; position p reads row p + offset.

    computed: the rule that replaces the table if a checkpoint does not store one.
    """

    size: int
    offset: int = 0
    computed: Sinusoidal | None = None


@dataclass(frozen=True)
class Sinusoidal:
    """Computed positions, Vaswani 2017 section 3.5. interleaved: sines and cosines alternate; otherwise sines first.

    ends_at_base: the last of the d_model / 2 frequencies is exactly 1 / base; otherwise 1 / base would be the next one.
    Sines come first, and an odd width ends with a zero. zero_row: the position, offset included, whose vector is zero;
    -1: none.
    """

    interleaved: bool = True
    base: float = 10000.0
    offset: int = 0
    ends_at_base: bool = False
    zero_row: int = -1


@dataclass(frozen=True)
class RotaryScaling:
    """A rule that stretches rotary frequencies for long texts.

    kind: linear | dynamic | wavelength | yarn | longrope; engine/positions.py has the fields that each reads.
    original: positions of the original training. attention_factor: cos and sin are multiplied by it.
    long_attention_factor: replaces attention_factor beyond the original length (longrope); 0: it does not.
    """

    kind: str
    factor: float = 1.0
    original: int = 0
    low: float = 1.0
    high: float = 4.0
    attention_factor: float = 0.0  # 0: computed by the rule of the kind
    long_attention_factor: float = 0.0
    mscale: float = 0.0
    mscale_all_dim: float = 0.0
    truncate: bool = True
    short_factor: tuple[float, ...] = ()
    long_factor: tuple[float, ...] = ()
    limit: int = 0  # positions that the model is configured for


@dataclass(frozen=True)
class Rotary:
    """Rotary positions, Su 2021. dim: rotated dimensions of a head; an odd number is rounded up to the next pair.

    interleaved: a pair is two neighbouring dimensions; otherwise dimension i is paired with dimension i + dim / 2.
    stored: rows of the table `rotary.table` that a checkpoint may have: for each position the sines of its angles, then
    the cosines. 0: angles are always computed. last: the last dimensions of a head are rotated, not the first.
    by_patch: half the pairs are rotated by a patch's row and half by its column (both from -1 to 1 over the image,
    times 2 pi); tokens before the patches are not rotated.
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

    d_kv: width of that vector, which `norm` normalises first. d_q: width of the compressed vector of queries, which is
    normalised too; 0: queries are projected from the residual stream. d_shared: the last dimensions of every key, which
    are projected from the residual stream and shared by all heads. bias: whether the projections down have a bias.
    """

    d_kv: int
    d_q: int = 0
    d_shared: int = 0
    norm: Norm = field(default_factory=lambda: Norm("rms", bias=False))
    bias: bool = False


@dataclass(frozen=True)
class Routing:
    """The rule that turns a router's scores [n_experts] for a token into its experts and their shares.

    by: chosen (softmax over the scores of the chosen experts, Jiang 2024, eq. 2) | softmax (over all scores, Shazeer
    2017) | sigmoid (of each score, DeepSeek-AI 2024 (DeepSeek-V3), eq. 13-16) | mixer (two experts, one after the
    other, each with its share of a softmax over the remaining scores near the highest, Liu 2024 (GRIN)).
    normalised: shares are divided by their sum. times: shares are multiplied by this.
    corrected: a learned number per expert is added to the scores that choose experts, but not to their shares.
    groups, top_groups: experts form `groups` groups and are chosen from the best `top_groups` only. group_by: a group
    is ranked by the sum of its best `group_by` experts. near: in a mixer, the relative distance below the highest score
    within which scores count.
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
    """A linear penalty on distance, Press 2021. max_bias: sets the slopes. bfloat16: they are rounded to bfloat16."""

    max_bias: float = 8.0
    bfloat16: bool = False
    odd_first: bool = False  # if n_heads is no power of 2: every second slope of the next power first, then the rest
    before_scale: bool = False  # added before scores are scaled
    times: float = 1.0


@dataclass(frozen=True)
class Buckets:
    """A learned bias by bucketed distance, Raffel 2020 section 2.1. by_layer: each layer has its own table.

    gated: each layer multiplies the bias by its own gate, which depends on the attention input x of the query's token
    (Chen 2022, section III-A).
    """

    n_buckets: int = 32
    max_distance: int = 128
    bidirectional: bool = True
    rows: int = 0  # rows of the stored table if it has more than n_buckets
    by_layer: bool = False
    gated: bool = False


@dataclass(frozen=True)
class ImageOffsets:
    """A learned bias by the rows and columns of patches between query and key, Liu 2021 (Swin) section 3.2.

    grid: (rows, columns) of patches that the table was trained for; it is stretched for other images. Three further
    entries are for tokens before the patches: as queries, as keys, as both. shared: one table for all layers. own: one
    table per layer. If both are on, the two are added.
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
    """Relative positions by a second score, Dai 2019, section 3.3. clamp: the largest distance; -1: no limit."""

    clamp: int = -1


@dataclass(frozen=True)
class Disentangled:
    """Content-to-position (c2p) and position-to-content (p2c) scores, He 2021, section 3.1.

    span: half the rows of the table of relative positions. buckets: distances above half of it are bucketed by their
    logarithm, up to max_relative; 0: no buckets. share_key: positions use the content's projections.
    """

    span: int
    buckets: int = 0
    max_relative: int = 512
    c2p: bool = True
    p2c: bool = True
    share_key: bool = True
    norm: Norm | None = None
    key_bias: bool = True  # whether the projection of distances to keys has a bias


@dataclass(frozen=True)
class DistanceVectors:
    """A learned vector per distance, multiplied with queries to give scores (Shaw 2018, eq. 4, keys alone).

    size: tokens that a text may have; query - key reads row query - key + size - 1. by_key: keys are multiplied with it
    too (Huang 2020, method 4). scaled: these scores are scaled like q . k; False: they are added after scaling.
    """

    size: int
    by_key: bool = False
    scaled: bool = True


@dataclass(frozen=True)
class Blocks:
    """Block-sparse attention, Zaheer 2020, section 3.

    size: tokens of a block. n_random: random blocks that each block of queries sees.
    """

    size: int
    n_random: int

    def used(self, n: int) -> bool:
        """Whether a text of n tokens is long enough for blocks; in a shorter text all tokens see all."""
        return n > (5 + 2 * self.n_random) * self.size
