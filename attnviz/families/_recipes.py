"""Facts that tokenizer files leave out, as data: where a family's special tokens go, and what families share of that.

Where a folder has no tokenizer.json, the vocabulary alone does not say where special tokens go. The class that wrote
the vocabulary does: `tokenizer_class` of tokenizer_config.json, or else the config's `model_type`. `TOKENIZERS` of a
family's file maps that name, written as `key_of` has it, to a Recipe. A template is written as the `tokenizers` library
writes it, `name:type` for each token, with {cls} etc. for the names, which special_tokens_map.json and
tokenizer_config.json may change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    """The rules by which one family completes its vocabulary. Defaults mean "nothing added".

    single, pair: templates. ends: whether add_bos_token and add_eos_token decide over the template of a tokenizer.json
    too. special: default names of special tokens. vocab: what a bare vocab.txt or vocab.json holds: wordpiece | bytes
    (byte-level BPE) | suffix (BPE with </w>) | clip | characters | numbered (which number each piece of a SentencePiece
    model has; the languages in `back` get the numbers after them); json: there is always a tokenizer.json. split: a
    regular expression instead of GPT-2's. flags: kind of special token -> how it is found in a text: lstrip takes the
    space before it, normalized looks for it after the normaliser.

    For SentencePiece models: spaces: treatment of white space, a name of tokens/spaces.py. lower, accents: whether text
    is lower-cased and keeps accents, unless the options say otherwise. commas: a piece such as "1," is not used. bytes:
    whether an unknown character becomes its bytes. turns: user-defined pieces that are special. front, skip, back: how
    the family renumbers the model: `front`, then the file's pieces without the first `skip`, then `back`.
    """

    single: str = "$A:0"
    pair: str = "$A:0 $B:1"
    special: Mapping[str, str] = field(default_factory=dict)
    ends: bool = False
    vocab: str = ""
    split: str = ""
    beyond: str = ""
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spaces: str = ""
    lower: bool = False
    accents: bool = False
    commas: bool = False
    bytes: bool = False
    turns: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    skip: int = 0
    back: tuple[str, ...] = ()

    @property
    def is_decoder(self) -> bool:
        """Whether a template adds only a begin and an end token, as add_bos_token and add_eos_token decide."""
        return not re.search(r"\{(?!bos)|<", self.single)


def around(bos: bool, eos: bool) -> tuple[str, str]:
    """A decoder's templates for one text and for two."""
    single, second = (
        f"{{bos}}:{n} " * bos + f"${text}:{n}" + f" {{eos}}:{n}" * eos for n, text in enumerate(("A", "B"))
    )
    return single, f"{single} {second}"


BERT_NAMES = {"cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "pad": "[PAD]", "mask": "[MASK]"}
S_NAMES = {"bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"}
END = {"eos": "</s>", "unk": "<unk>", "pad": "<pad>"}
WORDPIECE = Recipe(
    "{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1", BERT_NAMES, vocab="wordpiece", lower=True
)
TWO_SEPS = ("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 {sep}:0 $B:0 {sep}:0")
CLS_SEP = ("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1")
THEN_END = ("$A:0 {eos}:0", "$A:0 {eos}:0 $B:0 {eos}:0")
MASK_STRIPS = {"mask": ("lstrip", "normalized")}
FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
END_OF_TEXT = "<|endoftext|>"
BYTES = Recipe(special={"bos": END_OF_TEXT, "eos": END_OF_TEXT, "unk": END_OF_TEXT}, vocab="bytes")
ROBERTA = Recipe(*TWO_SEPS, special=S_NAMES, vocab="bytes", flags={"mask": ("lstrip",)})
_QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = Recipe(special={"eos": END_OF_TEXT, "unk": END_OF_TEXT}, vocab="bytes", split=_QWEN2_SPLIT)
LLAMA = Recipe(
    *around(True, False), special={"bos": "<s>", "eos": "</s>", "unk": "<unk>"}, ends=True, spaces="kept", bytes=True
)
GEMMA = Recipe(
    *around(True, False),
    ends=True,
    special={"bos": "<bos>", "eos": "<eos>", "unk": "<unk>", "pad": "<pad>"},
    spaces="marked",
    bytes=True,
    turns=("<start_of_turn>", "<end_of_turn>"),
)
# Classes that say nothing about the family.
_GENERIC = frozenset({"", "pretrained", "backend", "tokenizersbackend", "pretrainedtokenizer"})


def key_of(name: str) -> str:
    """`BertTokenizerFast`, `model_type` bert and `XLMRobertaTokenizer` as the table writes them."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"tokenizer(fast)?$", "", name.lower()))


def recipe_name(tokenizer_class: str, model_type: str) -> str:
    """The key of the recipe for a vocabulary: the tokenizer's class, else the model's type, else ''."""
    key = key_of(tokenizer_class)
    return key_of(model_type) if key in _GENERIC else key
