"""What tokenizer files leave out: each family's special tokens, as a table.

Where a folder has no tokenizer.json, the vocabulary alone does not say where special tokens go. The class that wrote it
does: `tokenizer_class` of tokenizer_config.json, or else the config's `model_type`. A template is written as the
`tokenizers` library writes it, `name:type` for each token, with {cls} etc. for the names, which
special_tokens_map.json and tokenizer_config.json may change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    """How one family completes its vocabulary. Defaults mean "nothing added".

    single, pair: templates. special: default names of special tokens. vocab: what a bare vocab.txt or vocab.json
    holds: wordpiece | bytes (byte-level BPE) | suffix (BPE with </w>) | clip | characters. clean: changes to a text
    before SentencePiece sees it. front, skip, back: how a family renumbers a SentencePiece model: these pieces, then
    the file's own but for the first `skip`, then these. split: a regular expression in place of GPT-2's.
    """

    single: str = "$A:0"
    pair: str = "$A:0 $B:1"
    special: Mapping[str, str] = field(default_factory=dict)
    vocab: str = ""
    clean: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    skip: int = 0
    back: tuple[str, ...] = ()
    split: str = ""
    lower: bool = False

    @property
    def is_decoder(self) -> bool:
        """Whether only a begin or an end token may stand around a text, as add_bos_token and add_eos_token say."""
        return not re.search(r"\{(?!bos)|<", self.single)


def around(bos: bool, eos: bool) -> tuple[str, str]:
    """A decoder's templates for one text and for two."""
    single, second = (
        f"{{bos}}:{n} " * bos + f"${text}:{n}" + f" {{eos}}:{n}" * eos for n, text in enumerate(("A", "B"))
    )
    return single, f"{single} {second}"


_BERT_NAMES = {"cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "pad": "[PAD]", "mask": "[MASK]"}
_S_NAMES = {"bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"}
_END = {"eos": "</s>", "unk": "<unk>", "pad": "<pad>"}
_BERT = Recipe("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1", _BERT_NAMES, vocab="wordpiece", lower=True)
_MPNET = Recipe(
    "{cls}:0 $A:0 {sep}:0",
    "{cls}:0 $A:0 {sep}:0 {sep}:0 $B:1 {sep}:1",
    {**_S_NAMES, "unk": "[UNK]"},
    vocab="wordpiece",
    lower=True,
)
_TWO_SEPS = ("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 {sep}:0 $B:0 {sep}:0")
_CLS_SEP = ("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1")
_THEN_END = ("$A:0 {eos}:0", "$A:0 {eos}:0 $B:0 {eos}:0")
_FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
_MBART_LANGUAGES = (
    "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX"
    " ro_RO ru_RU si_LK tr_TR vi_VN zh_CN"
)
_MBART50_LANGUAGES = (
    _MBART_LANGUAGES + " af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF"
    " pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI"
)
_QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_END_OF_TEXT = "<|endoftext|>"
_GPT2 = Recipe(special={"bos": _END_OF_TEXT, "eos": _END_OF_TEXT, "unk": _END_OF_TEXT}, vocab="bytes")
_ROBERTA = Recipe(*_TWO_SEPS, special=_S_NAMES, vocab="bytes")
_LLAMA = Recipe(*around(True, False), special={"bos": "<s>", "eos": "</s>", "unk": "<unk>"})
_ALBERT_CLEAN = ("quotes", "strip_accents", "lower", "number_comma")

RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(
        ("bert", "distilbert", "electra", "mobilebert", "funnel", "lxmert", "convbert", "squeezebert"), _BERT
    ),
    "mpnet": _MPNET,
    "esm": Recipe(
        "{cls}:0 $A:0 {eos}:0",
        "{cls}:0 $A:0 {eos}:0 $B:0 {eos}:0",
        {"cls": "<cls>", "eos": "<eos>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"},
        vocab="characters",
    ),
    **dict.fromkeys(("gpt2", "gptneo", "gptj", "gptbigcode", "codegen"), _GPT2),
    "gptneox": _GPT2,
    "opt": Recipe(
        *around(True, False), special={"bos": "</s>", "eos": "</s>", "unk": "</s>", "pad": "<pad>"}, vocab="bytes"
    ),
    **dict.fromkeys(("roberta", "bart", "longformer", "led", "mvp"), _ROBERTA),
    "deberta": Recipe(*_CLS_SEP, special=_BERT_NAMES, vocab="bytes"),
    "qwen2": Recipe(special={"eos": _END_OF_TEXT, "unk": _END_OF_TEXT}, vocab="bytes", split=_QWEN2_SPLIT),
    "whisper": Recipe(
        "<|startoftranscript|>:0 <|notimestamps|>:0 $A:0 {eos}:0",
        "<|startoftranscript|>:0 <|notimestamps|>:0 $A:0 $B:1 {eos}:1",
        {"bos": _END_OF_TEXT, "eos": _END_OF_TEXT, "unk": _END_OF_TEXT},
        vocab="bytes",
    ),
    "openaigpt": Recipe(special={"unk": "<unk>"}, vocab="suffix", lower=True),
    "clip": Recipe(
        "{bos}:0 $A:0 {eos}:0",
        "{bos}:0 $A:0 {eos}:0 {eos}:0 $B:0 {eos}:0",
        {"bos": "<|startoftext|>", "eos": _END_OF_TEXT, "unk": _END_OF_TEXT},
        vocab="clip",
    ),
    "t5": Recipe(*_THEN_END, special=_END, back=("extra_ids",)),
    "pegasus": Recipe(
        "$A:0 {eos}:0",
        "$A:0 $B:0 {eos}:0",
        {**_END, "mask": "<mask_2>"},
        front=("<pad>", "</s>", "<mask_1>", "<mask_2>", *(f"<unk_{i}>" for i in range(2, 103))),
        skip=2,
    ),
    "xlnet": Recipe(
        "$A:0 {sep}:0 {cls}:2",
        "$A:0 {sep}:0 $B:1 {sep}:1 {cls}:2",
        {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "sep": "<sep>", "pad": "<pad>", "cls": "<cls>", "mask": "<mask>"},
        clean=_ALBERT_CLEAN,
    ),
    "albert": Recipe(
        *_CLS_SEP,
        special={**_BERT_NAMES, "bos": "[CLS]", "eos": "[SEP]", "unk": "<unk>", "pad": "<pad>"},
        clean=_ALBERT_CLEAN,
        lower=True,
    ),
    "bigbird": Recipe(*_CLS_SEP, special={**_BERT_NAMES, "bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": "<pad>"}),
    "debertav2": Recipe(*_CLS_SEP, special=_BERT_NAMES, back=("[MASK]",), clean=("lower",)),
    **dict.fromkeys(("llama", "codellama", "mistral", "mixtral"), _LLAMA),
    "gemma": Recipe(*around(True, False), special={"bos": "<bos>", "eos": "<eos>", "unk": "<unk>"}),
    "xlmroberta": Recipe(*_TWO_SEPS, special=_S_NAMES, front=_FAIRSEQ, skip=3, back=("<mask>",)),
    "camembert": Recipe(
        *_TWO_SEPS,
        special=_S_NAMES,
        front=("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"),
        skip=1,
        back=("<mask>",),
    ),
    "mbart": Recipe(
        "$A:0 {eos}:0 {src_lang}:0",
        "$A:0 $B:0 {eos}:0 {src_lang}:0",
        {**_S_NAMES, "src_lang": "en_XX"},
        front=_FAIRSEQ,
        skip=3,
        back=(*_MBART_LANGUAGES.split(), "<mask>"),
    ),
    "mbart50": Recipe(
        "{src_lang}:0 $A:0 {eos}:0",
        "{src_lang}:0 $A:0 $B:0 {eos}:0",
        {**_S_NAMES, "src_lang": "en_XX"},
        front=_FAIRSEQ,
        skip=3,
        back=(*_MBART50_LANGUAGES.split(), "<mask>"),
    ),
    "marian": Recipe("$A:0 {eos}:0", "$A:0 $B:0 {eos}:0", _END),
}
RECIPES |= {
    "xlmrobertaxl": RECIPES["xlmroberta"],
    "gemma2": RECIPES["gemma"],
    "gemma3text": RECIPES["gemma"],
    "qwen3": RECIPES["qwen2"],
    "mt5": RECIPES["t5"],
    "bigbirdpegasus": RECIPES["pegasus"],
}
# Classes that say nothing about the family.
_GENERIC = frozenset({"", "pretrained", "backend", "tokenizersbackend", "pretrainedtokenizer"})


def key_of(name: str) -> str:
    """`BertTokenizerFast`, `model_type` bert and `XLMRobertaTokenizer` as the table writes them."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"tokenizer(fast)?$", "", name.lower()))


def recipe_name(tokenizer_class: str, model_type: str) -> str:
    """The family that completes the vocabulary: the tokenizer's class says, else the model's type, else ''."""
    key = key_of(tokenizer_class)
    return key_of(model_type) if key in _GENERIC else key
