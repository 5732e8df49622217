"""What one layer of a model does with scores, in words and numbers: where the steps of a walk come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnviz.engine.positions import alibi_slopes
from attnviz.engine.spec import (
    Alibi,
    Buckets,
    Disentangled,
    DistanceVectors,
    ImageOffsets,
    Learned,
    Rotary,
    Segmental,
    Sinusoidal,
)
from attnviz.facts import made_by

if TYPE_CHECKING:
    from attnviz.engine.spec import Spec


@dataclass(frozen=True)
class Facts:
    """What the model does in this layer, as far as a step of its own comes of it. Defaults mean "off".

    added: what is added to the token embeddings ("position", "token type"). read_norm: the norm between the stream and
    the projections, in words. d_value: width of a value, 0: d_head. d_shared: of the part of a key that all heads
    share, where keys are made of a compressed vector. clip_late: queries and keys are clipped after their norm. rotary,
    mask: in words, '' for none. bias: alibi | alibi_by_key, or what an entry of a learned one is for; slope: of alibi
    in this head. relative: segmental | disentangled | by_distance | by_distance_and_key. global_query: the chosen query
    is a global token with projections of its own. counted: how often the keys of the first block count.
    """

    model: str
    stream: str
    layer: int
    n_layers: int
    head: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    scale: float
    d_value: int = 0
    d_shared: int = 0
    added: tuple[str, ...] = ()
    read_norm: str = ""
    clip: float = 0.0
    clip_late: bool = False
    rotary: str = ""
    bias: str = ""
    slope: float = 0.0
    relative: str = ""
    softcap: float = 0.0
    mask: str = ""
    global_query: bool = False
    counted: int = 1
    meta: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: str, model_input: Any, layer: int, head: int, query: int) -> Facts:
        """The facts of one head for one query.

        model: its name. model_input: a `attnviz.models.inputs.ModelInput`. layer, head, query: true indices.
        """
        spec, cross = model_input.spec, model_input.stream == "cross"
        rotary = None if cross else spec.rotary_of(layer)
        bias, relative = (None, None) if cross else (spec.bias, spec.relative)
        blocks = spec.blocks if not cross and spec.blocks and spec.blocks.used(len(model_input.queries)) else None
        return cls(
            model=model,
            stream=model_input.stream,
            layer=layer,
            n_layers=spec.n_layers,
            head=head,
            n_heads=spec.n_heads,
            n_kv_heads=spec.n_kv_heads,
            d_model=spec.d_model,
            d_head=spec.d_head,
            d_value=spec.d_value,
            d_shared=spec.latent.d_shared if spec.latent is not None else 0,
            scale=spec.scale / (layer + 1) if spec.scale_by_layer and not cross else spec.scale,
            added=_added(spec, any(each.types is not None for each in model_input.inputs.values())),
            read_norm={"rms": "RMS norm", "layer": "layer norm"}[spec.norm.kind],
            clip=spec.qkv_clip,
            clip_late=spec.clip_after_norm,
            rotary="" if rotary is None else _rotary(rotary) + (", values too" if spec.rotary_values else ""),
            bias=_bias(bias),
            slope=float(alibi_slopes(bias, spec.n_heads)[head] * bias.times) if isinstance(bias, Alibi) else 0.0,
            relative="" if relative is None else _relative(relative),
            softcap=0.0 if cross else spec.softcap,
            mask="" if cross else _mask(spec, layer, blocks is not None),
            global_query=bool(spec.global_tokens) and query in model_input.global_tokens,
            counted=1 if blocks is None else 1 + blocks.n_random,
            meta=model_input.meta,
        )

    @property
    def kv_head(self) -> int:
        """The key-value head that the query head reads."""
        return self.head // (self.n_heads // self.n_kv_heads)

    @property
    def scales(self) -> bool:
        """Whether scores are scaled at all (T5's are not)."""
        return self.scale != 1

    @property
    def usual(self) -> float:
        """1 / sqrt(d_k)."""
        return self.d_head**-0.5

    @property
    def scales_as_usual(self) -> bool:
        """Whether scores are divided by sqrt(d_k) (Vaswani 2017)."""
        return abs(self.scale - self.usual) < 1e-6 * self.usual

    def made_by(self, command: object) -> dict[str, str]:
        """What made a file, for the file to carry: see `attnviz.facts.made_by`."""
        return made_by(command, self.model, self.meta)


def _bias(rule: Alibi | Buckets | ImageOffsets | None) -> str:
    if isinstance(rule, Alibi):
        return "alibi_by_key" if rule.bfloat16 else "alibi"
    if isinstance(rule, ImageOffsets):
        return "the rows and columns between i and j (Liu 2021)"
    if rule is None:
        return ""
    return "the bucket of j - i" + (", times a gate of i (Chen 2022)" if rule.gated else " (T5, Raffel 2020)")


def _relative(rule: Segmental | Disentangled | DistanceVectors) -> str:
    if isinstance(rule, DistanceVectors):
        return "by_distance_and_key" if rule.by_key else "by_distance"
    return "segmental" if isinstance(rule, Segmental) else "disentangled"


def _rotary(rule: Rotary) -> str:
    pairs = ("neighbours" if rule.interleaved else "halves") + (" of the last dimensions" if rule.last else "")
    stretched = f", stretched ({rule.scaling.kind})" if rule.scaling is not None else ""
    turned = "each turned by its place times an angle"
    if rule.by_patch:
        turned = "half turned by a patch's row and half by its column, from -1 to 1 over the image, times 2π"
    if rule.stored:
        turned = "each turned by the sines and cosines that the checkpoint stores for its place, or else by an angle"
    return f"{(rule.dim + 1) // 2} pairs ({pairs}), {turned}, base {rule.base:g}{stretched} (Su 2021)"


def _added(spec: Spec, types: bool) -> tuple[str, ...]:
    """What is added to the token's embedding before the first layer. types: whether the input has token types."""
    added = {
        "type": spec.n_types or (spec.types_are_tokens and types),
        "task": spec.n_tasks,
        "position": isinstance(spec.absolute, (Learned, Sinusoidal)) or spec.positional_convolution is not None,
    }
    return tuple(name for name, there in added.items() if there)


def _mask(spec: Spec, layer: int, blocks: bool) -> str:
    """Which keys are hidden, in words; '' if none is."""
    if blocks:
        return "j lies in no block that i may see"
    window = spec.reach_of(layer)
    hidden = ["j > i (causal)"] if spec.causal else []
    if window >= 0:
        hidden.append(f"j is more than {window} tokens away (a sliding window)")
    return " or ".join(hidden)
