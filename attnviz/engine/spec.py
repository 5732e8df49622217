"""The arithmetic of a transformer as frozen data. Defaults mean "off".

A family file turns a checkpoint's configuration into a Spec (one stack of blocks), or into an EncoderDecoder or Towers
(two stacks). The engine reads nothing else: a new behaviour is a new field here, never the name of a family.

The engine asks for tensors by canonical names. Matrices are [out, in], for `x @ W.T`:

    embed.tokens [vocab, d_embed]     embed.types [n_types, d_embed]     embed.positions [positions, d_embed]
    embed.tasks [n_tasks, d_embed]
    embed.norm.weight|bias            embed.project.weight|bias [d_model, d_embed]

    images  embed.patches.weight|bias [d_model, channel, row, column]     embed.class|distillation [d_model]
            embed.registers [n_registers, d_model]
    sound   embed.conv.{i}.weight|bias [out, in, kernel]    embed.conv.{i}.norm.weight|bias
            embed.project.norm.weight|bias
            embed.positions.weight|bias [d_model, d_model / groups, kernel], or for the weight
            embed.positions.direction, of its shape, and embed.positions.length [1, 1, kernel]
            embed.positions.{i}.weight|bias of a stack; embed.positions.norm.weight|bias|mean|variance [d_model]

    layers.{i}.q|k|v|o.weight|bias             q: [n_heads * d_head, d_model], k and v: [n_kv_heads * d_head, d_model]
    layers.{i}.norm1|norm2.weight|bias         before a sublayer (pre) or on the sum (post)
    layers.{i}.norm1_out|norm2_out.weight|bias on a sublayer's output
    layers.{i}.scale1|scale2 [d_model]         layers.{i}.sinks [n_heads]
    layers.{i}.q_norm|k_norm.weight|bias       layers.{i}.q_norm|k_norm.{e}.weight with a norm per head
    layers.{i}.up|gate|down.weight|bias
    layers.{i}.router.weight|bias              layers.{i}.experts.{e}.up|gate|down.weight|bias
    layers.{i}.experts.bias [d_model]
    layers.{i}.router.correction [n_experts]   layers.{i}.shared.up|gate|down.weight|bias
    layers.{i}.shared.weigh.weight [1, d_model]
    keys and values (and in some models queries) from a compressed vector
            layers.{i}.kv_down.weight|bias [d_kv + rotary dim, d_model]       layers.{i}.kv_norm.weight
            layers.{i}.q_down.weight|bias [d_q, d_model]                      layers.{i}.q_down_norm.weight
            layers.{i}.q.weight [n_heads * d_head, d_q]
            layers.{i}.k.weight [n_heads * (d_head - rotary dim), d_kv]
            layers.{i}.v.weight [n_heads * d_value, d_kv]
    layers.{i}.global_q|global_k|global_v.weight|bias                  for global tokens
    layers.{i}.cross_q|cross_k|cross_v|cross_o.weight|bias             layers.{i}.norm_cross.weight|bias

    scores by distance
            bias.table [n_buckets, n_heads]                       or layers.{i}.bias.table, one table per layer
            layers.{i}.bias_gate.weight|bias [8, d_head]          layers.{i}.bias_gate.scale [n_heads]
            layers.{i}.r.weight [n_heads * d_head, d_model]       layers.{i}.segments [2, n_heads, d_head]
            layers.{i}.content_bias|position_bias|segment_bias [n_heads, d_head]
            relative.table [2 * span, d_model]                    relative.norm.weight|bias
            layers.{i}.position_q|position_k.weight|bias
            layers.{i}.distances [2 * size - 1, d_head]           rotary.table [positions, dim]

    convolution.weight|bias [d_model, d_model / groups, kernel]     convolution.norm.weight|bias
    final_norm.weight|bias

A bias has one number per row of its weight. In an encoder-decoder every name begins with `encoder.` or `decoder.`,
in two towers with `text.` or `image.`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from attnviz.engine.parts import (
    Alibi,
    Blocks,
    Buckets,
    Disentangled,
    DistanceVectors,
    ImageOffsets,
    Latent,
    Learned,
    Norm,
    Rotary,
    Routing,
    Segmental,
    Sinusoidal,
)
from attnviz.engine.parts import RotaryScaling as RotaryScaling
from attnviz.engine.senses import Convolutions as Convolutions
from attnviz.engine.senses import Patches as Patches
from attnviz.engine.senses import PositionalConvolution as PositionalConvolution

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")


class AttentionFunction(Protocol):
    """A rule that computes attention weights without a softmax over allowed scores, layer by layer (variants/)."""

    def __call__(
        self, layer: int, q: NDArray[np.float32], k: NDArray[np.float32], scale: float, causal: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """Weights [head, query, key] from q [head, query, d_head] and k [head, key, d_head], and an optional mask.

        The mask is True where attending is allowed: bool [query, key] or [head, query, key]; None allows all keys.
        """


class Stack(NamedTuple):
    """One of a model's stacks of blocks.

    spec: the stack itself. prefix: the beginning of its tensors' names. stream: the name of its self-attention, and of
    the input that it reads.
    """

    spec: Spec
    prefix: str
    stream: str


class Stacks:
    """All stacks of a model: a Spec is one stack, an EncoderDecoder and Towers have two.

    The three classes answer the same questions, so that callers need not know which of them they have.
    start_id: the token that a decoder's text begins with; None if the configuration names none.
    """

    start_id: int | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        """The kinds of attention that can be shown: self; or encoder, decoder and cross."""
        return ("self",)

    @property
    def stacks(self) -> dict[str, Stack]:
        """Every stack by its name: self; encoder and decoder; text and image."""
        raise NotImplementedError

    def passes(self, stream: str | None = None, image: bool = False) -> tuple[Stack, ...]:
        """The stacks to run for a stream's attention, in this order; the last one has that attention.

        One pass is enough for self-attention of a single stack, an encoder or a tower. A decoder takes two: the output
        of the encoder, in the first, is the memory that the decoder's cross-attention reads in the second.

        Args:
            stream: one of `streams`; None for the first of them.
            image: whether the input is an image, which has a tower of its own beside one of text.
        """
        raise NotImplementedError

    @property
    def generator(self) -> Stack:
        """The stack that a language-model head would follow: the decoder of two stacks, the tower of text."""
        return self.passes(self.streams[-1])[-1]

    @property
    def reads_target(self) -> bool:
        """Whether there is a decoder that reads a second text, the target, beside the encoder's input."""
        return "decoder" in self.stacks

    def alone(self, name: str) -> Spec:
        """The stack of this name as a model of its own, as some checkpoints store it: without cross-attention."""
        return replace(self.stacks[name].spec, cross=False)


@dataclass(frozen=True)
class Spec(Stacks):
    """One stack of transformer blocks.

    n_kv_heads: heads of keys and values; 0 means n_heads. d_head: width of a query and a key; 0 means
    d_model // n_heads. d_value: width of a value; 0 means d_head. d_mlp: inner width of the MLP; 0 means no MLP.
    vocab: rows of the token table; 0 means no token embedding.
    """

    n_layers: int
    n_heads: int
    d_model: int
    d_mlp: int
    vocab: int = 0
    n_kv_heads: int = 0
    d_head: int = 0
    d_value: int = 0

    # The input.
    patches: Patches | None = None
    convolutions: Convolutions | None = None
    d_embed: int = 0  # width of the token embedding if it is not d_model
    project_bias: bool = True
    project_square: bool = False  # the embedding is projected even if d_embed is d_model
    n_types: int = 0
    n_tasks: int = 0  # rows of a table of tasks; its first row is added to every token
    types_are_tokens: bool = False  # token types are looked up in the token table
    embed_norm: Norm | None = None
    embed_order: tuple[str, ...] = ("add", "norm")  # steps: add (types and positions), norm, project
    embed_scale: float = 1.0
    mask_dropout: int = -1  # id of a mask token: its embedding becomes 0, the rest are rescaled; -1: off
    by_word: bool = False  # the embedding is looked up by word, not by id (the seeded model)

    # Positions.
    absolute: Learned | Sinusoidal | None = None
    no_padding: int = -1  # id of padding, which a text must not contain; -1: off
    pad_positions: int = -1  # id of padding, whose tokens share one position and are not counted; -1: off
    positional_convolution: PositionalConvolution | None = None
    rotary: tuple[Rotary | None, ...] = ()  # one for all layers, or one per layer
    bias: Alibi | Buckets | ImageOffsets | None = None
    rotary_values: bool = False  # values are rotated like queries and keys
    relative: Segmental | Disentangled | DistanceVectors | None = None

    trained_positions: int = 0  # positions seen in training, if more can be computed; 0: not known

    # The mask.
    causal: bool = False
    reach: tuple[int, ...] = ()  # one for all layers, or one per layer: tokens seen back (and ahead); -1: all
    global_tokens: bool = False  # some tokens see all tokens and are seen by all, with projections of their own
    blocks: Blocks | None = None

    # Attention.
    variant: tuple[AttentionFunction | None, ...] = ()  # one for all layers, or one per layer; None: softmax
    scale: float = 0.0  # scores are multiplied by it; 0: 1 / sqrt(d_head)
    scale_by_layer: bool = False  # the scale is divided by the layer's number, counted from 1
    softcap: float = 0.0  # scores are squashed to +-softcap with tanh; 0: off
    q_bias: bool = True
    k_bias: bool = True
    v_bias: bool = True
    o_bias: bool = True
    latent: Latent | None = None
    qkv_clip: float = 0.0  # queries, keys and values are clipped to +-qkv_clip; 0: off
    clip_after_norm: bool = False  # queries and keys are clipped after qk_norm, not before
    qk_norm: Norm | None = None
    qk_norm_over: str = "head"  # head (one weight for all heads) | heads (one per head) | all (across heads)
    qk_norm_turned: bool = False  # queries and keys are normalised after the rotation, not before
    output: bool = True  # False: no W_O; the output is the concatenated heads
    sinks: bool = False  # each head has a learned score outside the text that takes a share of the softmax
    mean_of_heads: bool = False  # the reference returns the mean over heads as every head's self-attention
    cross: bool = False  # cross-attention to another stack's output follows self-attention

    # The block.
    norm: Norm = field(default_factory=Norm)
    norm_before: bool = False  # pre-norm: on the input of each sublayer
    norm_after: bool = False  # post-norm: on the sum with the residual stream
    norm_output: bool = False  # on the output of each sublayer, before the sum
    first_norm: bool = True  # False: layer 0 has no norm before attention
    parallel: str = ""  # shared | separate: attention and MLP read the same x, through one norm or two
    residual_from_norm: bool = False  # the output is added to the normed input, not to x
    layer_scale: bool = False  # each output is multiplied by a learned vector [d_model]
    sublayer_scale: float = 1.0  # the outputs of attention and MLP are multiplied by it before the sum
    convolution_after_first: int = 0  # width of a convolution over the embeddings, which is added after layer 0; 0: off
    convolution_activation: str = "tanh"
    convolution_groups: int = 1
    final_norm: Norm | None = None
    layer_source: tuple[int, ...] = ()  # the stored layer whose tensors each layer reads; (): its own

    # MLP.
    activation: str = "gelu"
    gated: bool = False
    mlp_bias: bool = True
    n_experts: int = 0
    top_k: int = 0
    router_bias: bool = False
    routing: Routing = field(default_factory=Routing)
    expert_layers: tuple[bool, ...] = ()  # per layer, whether its MLP is a mixture of experts; (): all layers
    d_expert: int = 0  # inner width of an expert, 0: d_mlp
    expert_bias: bool | None = None  # None: mlp_bias
    mixture_bias: bool = False  # a bias is added to the summed output of a token's experts
    d_shared: int = 0  # inner width of a further expert that every token is sent to; 0: none
    weighed_shared: bool = False  # the shared expert's output is multiplied by the sigmoid of a score
    clamp: float = 0.0  # gate is kept below it, up within +-it, and 1 + up replaces up; 0: off
    alpha: float = 1.0  # the clamped gate is multiplied by it inside the sigmoid

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_kv_heads", self.n_kv_heads or self.n_heads)
        object.__setattr__(self, "d_head", self.d_head or self.d_model // self.n_heads)
        object.__setattr__(self, "d_value", self.d_value or self.d_head)
        object.__setattr__(self, "d_embed", self.d_embed or self.d_model)
        object.__setattr__(self, "scale", self.scale or self.d_head**-0.5)

    @property
    def stacks(self) -> dict[str, Stack]:
        return {"self": Stack(self, "", "self")}

    def passes(self, stream: str | None = None, image: bool = False) -> tuple[Stack, ...]:
        """As in `Stacks`. Cross-attention between two texts runs one stack twice: for the pair, then for the text."""
        if stream == "cross":
            return Stack(self, "", "encoder"), Stack(replace(self, cross=True), "", "decoder")
        return (Stack(self, "", stream or "self"),)

    def rotary_of(self, layer: int) -> Rotary | None:
        """The rotary positions of a layer, or None."""
        return _of(self.rotary, layer, None)

    def reach_of(self, layer: int) -> int:
        """The farthest distance that a layer sees, in tokens; -1 for no limit."""
        return _of(self.reach, layer, -1)

    def variant_of(self, layer: int) -> AttentionFunction | None:
        """The function that computes a layer's weights instead of a softmax, or None."""
        return _of(self.variant, layer, None)

    def has_experts(self, layer: int) -> bool:
        """Whether the MLP of a layer is a mixture of experts."""
        return self.n_experts > 0 and _of(self.expert_layers, layer, True)

    def stored(self, layer: int) -> str:
        """The canonical prefix of the layer whose tensors this layer reads."""
        return f"layers.{self.layer_source[layer] if self.layer_source else layer}."

    @property
    def max_positions(self) -> int | None:
        """Tokens of the longest text that the stored tables allow, or None if positions are computed."""
        limits = [turn.stored for turn in self.rotary if turn is not None and turn.stored]
        if isinstance(self.absolute, Learned):
            limits.append(self.absolute.size - self.absolute.offset)
        if isinstance(self.relative, DistanceVectors):
            limits.append(self.relative.size)
        return min(limits, default=None)


@dataclass(frozen=True)
class Transform:
    """A dense layer, an activation and a norm between the last layer and the table of a masked-language head.

    unembed.dense.weight|bias [width, d_model], bias if the checkpoint has it     unembed.norm.weight|bias [width]
    """

    activation: str
    norm: Norm


@dataclass(frozen=True)
class Unembed:
    """The language-model head: last layer -> one logit per vocabulary token.

    unembed.weight [vocab, width]     unembed.bias [vocab], if the checkpoint has it
    unembed.project.weight [d_embed, d_model], if the two widths differ and there is no transform

    scale: logits are multiplied by it. softcap: logits are squashed to +-softcap with tanh; 0 turns it off.
    transform: steps before the table, whose width is then its own; else it is d_embed. masked: the logits of a position
    are for the token at that position (masked-language models), not for the one that follows.
    """

    scale: float = 1.0
    softcap: float = 0.0
    transform: Transform | None = None
    masked: bool = False


@dataclass(frozen=True)
class EncoderDecoder(Stacks):
    """Two stacks: the decoder's cross-attention reads the encoder's output."""

    encoder: Spec
    decoder: Spec
    start_id: int | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        return "encoder", "decoder", "cross"

    @property
    def stacks(self) -> dict[str, Stack]:
        return {
            "encoder": Stack(self.encoder, "encoder.", "encoder"),
            "decoder": Stack(self.decoder, "decoder.", "decoder"),
        }

    def passes(self, stream: str | None = None, image: bool = False) -> tuple[Stack, ...]:
        encoder, decoder = self.stacks.values()
        return (encoder,) if stream in (None, "encoder") else (encoder, decoder)


@dataclass(frozen=True)
class Towers(Stacks):
    """Two stacks side by side, one for text and one for images: each input runs through one of them."""

    text: Spec
    image: Spec

    @property
    def stacks(self) -> dict[str, Stack]:
        return {"text": Stack(self.text, "text.", "self"), "image": Stack(self.image, "image.", "self")}

    def passes(self, stream: str | None = None, image: bool = False) -> tuple[Stack, ...]:
        return (self.stacks["image" if image else "text"],)


def _of(values: tuple[T, ...], layer: int, off: T) -> T:
    """A layer's value of a setting that has one value for all layers, one per layer, or none (`off`)."""
    if not values:
        return off
    return values[layer] if len(values) > 1 else values[0]
