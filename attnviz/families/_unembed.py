"""The language-model head: the last layer -> one logit per vocabulary token.

A family that generates text has `UNEMBED = Unembedding(...)` in its file, an encoder that was trained to fill in masked
tokens `MASKED = MaskedHead(...)`. Attention needs neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attnviz.engine.spec import Spec, Stacks, Transform, Unembed
from attnviz.families import family, names_of
from attnviz.families._config import Config
from attnviz.families._names import Source


@dataclass(frozen=True)
class Unembedding:
    """The names and keys of a head.

    stored: the name of the matrix if it is not the token embeddings. tied: whether it is the token embeddings if no key
    says so. bias: the name of a bias. project: a map from d_model to the embeddings' width. softcap, scale: the key of
    each, and its value if left out; divide: the key of the number that logits are divided by. by_width: if tied to the
    embeddings, the output is scaled by 1 / sqrt(d_model). stored_first: a stored matrix is used even if the
    configuration ties it, since files with and without a matrix have the same configuration.
    """

    stored: tuple[str, ...] = ("lm_head.weight", "language_model.lm_head.weight")
    tied: bool = False
    bias: Source | None = None
    project: str = ""
    softcap: tuple[str, float] | None = None
    scale: tuple[str, float] | None = None
    divide: tuple[str, float] | None = None
    by_width: bool = False
    stored_first: bool = False


@dataclass(frozen=True)
class MaskedHead:
    """The names and keys of a masked-language head: a dense layer, an activation and a norm, then a table and its bias.

    dense, norm: names of the two layers, () for a head that is linear. table: names of the matrix if it is not the
    token embeddings. bias: names of its bias, the last of which is the matrix's own: it goes first if the matrix is not
    tied. Each lists the spellings of different files. tied: whether the matrix is
    the token embeddings if no key says so. activation: the engine's name of it, "" for the MLPs' own; activation_key:
    the key that names it, if there is one. bias_key: the key that says whether there is a bias, and its value if left
    out. off: a key that must be off, for a head of another kind.
    """

    dense: tuple[str, ...] = ()
    norm: tuple[str, ...] = ()
    table: tuple[str, ...] = ()
    bias: tuple[str, ...] = ()
    tied: bool = True
    activation: str = ""
    activation_key: str = ""
    bias_key: tuple[str, bool] | None = None
    off: str = ""


# The head of BERT, and of RoBERTa, whose activation is always GELU.
BERT = MaskedHead(
    ("cls.predictions.transform.dense",),
    ("cls.predictions.transform.LayerNorm",),
    ("cls.predictions.decoder.weight",),
    ("cls.predictions.bias", "cls.predictions.decoder.bias"),
)
ROBERTA = MaskedHead(
    ("lm_head.dense",),
    ("lm_head.layer_norm",),
    ("lm_head.decoder.weight",),
    ("lm_head.bias", "lm_head.decoder.bias"),
    activation="gelu",
)
# The head of DeBERTa as the reference stores it, and as published files of later versions do.
DEBERTA = MaskedHead(
    (*BERT.dense, "lm_predictions.lm_head.dense"),
    (*BERT.norm, "lm_predictions.lm_head.LayerNorm"),
    BERT.table,
    (*BERT.bias, "lm_predictions.lm_head.bias"),
)


def of_config(config: Config, spec: Stacks) -> tuple[Unembed | None, dict[str, Source]]:
    """The head that scores tokens, and our names -> stored names; (None, {}) for a family that has none."""
    module = family(config.data["model_type"])
    if hasattr(module, "MASKED") and isinstance(spec, Spec):
        return _masked(module.MASKED, config, spec, names_of(module, config))
    if hasattr(module, "language"):  # the language model inside a model that reads images too
        config = module.language(config)
        module = family(config.data["model_type"])
    names = names_of(module, config)
    return _made(getattr(module, "UNEMBED", None), config, spec, names)


def of_gguf(
    config: Config, metadata: Mapping[str, Any], stored: Mapping[str, Any], spec: Stacks
) -> tuple[Unembed | None, dict[str, Source]]:
    """The head of a GGUF file, which ties by leaving out the last matrix. stored: the tensors that it has."""
    more: dict[str, Any] = {"tie_word_embeddings": "output.weight" not in stored}
    for key in ("final_logit_softcapping", "logit_scale"):
        value = metadata.get(f"{metadata['general.architecture']}.{key}")
        if value is not None:
            more[key] = float(value) or None
    how, _ = of_config(Config({**config.data, **more}, config.where), spec)
    names: dict[str, Source] = {"unembed.weight": ["output.weight", "token_embd.weight"], "unembed.bias": "output.bias"}
    return (None, {}) if how is None or how.masked else (how, names)


def _masked(
    row: MaskedHead, config: Config, spec: Spec, names: Mapping[str, Source]
) -> tuple[Unembed | None, dict[str, Source]]:
    if row.off and config.bool(row.off):
        return None, {}
    tied = config.bool("tie_word_embeddings", row.tied)
    entries: dict[str, Source] = {"unembed.weight": names["embed.tokens"] if tied else list(row.table)}
    if row.bias_key is None or config.bool(*row.bias_key):
        entries["unembed.bias"] = list(row.bias if tied else row.bias[::-1])
    if not row.dense:
        return Unembed(masked=True), entries
    for ours, stored in (("dense", row.dense), ("norm", row.norm)):
        entries |= {f"unembed.{ours}.{kind}": [f"{name}.{kind}" for name in stored] for kind in ("weight", "bias")}
    activation = row.activation or spec.activation
    if row.activation_key:
        activation = config.activation(row.activation_key, "gelu")
    return Unembed(transform=Transform(activation, spec.norm), masked=True), entries


def _made(
    row: Unembedding | None, config: Config, spec: Stacks, names: Mapping[str, Source]
) -> tuple[Unembed | None, dict[str, Source]]:
    if row is None:
        return None, {}
    decoder, front, _ = spec.generator
    if f"{front}embed.tokens" not in names:  # one of two stacks, saved without the other
        front = "decoder."
        if not decoder.causal:
            return None, {}
    tied = config.bool("tie_word_embeddings", row.tied)
    scale = 1.0 if row.scale is None else config.float(*row.scale)
    if row.divide is not None:
        scale /= config.float(*row.divide, low=1e-9)
    if row.by_width and config.bool("scale_decoder_outputs", tied):
        scale = decoder.d_model**-0.5
    cap = 0.0 if row.softcap is None else config.cap(row.softcap[0], row.softcap[1] or None)
    embeddings = names[f"{front}embed.tokens"]
    entries: dict[str, Source] = {"unembed.weight": embeddings if tied else list(row.stored)}
    if row.stored_first:
        entries["unembed.weight"] = [*row.stored, *(embeddings if isinstance(embeddings, list) else [embeddings])]
    if "unembed.weight" in names:
        entries = {name: stored for name, stored in names.items() if name.startswith("unembed.")}
    elif row.bias is not None:
        entries["unembed.bias"] = row.bias
    if row.project and decoder.d_embed != decoder.d_model:
        entries["unembed.project.weight"] = row.project
    return Unembed(scale, cap), entries
