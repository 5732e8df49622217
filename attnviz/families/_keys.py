"""Decide which keys of a configuration matter although a family does not read them.

The reference decides. `_read_keys.json` lists, for every model_type, the keys that its model code reads in any release
of transformers from 4.46 to 5.23, directly or through what its configuration class computes from them
(scripts/make_key_table.py). A key that a family does not read is

- refused, if the reference reads it,
- refused, if it cannot be known: the checkpoint brings code of its own (`auto_map`, or an architecture that is no class
  of the family), or the reference has no such model_type,
- ignored otherwise, and named in `meta["unread_keys"]` and with --verbose.

Three kinds of keys are free of this: the keys of the reference's base configuration, unless the model reads them and
the value is not the default; `NO_EFFECT`, which the reference reads for something other than attention; and the
family's own `HARMLESS`, keys of checkpoints with code of their own, each looked up in that code. A family's `CLASSES`
are older names of its own architectures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("_read_keys.json")


@dataclass(frozen=True)
class Reference:
    """The reference's use of the keys of one configuration.

    reads: keys that it reads; None if unknown. foreign: the checkpoint has code of its own. harmless: keys that the
    family has reviewed.
    """

    reads: frozenset[str] | None = None
    foreign: bool = False
    harmless: frozenset[str] = frozenset()

    def place(self, key: str, value: Any) -> str:
        """`refused`, `ignored` or `known` (to have no effect) for a key that the family has not read."""
        read = self.reads is not None and key in self.reads
        if has_no_effect(key) or self._base(key, value, read):
            return "known"
        if key in self.harmless:
            return "ignored"
        return "refused" if self.reads is None or self.foreign or read else "ignored"

    def within(self, data: Mapping[str, Any]) -> Reference:
        """The reference's use of a nested configuration, which may name its own model_type."""
        model_type = data.get("model_type")
        row = _row(model_type) if isinstance(model_type, str) else None
        inner = replace(self, foreign=self.foreign or bool(data.get("auto_map")))
        return inner if row is None or self.reads is None else replace(inner, reads=self.reads | row["reads"])

    def _base(self, key: str, value: Any, read: bool) -> bool:
        """Whether a key that every configuration may have has no effect here, or has its default value."""
        if key not in _base():
            return False
        if not read and key not in MATTER:
            return True
        return any(type(value) is type(default) and value == default for default in _base()[key])


def reference(
    data: Mapping[str, Any], family: str = "", harmless: Iterable[str] = (), older: Iterable[str] = ()
) -> Reference:
    """Look up the reference's use of a configuration.

    family: the file that serves its model_type. older: architectures of the family under older names.
    """
    model_type = data.get("model_type")
    row = (_row(model_type) if isinstance(model_type, str) else None) or _row(family)
    if row is None:
        return Reference(harmless=frozenset(harmless))
    stated = data.get("architectures")
    architectures = stated if isinstance(stated, list) else []
    classes = row["classes"].union((_row(family) or row)["classes"], older)
    foreign = bool(data.get("auto_map")) or any(name not in classes for name in architectures if isinstance(name, str))
    return Reference(row["reads"], foreign, frozenset(harmless))


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return table


@cache
def _base() -> Mapping[str, tuple[Any, ...]]:
    """The keys that every configuration may have, with the values that leaving them out means."""
    return {key: tuple(values) for key, values in _table()["base"].items()}


@cache
def _row(model_type: str) -> dict[str, frozenset[str]] | None:
    """The table's entries for a model_type; None for one that the reference does not have."""
    name, table = model_type.replace("-", "_"), _table()
    for file, row in table["files"].items():
        if name == file or name in row["types"].split():
            sets = {part: frozenset(row[part].split()) for part in ("reads", "classes")}
            return {**sets, "reads": sets["reads"] | frozenset(table["all"].split())}
    return None


# Keys that many modelling files read and that never change attention at inference: how a framework runs, training
# (dropout, initialisation, losses), heads for tasks, generation; and where a file came from. A family in which one of
# these keys has a meaning reads it, and this list does not matter.
NO_EFFECT = (
    "_name_or_path auto_map model_type _attn_implementation* use_flash_attn* _num_labels adapter_transformers adapters "
    "model_card license language unsloth_* "
    "dtype torch_dtype torchscript use_cache gradient_checkpointing chunk_size_feed_forward pretraining_tp "
    "tie_word_embeddings tie_encoder_decoder is_encoder_decoder *softmax_in_fp32 "
    "*dropout* *pdrop* *drop_path* layerdrop *_layerdrop "
    "initializer_range initializer_factor initializer_cutoff_factor init_std "
    "mask_channel_* *mask_time_* mask_feature_* "
    "id2label num_labels problem_type finetuning_task classifier_* *pooler* summary_* tdnn_* "
    "*loss* output_router_logits output_attentions output_hidden_states return_dict "
    "pad_token_id bos_token_id eos_token_id sep_token_id cls_token_id mask_token_id unk_token_id decoder_start_token_id"
).split()
_PLAIN = frozenset(pattern for pattern in NO_EFFECT if "*" not in pattern)
_WILD = tuple((pattern[0] == "*", pattern.strip("*"), pattern[-1] == "*") for pattern in NO_EFFECT if "*" in pattern)
# Keys of the reference's base configuration that do change attention in models that use them.
MATTER = ("is_decoder", "add_cross_attention", "cross_attention_hidden_size", "pruned_heads", "per_layer_config")


def has_no_effect(key: str) -> bool:
    """Whether NO_EFFECT names a key. fnmatch is too slow: it compiles a regular expression per name."""
    return key in _PLAIN or any(
        core in key if begins and ends else key.endswith(core) if begins else key.startswith(core)
        for begins, core, ends in _WILD
    )
