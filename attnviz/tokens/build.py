"""Build a pipeline of the `tokenizers` library from vocab.txt, or from vocab.json and merges.txt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnviz.errors import CheckpointError
from attnviz.families._recipes import Recipe

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

_CLIP_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def from_vocab_txt(
    vocab: dict[str, int], recipe: Recipe, names: Mapping[str, str], options: Mapping[str, Any]
) -> Backend:
    """Read one token per line: WordPiece as in BERT, or whole characters as in ESM.

    options: tokenizer_config.json (do_lower_case, strip_accents, tokenize_chinese_chars).
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    unknown = names["unk"]
    if recipe.vocab == "characters":
        backend = Tokenizer(models.WordLevel(vocab, unk_token=unknown))
        longest_first = "|".join(re.escape(token) for token in sorted(vocab, key=len, reverse=True)[:2000] if token)
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(longest_first), "isolated")]
        )
        return backend
    backend = Tokenizer(models.WordPiece(vocab, unk_token=unknown))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=options.get("tokenize_chinese_chars", True) is not False,
        strip_accents=_flag(options.get("strip_accents")),
        lowercase=options.get("do_lower_case", recipe.lower) is not False,
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    return backend


def from_merges(
    vocab: dict[str, int],
    merges: list[tuple[str, str]],
    recipe: Recipe,
    names: Mapping[str, str],
    options: Mapping[str, Any],
) -> Backend:
    """Byte-level BPE (GPT-2, RoBERTa, Qwen 2, Whisper), CLIP's, or the first GPT's BPE over lower-cased words.

    options: tokenizer_config.json (add_prefix_space).
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    if recipe.vocab == "suffix":
        backend = Tokenizer(models.BPE(vocab, merges, unk_token=names["unk"], end_of_word_suffix="</w>"))
        backend.normalizer = normalizers.BertNormalizer(lowercase=True)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.BPEDecoder(suffix="</w>")
        return backend
    if recipe.vocab == "clip":
        backend = Tokenizer(models.BPE(vocab, merges, unk_token=names["unk"], end_of_word_suffix="</w>"))
        backend.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        split = pre_tokenizers.Split(Regex(_CLIP_SPLIT), "removed", invert=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
        backend.decoder = decoders.ByteLevel()
        return backend
    backend = Tokenizer(models.BPE(vocab, merges))
    lead = options.get("add_prefix_space") is True
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=lead)
    if recipe.split:
        backend.normalizer = normalizers.NFC()
        split = pre_tokenizers.Split(Regex(recipe.split), "isolated")
        whole = pre_tokenizers.ByteLevel(add_prefix_space=lead, use_regex=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, whole])
    backend.decoder = decoders.ByteLevel()
    return backend


def set_template(backend: Backend, single: str, pair: str, names: Mapping[str, str], source: str) -> None:
    """Add a template of special tokens: `{cls}:0 $A:0 {sep}:0`, with names in braces looked up in `names`."""
    from tokenizers import processors

    def filled(template: str) -> list[str]:
        return [re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], m[1]), part) for part in template.split()]

    one_text, two_texts = filled(single), filled(pair)
    wanted = dict.fromkeys(part.rsplit(":", 1)[0] for part in one_text + two_texts if not part.startswith("$"))
    ids = {name: backend.token_to_id(name) for name in wanted}
    for name, i in ids.items():
        if i is None:
            raise CheckpointError(f"{source} has no token {name!r}, which this model puts around a text")
    if one_text != ["$A:0"] or two_texts != ["$A:0", "$B:1"]:
        backend.post_processor = processors.TemplateProcessing(
            single=one_text, pair=two_texts, special_tokens=list(ids.items())
        )


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
