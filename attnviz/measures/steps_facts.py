"""Facts about one layer of a model, in words and numbers, from which the steps of a walk come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.engine.positions import alibi_slopes
from attnviz.engine.spec import Alibi, DistanceVectors, ImageOffsets, Learned, Segmental, Sinusoidal
from attnviz.facts import made_by

if TYPE_CHECKING:
    from attnviz.engine.spec import Blocks, Spec


@dataclass(frozen=True, eq=False)
class Facts:
    """One head of one layer for one query, and what the model does there, as far as a step of its own comes of it.

    added: what is added to the token embeddings ("position", "token type"). blocks: which keys a query sees, where the
    text is long enough for that. global_query: the query is a global token with projections of its own.
    """

    model: str
    stream: str
    layer: int
    head: int
    spec: Spec
    added: tuple[str, ...]
    blocks: Blocks | None
    global_query: bool
    meta: Mapping[str, Any]

    @classmethod
    def of(cls, model: str, model_input: Any, layer: int, head: int, query: int) -> Facts:
        """The facts of one head for one query.

        model: its name. model_input: a `attnviz.models.inputs.ModelInput`. layer, head, query: true indices.
        """
        spec, stream = model_input.spec, model_input.stream
        added = _added(spec, any(each.types is not None for each in model_input.inputs.values()))
        blocked = stream != "cross" and spec.blocks is not None and spec.blocks.used(len(model_input.queries))
        is_global = bool(spec.global_tokens) and query in model_input.global_tokens
        blocks = spec.blocks if blocked else None
        return cls(model, stream, layer, head, spec, added, blocks, is_global, model_input.meta)

    @property
    def cross(self) -> bool:
        """Whether queries and keys are of two texts, so that positions and masks mean nothing."""
        return self.stream == "cross"

    @property
    def kv_head(self) -> int:
        """The key-value head that the query head reads."""
        return self.head // (self.spec.n_heads // self.spec.n_kv_heads)

    @property
    def d_shared(self) -> int:
        """Width of the part of a key that all heads share, where keys come from a compressed vector."""
        return 0 if self.spec.latent is None else self.spec.latent.d_shared

    @property
    def scale(self) -> float:
        """The factor of the scores."""
        return self.spec.scale / (self.layer + 1) if self.spec.scale_by_layer and not self.cross else self.spec.scale

    @property
    def scales(self) -> bool:
        """Whether scores are scaled at all (T5's are not)."""
        return self.scale != 1

    @property
    def usual(self) -> float:
        """1 / sqrt(d_k)."""
        return self.spec.d_head**-0.5

    @property
    def scales_as_usual(self) -> bool:
        """Whether scores are divided by sqrt(d_k) (Vaswani 2017)."""
        return abs(self.scale - self.usual) < 1e-6 * self.usual

    @property
    def softcap(self) -> float:
        """The score that none can pass; 0 for no cap."""
        return 0.0 if self.cross else self.spec.softcap

    @property
    def bias(self) -> str:
        """The term added by distance after scaling: alibi, alibi_by_key, or what an entry of a learned one is for."""
        rule = None if self.cross else self.spec.bias
        if isinstance(rule, Alibi):
            return "alibi_by_key" if rule.bfloat16 else "alibi"
        if isinstance(rule, ImageOffsets):
            return "the rows and columns between i and j (Liu 2021)"
        if rule is None:
            return ""
        return "the bucket of j - i" + (", times a gate of i (Chen 2022)" if rule.gated else " (T5, Raffel 2020)")

    @property
    def slope(self) -> float:
        """ALiBi's m in this head."""
        rule = self.spec.bias
        assert isinstance(rule, Alibi)
        return float(alibi_slopes(rule, self.spec.n_heads)[self.head] * rule.times)

    @property
    def relative(self) -> str:
        """segmental, disentangled, by_distance or by_distance_and_key; '' for no relative scores."""
        rule = None if self.cross else self.spec.relative
        if isinstance(rule, DistanceVectors):
            return "by_distance_and_key" if rule.by_key else "by_distance"
        return "" if rule is None else "segmental" if isinstance(rule, Segmental) else "disentangled"

    @property
    def rotary(self) -> str:
        """The rotation of queries and keys, in words; '' if there is none."""
        rule = None if self.cross else self.spec.rotary_of(self.layer)
        if rule is None:
            return ""
        pairs = ("neighbours" if rule.interleaved else "halves") + (" of the last dimensions" if rule.last else "")
        stretched = f", stretched ({rule.scaling.kind})" if rule.scaling is not None else ""
        how = "each turned by its place times an angle"
        if rule.by_patch:
            how = "half turned by a patch's row and half by its column, from -1 to 1 over the image, times 2π"
        if rule.stored:
            how = "each turned by the sines and cosines that the checkpoint stores for its place, or else by an angle"
        values = ", values too" if self.spec.rotary_values else ""
        return f"{(rule.dim + 1) // 2} pairs ({pairs}), {how}, base {rule.base:g}{stretched} (Su 2021){values}"

    @property
    def mask(self) -> str:
        """Which keys are hidden, in words; '' if none is."""
        if self.cross or self.blocks is not None:
            return "" if self.cross else "j lies in no block that i may see"
        window = self.spec.reach_of(self.layer)
        hidden = ["j > i (causal)"] if self.spec.causal else []
        if window >= 0:
            hidden.append(f"j is more than {window} tokens away (a sliding window)")
        return " or ".join(hidden)

    def made_by(self, command: object) -> dict[str, str]:
        """The command and model that made a file: see `attnviz.facts.made_by`."""
        return made_by(command, self.model, self.meta)


def _added(spec: Spec, types: bool) -> tuple[str, ...]:
    """Names of terms added to a token's embedding at first. types: whether the input has token types."""
    added = {
        "type": spec.n_types or (spec.types_are_tokens and types),
        "task": spec.n_tasks,
        "position": isinstance(spec.absolute, (Learned, Sinusoidal)) or spec.positional_convolution is not None,
    }
    return tuple(name for name, there in added.items() if there)
