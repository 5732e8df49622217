"""Rules of byte-level BPE for splitting a text before merging: values of `tokenizer.ggml.pre` -> patterns.

Each value has a list: every expression splits the pieces of the one before, and the text between two matches is a piece
too. No expression changes a text.

Source: the tokenizer.json files of the models named; as llama.cpp reads them (llama-vocab.cpp).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Split:
    """A rule for splitting.

    patterns: applied one after the other. whole_words: a piece that is a token is not merged (`ignore_merges`).

    bos: a text gets the start token in front unless the file says otherwise.
    """

    patterns: tuple[str, ...]
    whole_words: bool = False
    bos: bool = False


_DIGIT = r"\p{N}"
_DIGITS = r"\p{N}{1,3}"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_SHORT = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_MARKS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_LLAMA3 = rf"{_SHORT}|{_WORD}|{_DIGITS}|{_MARKS}"
_QWEN2 = rf"{_SHORT}|{_WORD}|{_DIGIT}|{_MARKS}"
_QWEN35 = (
    rf"{_SHORT}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|{_DIGIT}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Words are split where capitals follow small letters; letters without case count as both.
_NOT_SMALL, _NOT_CAPITAL = r"(?:(?=\p{L})[^a-z])", r"(?:(?=\p{L})[^A-Z])"
_BY_CASE = r"[^\r\n\p{L}\p{N}]?"
_TEKKEN = (
    rf"{_BY_CASE}{_NOT_SMALL}*{_NOT_CAPITAL}+|{_BY_CASE}{_NOT_SMALL}+{_NOT_CAPITAL}*|{_DIGIT}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GPT4O = (
    rf"{_BY_CASE}{_NOT_SMALL}*{_NOT_CAPITAL}+{_SHORT}?|{_BY_CASE}{_NOT_SMALL}+{_NOT_CAPITAL}*{_SHORT}?|{_DIGITS}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CJK = "[一-龥\u0800-一가-\ud7ff]+"
# Every letter that has a capital and a small form.
_CASED = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373"
    "\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-"
    "\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-"
    "\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d"
    "\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-"
    "\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-"
    "\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-"
    "\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-"
    "\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-"
    "\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)
_DEEPSEEK3 = (
    _DIGITS,
    "[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
_POINTS = " ?[^(\\s|.,!?…。，、।۔،)]+"

_TABLE: Mapping[str, Split] = {
    # The rule for files without the key; known to be inexact.
    "default": Split((r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
    "gpt-2 phi-2 mpt olmo jais trillion granite-docling jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code "
    "roberta-bpe gigachat a.x-4.0 mellum modern-bert exaone4": Split((_GPT2,)),
    "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2": Split((_DIGIT, _GPT2)),
    "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano": Split((_LLAMA3,), True, True),
    "dbrx smaug-bpe chatglm-bpe": Split((_LLAMA3,)),
    "glm4 glm5": Split((_LLAMA3,), True),
    "qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan solar-open megrez grok-2": Split((_QWEN2,)),
    "qwen35": Split((_QWEN35,)),
    "ufakzeka": Split((rf"{_WORD}|{_DIGIT}|{_MARKS}",)),
    "seed-coder": Split((rf"{_SHORT}|{_WORD}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+",)),
    "bailingmoe bailingmoe2 llada-moe": Split(
        (
            rf"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|{_WORD}|{_DIGIT}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        )
    ),
    "minicpm5": Split((_DIGITS, rf"{_SHORT}|{_WORD}|\p{{N}}+|{_MARKS}"), True),
    "tekken": Split((_TEKKEN,), True, True),
    "gpt-4o llama4 kanana2 talkie minimax-m2": Split((_GPT4O,)),
    "falcon": Split((r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, "[0-9][0-9][0-9]")),
    "deepseek-llm": Split((r"[\r\n]", rf"\s?[{_CASED}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", _CJK, r"\p{N}+")),
    "deepseek-coder": Split((r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _CJK, _DIGIT)),
    "deepseek-v3 hunyuan-dense joyai-llm hy_v4": Split(_DEEPSEEK3),
    "bloom poro-chat gpt3-finnish": Split((_POINTS,)),
    "viking": Split((_POINTS, _DIGIT)),
    "chameleon": Split(
        (
            "<sentinel:[0-9]+>",
            "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
            r"([\t\n]|    |  )",
            _DIGIT,
            r"[\p{P}!-/:-@\[-`{-~]",
            _GPT2,
        ),
        bos=True,
    ),
}
SPLITS: Mapping[str, Split] = {name: split for names, split in _TABLE.items() for name in names.split()}
