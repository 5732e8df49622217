"""What a transformer does, as frozen data. Defaults mean "off".

A family file turns a checkpoint's configuration into one Spec (a single stack of blocks) or an EncoderDecoder (two).
The engine reads nothing else: a new behaviour is a new field here, never the name of a family.

Tensors are asked for by canonical names. Matrices are [out, in], as `x @ W.T` wants them:

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
    layers.{i}.q_norm|k_norm.weight|bias       layers.{i}.q_norm|k_norm.{e}.weight with a norm a head
    layers.{i}.up|gate|down.weight|bias
    layers.{i}.router.weight|bias              layers.{i}.experts.{e}.up|gate|down.weight|bias
    layers.{i}.experts.bias [d_model]
    layers.{i}.router.correction [n_experts]   layers.{i}.shared.up|gate|down.weight|bias
    layers.{i}.shared.weigh.weight [1, d_model]
    keys and values from a compressed vector (and perhaps queries)
            layers.{i}.kv_down.weight|bias [d_kv + rotary dim, d_model]       layers.{i}.kv_norm.weight
            layers.{i}.q_down.weight|bias [d_q, d_model]                      layers.{i}.q_down_norm.weight
            layers.{i}.q.weight [n_heads * d_head, d_q]
            layers.{i}.k.weight [n_heads * (d_head - rotary dim), d_kv]
            layers.{i}.v.weight [n_heads * d_value, d_kv]
    layers.{i}.global_q|global_k|global_v.weight|bias                  of global tokens
    layers.{i}.cross_q|cross_k|cross_v|cross_o.weight|bias             layers.{i}.norm_cross.weight|bias

    scores by place
            bias.table [n_buckets, n_heads]                       or layers.{i}.bias.table, a table for each layer
            layers.{i}.bias_gate.weight|bias [8, d_head]          layers.{i}.bias_gate.scale [n_heads]
            layers.{i}.r.weight [n_heads * d_head, d_model]       layers.{i}.segments [2, n_heads, d_head]
            layers.{i}.content_bias|position_bias|segment_bias [n_heads, d_head]
            relative.table [2 * span, d_model]                    relative.norm.weight|bias
            layers.{i}.position_q|position_k.weight|bias
            layers.{i}.distances [2 * size - 1, d_head]           rotary.table [positions, dim]

    convolution.weight|bias [d_model, d_model / groups, kernel]     convolution.norm.weight|bias
    final_norm.weight|bias

Biases have the first length of their weight. In an encoder-decoder every name begins with `encoder.` or `decoder.`,
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
    """Attention weights made otherwise than by a softmax over allowed scores (variants/), a whole layer at once."""

    def __call__(
        self, layer: int, q: NDArray[np.float32], k: NDArray[np.float32], scale: float, causal: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """q [head, query, d_head], k [head, key, d_head] -> weights [head, query, key], and where attending is allowed:
        bool [query, key] or [head, query, key], None for everywhere."""


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

        With two passes, the output of the first is the memory that cross-attention in the second reads.

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

    n_kv_heads 0: as many as n_heads. d_head 0: d_model // n_heads. d_value: width of a head's values, 0: d_head.
    d_mlp: inner width, 0 for no MLP. vocab 0: no token embedding.
    """

    n_layers: int
    n_heads: int
    d_model: int
    d_mlp: int
    vocab: int = 0
    n_kv_heads: int = 0
    d_head: int = 0
    d_value: int = 0

    # What goes in.
    patches: Patches | None = None
    convolutions: Convolutions | None = None
    d_embed: int = 0  # width of the token embedding where it differs from d_model
    project_bias: bool = True
    project_square: bool = False  # projected also where d_embed is d_model
    n_types: int = 0
    n_tasks: int = 0  # rows of a table whose first is added to every token
    types_are_tokens: bool = False  # token types are looked up in the token table
    embed_norm: Norm | None = None
    embed_order: tuple[str, ...] = ("add", "norm")  # of: add (types and positions), norm, project
    embed_scale: float = 1.0
    mask_dropout: int = -1  # id of a mask token whose embedding is zeroed and the rest rescaled; -1: off
    by_word: bool = False  # embeddings belong to words, not to ids (the seeded model)

    # Where things are.
    absolute: Learned | Sinusoidal | None = None
    no_padding: int = -1  # id of padding that a text must not hold; -1: off
    pad_positions: int = -1  # id of padding, whose tokens hold one place and do not count; -1: off
    positional_convolution: PositionalConvolution | None = None
    rotary: tuple[Rotary | None, ...] = ()  # one for all layers, or one a layer
    bias: Alibi | Buckets | ImageOffsets | None = None
    rotary_values: bool = False  # values turn as queries and keys do
    relative: Segmental | Disentangled | DistanceVectors | None = None

    trained_positions: int = 0  # how many positions it was trained for, where more can be computed; 0: not known

    # Who may see whom.
    causal: bool = False
    reach: tuple[int, ...] = ()  # one for all layers, or one a layer: how many tokens back (and ahead); -1: all
    global_tokens: bool = False  # some tokens see and are seen by all, with projections of their own
    blocks: Blocks | None = None

    # Attention.
    variant: tuple[AttentionFunction | None, ...] = ()  # one for all layers, or one per layer; None: softmax
    scale: float = 0.0  # of scores; 0: 1 / sqrt(d_head)
    scale_by_layer: bool = False
    softcap: float = 0.0
    q_bias: bool = True
    k_bias: bool = True
    v_bias: bool = True
    o_bias: bool = True
    latent: Latent | None = None
    qkv_clip: float = 0.0
    clip_after_norm: bool = False  # queries and keys are clipped after qk_norm, not before
    qk_norm: Norm | None = None
    qk_norm_over: str = "head"  # head (one weight for all heads) | heads (one a head) | all (across heads)
    qk_norm_turned: bool = False  # after rotary positions instead of before them
    output: bool = True  # False: no W_O, the heads side by side are the output
    sinks: bool = False
    mean_of_heads: bool = False  # the reference gives the mean over heads as every head's self-attention
    cross: bool = False  # attends to a second stack's output after itself

    # The block.
    norm: Norm = field(default_factory=Norm)
    norm_before: bool = False  # pre-norm
    norm_after: bool = False  # post-norm, on the sum
    norm_output: bool = False  # on a sublayer's output, before the sum
    first_norm: bool = True  # False: layer 0 has no norm before attention
    parallel: str = ""  # shared | separate: attention and MLP read the same input, with one norm or two
    residual_from_norm: bool = False
    layer_scale: bool = False
    sublayer_scale: float = 1.0  # the outputs of attention and MLP are multiplied with it before the sum
    convolution_after_first: int = 0  # kernel of a convolution over the embeddings, added after layer 0
    convolution_activation: str = "tanh"
    convolution_groups: int = 1
    final_norm: Norm | None = None
    layer_source: tuple[int, ...] = ()  # which stored layer each layer reads; () its own

    # MLP.
    activation: str = "gelu"
    gated: bool = False
    mlp_bias: bool = True
    n_experts: int = 0
    top_k: int = 0
    router_bias: bool = False
    routing: Routing = field(default_factory=Routing)
    expert_layers: tuple[bool, ...] = ()  # which layers have experts, where not all have
    d_expert: int = 0  # inner width of an expert, 0: d_mlp
    expert_bias: bool | None = None  # None: as mlp_bias says
    mixture_bias: bool = False  # added to what a token's experts give together
    d_shared: int = 0  # inner width of an expert that every token is sent to beside the others, 0: there is none
    weighed_shared: bool = False  # its output is multiplied by the sigmoid of a score
    clamp: float = 0.0  # gate and up are clamped, and up is used as 1 + up
    alpha: float = 1.0  # steepness of the clamped gate

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
        """As for all `Stacks`; cross-attention of one text to another runs the same tensors once for each text."""
        if stream == "cross":
            return Stack(self, "", "encoder"), Stack(replace(self, cross=True), "", "decoder")
        return (Stack(self, "", stream or "self"),)

    def rotary_of(self, layer: int) -> Rotary | None:
        """The rotary positions of a layer, None for none."""
        return _of(self.rotary, layer, None)

    def reach_of(self, layer: int) -> int:
        """How far a layer sees, in tokens; -1 for all."""
        return _of(self.reach, layer, -1)

    def variant_of(self, layer: int) -> AttentionFunction | None:
        """What makes the weights of a layer in place of a softmax, None for nothing."""
        return _of(self.variant, layer, None)

    def has_experts(self, layer: int) -> bool:
        """Whether the MLP of a layer is a mixture of experts."""
        return self.n_experts > 0 and _of(self.expert_layers, layer, True)

    def stored(self, layer: int) -> str:
        """The canonical prefix of the layer whose tensors this layer reads."""
        return f"layers.{self.layer_source[layer] if self.layer_source else layer}."

    @property
    def max_positions(self) -> int | None:
        """The longest text that stored tables allow, or None where positions are computed."""
        limits = [turn.stored for turn in self.rotary if turn is not None and turn.stored]
        if isinstance(self.absolute, Learned):
            limits.append(self.absolute.size - self.absolute.offset)
        if isinstance(self.relative, DistanceVectors):
            limits.append(self.relative.size)
        return min(limits, default=None)


@dataclass(frozen=True)
class Unembed:
    """From the last layer's output to a score for every token of the vocabulary, for who wants the next token.

    unembed.weight [vocab, d_embed]     unembed.bias [vocab], where a checkpoint has it
    unembed.project.weight [d_embed, d_model], where these two differ

    scale: what scores are multiplied with. softcap: scores are bent so as to stay within it, 0: they are not.
    """

    scale: float = 1.0
    softcap: float = 0.0


@dataclass(frozen=True)
class EncoderDecoder(Stacks):
    """Two stacks: the decoder's cross-attention reads the encoder's output.

    start_id: the token that the decoder's text begins with; None if the configuration does not name it.
    """

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
    """A setting that is given once for all layers, or once a layer, or not at all."""
    if not values:
        return off
    return values[layer] if len(values) > 1 else values[0]
