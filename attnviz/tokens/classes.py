"""Changes of a tokenizer's class to the pipeline of a tokenizer.json, by the options of tokenizer_config.json.

The class of transformers that opens the file has its own defaults, which override the file's: a `BertTokenizer`
lower-cases whatever the file says, unless `do_lower_case` is false. A class that no family knows changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnviz.errors import CheckpointError
from attnviz.families._recipes import Recipe, around
from attnviz.tokens import budget
from attnviz.tokens.build import set_template

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend


def apply(backend: Backend, recipe: Recipe, options: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Apply the changes of a recipe's class to a pipeline.

    options: tokenizer_config.json. names: special tokens by kind.
    """
    if recipe.vocab == "wordpiece":
        _plain_text(backend, recipe, options)
    if recipe.vocab == "bytes" and not recipe.split:
        _leading_space(backend, options)
    if recipe.ends:
        _ends(backend, recipe, options, names)
    elif "{src_lang}" in recipe.single:
        set_template(backend, recipe.single, recipe.pair, names, "tokenizer.json")


def _plain_text(backend: Backend, recipe: Recipe, options: Mapping[str, Any]) -> None:
    """BERT's normaliser: case, accents and Chinese characters."""
    from tokenizers import normalizers

    state = _state(backend.normalizer)
    if state.get("type") != "BertNormalizer":
        return
    accents = options.get("strip_accents")
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=state.get("clean_text") is not False,
        handle_chinese_chars=options.get("tokenize_chinese_chars", True) is not False,
        strip_accents=accents if isinstance(accents, bool) else None,
        lowercase=options.get("do_lower_case", recipe.lower) is not False,
    )


def _leading_space(backend: Backend, options: Mapping[str, Any]) -> None:
    """Byte-level BPE: whether a text is split as if a space preceded it."""
    from tokenizers import pre_tokenizers

    state = _state(backend.pre_tokenizer)
    asked = options.get("add_prefix_space") is True
    if state.get("type") == "ByteLevel" and state.get("add_prefix_space") is not asked:
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(asked, use_regex=state.get("use_regex") is not False)


def _ends(backend: Backend, recipe: Recipe, options: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Apply add_bos_token and add_eos_token, which override the file's own template."""
    ends = {kind: options.get(f"add_{kind}_token", f"{{{kind}}}" in recipe.single) is True for kind in ("bos", "eos")}
    for kind, wanted in ends.items():
        if wanted and backend.token_to_id(names.get(kind, "")) is None:
            raise CheckpointError(f"tokenizer_config.json asks for add_{kind}_token, but there is no {kind}_token")
    backend.post_processor = None
    set_template(backend, *around(ends["bos"], ends["eos"]), names, "tokenizer.json")


def _state(part: Any) -> dict[str, Any]:
    """The settings of one part of a pipeline; {} if it is missing."""
    settings = budget.state(part)
    return settings if isinstance(settings, dict) else {}
