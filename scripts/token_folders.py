"""Folders of tokenizer files in the forms of published models: vocabulary, names, options.

A folder is {file: "@VOCABULARY" or JSON}. A name ends in the variant: `bert-cased`, `llama-legacy`.
"""

from __future__ import annotations

from typing import Any

Folder = dict[str, Any]


def _spm(model: str, cls: str, kind: str, file: str = "spiece.model", **options: Any) -> Folder:
    """A folder with a .model alone; kind: model_type of its config.json."""
    return {
        file: f"@{model}.model",
        "config.json": {"model_type": kind},
        "tokenizer_config.json": {"tokenizer_class": cls, **options},
    }


def _txt(vocab: str, cls: str, kind: str, **options: Any) -> Folder:
    return {
        "vocab.txt": f"@{vocab}.txt",
        "config.json": {"model_type": kind},
        "tokenizer_config.json": {"tokenizer_class": cls, **options},
    }


def _bpe(vocab: str, cls: str, kind: str, **options: Any) -> Folder:
    return {
        "vocab.json": f"@{vocab}.json",
        "merges.txt": f"@{vocab}.merges",
        "config.json": {"model_type": kind},
        "tokenizer_config.json": {"tokenizer_class": cls, **options},
    }


def _token(content: str, **flags: bool) -> dict[str, Any]:
    names = ("lstrip", "normalized", "rstrip", "single_word", "special")
    return {"content": content, **dict.fromkeys(names, False), **flags}


_YI = {
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<unk>",
    "add_bos_token": False,
    "add_eos_token": False,
}
_NAMES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def slow_folders() -> dict[str, Folder]:
    """Folders without a tokenizer.json."""
    xlmr = {"file": "sentencepiece.bpe.model"}
    model = {"file": "tokenizer.model"}
    return {
        "bert": _txt("uncased", "BertTokenizer", "bert"),
        "bert-cased": _txt("cased", "BertTokenizer", "bert", do_lower_case=False),
        "bert-accents": _txt("cased", "BertTokenizer", "bert", do_lower_case=True, strip_accents=False),
        "bert-chinese": _txt("cased", "BertTokenizer", "bert", do_lower_case=False, tokenize_chinese_chars=False),
        "distilbert": _txt("uncased", "DistilBertTokenizer", "distilbert"),
        "electra": _txt("uncased", "ElectraTokenizer", "electra"),
        "mpnet": _txt("mpnet", "MPNetTokenizer", "mpnet"),
        "mobilebert": _txt("uncased", "MobileBertTokenizer", "mobilebert"),
        "convbert": _txt("uncased", "ConvBertTokenizer", "convbert"),
        "squeezebert": _txt("uncased", "SqueezeBertTokenizer", "squeezebert"),
        "lxmert": _txt("uncased", "LxmertTokenizer", "lxmert"),
        "gpt2": _bpe("gpt2", "GPT2Tokenizer", "gpt2"),
        "gpt2-bos": _bpe("gpt2", "GPT2Tokenizer", "gpt2", add_bos_token=True),
        "opt": _bpe("roberta", "GPT2Tokenizer", "opt", add_bos_token=True, bos_token="</s>", eos_token="</s>",
                    unk_token="</s>", pad_token="<pad>"),
        "codegen": _bpe("gpt2", "CodeGenTokenizer", "codegen"),
        "qwen2": _bpe("gpt2", "Qwen2Tokenizer", "qwen2"),
        "whisper": _bpe("gpt2", "WhisperTokenizer", "whisper", additional_special_tokens=[
            "<|startoftranscript|>", "<|notimestamps|>", "<|en|>", "<|transcribe|>"]),
        "longformer": _bpe("roberta", "LongformerTokenizer", "longformer"),
        "led": _bpe("roberta", "LEDTokenizer", "led"),
        "mvp": _bpe("roberta", "MvpTokenizer", "mvp"),
        "blenderbot": _bpe("roberta", "BlenderbotTokenizer", "blenderbot"),
        "gpt2-prefix": _bpe("gpt2", "GPT2Tokenizer", "gpt2", add_prefix_space=True),
        "roberta": _bpe("roberta", "RobertaTokenizer", "roberta"),
        "roberta-prefix": _bpe("roberta", "RobertaTokenizer", "roberta", add_prefix_space=True),
        "bart": _bpe("roberta", "BartTokenizer", "bart"),
        "deberta": _bpe("deberta", "DebertaTokenizer", "deberta"),
        "clip": {
            **_bpe("clip", "CLIPTokenizer", "clip"),
            "special_tokens_map.json": {
                "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>",
                "pad_token": "!",
            },
        },
        "clip-plain": _bpe("clip", "CLIPTokenizer", "clip"),
        "albert": _spm("albert", "AlbertTokenizer", "albert"),
        "albert-cased": _spm("albert", "AlbertTokenizer", "albert", do_lower_case=False, keep_accents=True),
        "xlnet": _spm("xlnet", "XLNetTokenizer", "xlnet"),
        "xlnet-lower": _spm("xlnet", "XLNetTokenizer", "xlnet", do_lower_case=True),
        "t5": _spm("nfkc", "T5Tokenizer", "t5"),
        "t5-legacy": _spm("nfkc", "T5Tokenizer", "t5", legacy=True),
        "t5-new": _spm("nfkc", "T5Tokenizer", "t5", legacy=False, extra_ids=20),
        "mt5": _spm("nfkc", "T5Tokenizer", "mt5"),
        "umt5-bytes": _spm("bytes", "T5Tokenizer", "umt5", extra_ids=10),
        "pegasus": _spm("nfkc", "PegasusTokenizer", "pegasus"),
        "camembert": _spm("plain", "CamembertTokenizer", "camembert", **xlmr),
        "xlm_roberta": _spm("plain", "XLMRobertaTokenizer", "xlm-roberta", **xlmr),
        "mbart": _spm("plain", "MBartTokenizer", "mbart", **xlmr),
        "mbart-de": _spm("plain", "MBartTokenizer", "mbart", **xlmr, src_lang="de_DE"),
        "mbart50": _spm("plain", "MBart50Tokenizer", "mbart", **xlmr, src_lang="en_XX"),
        "xglm": _spm("plain", "XGLMTokenizer", "xglm", **xlmr),
        "rembert": _spm("rembert", "RemBertTokenizer", "rembert", file="sentencepiece.model"),
        "deberta_v2": _spm("deberta", "DebertaV2Tokenizer", "deberta-v2", file="spm.model"),
        "deberta_v2-lower": _spm(
            "deberta", "DebertaV2Tokenizer", "deberta-v2", file="spm.model", do_lower_case=True, split_by_punct=True
        ),
        "big_bird": _spm("bigbird", "BigBirdTokenizer", "big_bird"),
        "llama": _spm("llama", "LlamaTokenizer", "llama", **model, **_NAMES),
        "llama-legacy": _spm("llama", "LlamaTokenizer", "llama", **model, **_NAMES, legacy=True),
        "llama-new": _spm("llama", "LlamaTokenizer", "llama", **model, **_NAMES, legacy=False),
        "llama-new-bare": _spm(
            "llama", "LlamaTokenizer", "llama", **model, **_NAMES, legacy=False, add_prefix_space=False
        ),
        "llama-no-prefix": _spm("no_prefix", "LlamaTokenizer", "llama", **model, **_NAMES, legacy=False),
        "llama-no-prefix-legacy": _spm("no_prefix", "LlamaTokenizer", "llama", **model, **_NAMES, legacy=True),
        "llama-eos": _spm("llama", "LlamaTokenizer", "llama", **model, **_NAMES, add_eos_token=True, legacy=True),
        "llama-added": {
            **_spm(
                "llama", "LlamaTokenizer", "llama", **model, **_NAMES, legacy=True,
                added_tokens_decoder={
                    "0": _token("<unk>", special=True), "1": _token("<s>", special=True),
                    "2": _token("</s>", special=True),
                },
            ),
            "added_tokens.json": {"<pad>": -1},
        },
        "yi": _spm("yi", "LlamaTokenizer", "llama", **model, **_YI),
        "yi-new": _spm("yi", "LlamaTokenizer", "llama", **model, **_YI, legacy=False),
        "codellama": _spm("llama", "CodeLlamaTokenizer", "llama", **model, **_NAMES),
        "mistral": _spm("llama", "LlamaTokenizer", "mistral", **model, **_NAMES, legacy=True, add_prefix_space=True),
        "xlm_roberta-bytes": _spm("bytes", "XLMRobertaTokenizer", "xlm-roberta", **xlmr),
        "m2m_100": {
            **_spm("plain", "M2M100Tokenizer", "m2m_100", **xlmr),
            "vocab.json": "@m2m.json",
        },
        "gemma2": _spm("gemma", "GemmaTokenizer", "gemma2", **model, add_eos_token=True),
        "gemma": _spm("gemma", "GemmaTokenizer", "gemma", **model),
        "marian": {
            "source.spm": "@marian.spm",
            "target.spm": "@marian.spm",
            "vocab.json": "@marian.json",
            "config.json": {"model_type": "marian"},
            "tokenizer_config.json": {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "de"},
        },
    }  # fmt: skip


def odd_folders() -> dict[str, Folder]:
    """Folders whose other files decide: tokens added, classes that differ from the model type."""
    later = {"430": _token("<tool>", special=True), "431": _token("[new]", normalized=True)}
    return {
        "gpt2-decoder-only": _bpe("gpt2", "GPT2Tokenizer", "gpt2", added_tokens_decoder=later),
        "gpt2-added": {**_bpe("gpt2", "GPT2Tokenizer", "gpt2"), "added_tokens.json": {"<tool>": 430, "[new]": 431}},
        "gpt2-outside": _bpe(
            "gpt2", "GPT2Tokenizer", "gpt2", bos_token="<bos>", pad_token="<pad>",
            additional_special_tokens=["<a>", "<b>"],
        ),
        "bert-outside": _txt("uncased", "BertTokenizer", "bert", additional_special_tokens=["[E1]", "[/E1]"]),
        "class-in-config": {
            "vocab.json": "@gpt2.json", "merges.txt": "@gpt2.merges",
            "config.json": {"model_type": "opt", "tokenizer_class": "GPT2Tokenizer"},
        },
        "bert-with-roberta": {
            **_bpe("roberta", "RobertaTokenizer", "bert"), "tokenizer_config.json": {},
            "config.json": {"model_type": "bert", "tokenizer_class": "RobertaTokenizer"},
        },
        "electra-says-bert": _txt("cased", "BertTokenizer", "electra", do_lower_case=False),
        "bert-is-xlmr": _spm("plain", "XLMRobertaTokenizer", "bert", file="sentencepiece.bpe.model"),
        "bert-is-t5": {"spiece.model": "@nfkc.model", "config.json": {"model_type": "bert",
                       "tokenizer_class": "T5Tokenizer"}},
        "clip-pad": {
            **_bpe("clip", "CLIPTokenizer", "clip", pad_token="<|endoftext|>"),
            "special_tokens_map.json": {"pad_token": "!"},
        },
        "clip-pad-new": {
            **_bpe("clip", "CLIPTokenizer", "clip", pad_token="<|endoftext|>", added_tokens_decoder={}),
            "special_tokens_map.json": {"pad_token": "!"},
        },
        "gpt2-gap": _bpe("gpt2", "GPT2Tokenizer", "gpt2", added_tokens_decoder={"435": _token("<far>", special=True)}),
        "gpt2-flags": _bpe(
            "gpt2", "GPT2Tokenizer", "gpt2",
            added_tokens_decoder={
                "430": _token("<l>", lstrip=True, special=True), "431": _token("<r>", rstrip=True),
                "432": _token("the", single_word=True), "433": _token("Str", normalized=True),
            },
        ),
        "gpt2-null-pad": _bpe("gpt2", "GPT2Tokenizer", "gpt2", pad_token=None, unk_token=None),
        "no-config": {"vocab.txt": "@cased.txt",
                      "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": False}},
    }  # fmt: skip


def fast_folders() -> dict[str, tuple[str, Folder]]:
    """Folders with another folder's tokenizer.json, which their small files contradict."""
    later = {"430": _token("<tool>", special=True), "431": _token("[new]", normalized=True)}
    gpt2 = {"model_type": "gpt2"}
    return {
        "bert-json-cased": ("bert", {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer",
                                                               "do_lower_case": False}}),
        "bert-json-accents": ("bert", {"tokenizer_config.json": {"strip_accents": False}}),
        "bert-cased-json-bare": ("bert-cased", {}),
        "bert-json-plain": ("bert-cased", {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}}),
        "electra-json": ("bert-cased", {"config.json": {"model_type": "electra"}}),
        "gpt2-json-bare": ("gpt2-prefix", {"config.json": gpt2}),
        "gpt2-json-prefix": ("gpt2", {"tokenizer_config.json": {"add_prefix_space": True}}),
        "gpt2-json-bos": ("gpt2", {"tokenizer_config.json": {"add_bos_token": True, "bos_token": "<|endoftext|>"}}),
        "gpt2-json-plain": ("gpt2-prefix", {"config.json": {"model_type": "starcoder2"}, "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast"}}),
        "gpt2-json-added": ("gpt2", {"added_tokens.json": {"<tool>": 430, "[new]": 431}}),
        "gpt2-json-decoder": ("gpt2", {"tokenizer_config.json": {"added_tokens_decoder": later}}),
        "gpt2-json-outside": ("gpt2", {"tokenizer_config.json": {"pad_token": "<pad>",
                                       "additional_special_tokens": ["<a>", "<b>"]}}),
        "gpt2-json-map": ("gpt2", {"special_tokens_map.json": {"pad_token": "[P]",
                                                               "cls_token": _token("[C]", lstrip=True)}}),
        "neox-json-bos": ("gpt2", {"config.json": {"model_type": "gpt_neox"}, "tokenizer_config.json": {
            "tokenizer_class": "GPTNeoXTokenizer", "add_bos_token": True, "add_eos_token": True}}),
        "roberta-json-prefix": ("roberta", {"tokenizer_config.json": {"add_prefix_space": True}}),
        "roberta-json-names": ("roberta", {"tokenizer_config.json": {"mask_token": "<mask>", "cls_token": "<s>"}}),
        "clip-json-pad": ("clip-plain", {"special_tokens_map.json": {"pad_token": "!"}}),
        "mbart-json-de": ("mbart", {"tokenizer_config.json": {"tokenizer_class": "MBartTokenizer",
                                                              "src_lang": "de_DE"}}),
        "llama-json": ("llama-legacy", {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer"}}),
        "llama-json-eos": ("llama-legacy", {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer",
                           "add_bos_token": False, "add_eos_token": True}}),
        "llama-json-plain": ("llama-new", {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}}),
        "llama-json-plain-bos": ("llama-new", {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast",
                                 "add_bos_token": False, "bos_token": "<s>"}}),
        "qwen2-json": ("gpt2", {"config.json": {"model_type": "qwen2"}, "tokenizer_config.json": {
            "tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": later, "add_bos_token": False}}),
        "cohere-json": ("gpt2", {"config.json": {"model_type": "cohere"}, "tokenizer_config.json": {
            "tokenizer_class": "CohereTokenizer", "bos_token": "<|endoftext|>", "add_bos_token": True}}),
        "gemma-json-bare": ("gemma", {"tokenizer_config.json": {"tokenizer_class": "GemmaTokenizer",
                            "add_bos_token": False}}),
        "t5-json": ("t5-new", {"tokenizer_config.json": {"tokenizer_class": "T5Tokenizer", "extra_ids": 20}}),
        "albert-json-cased": ("albert", {"tokenizer_config.json": {"tokenizer_class": "AlbertTokenizer",
                              "do_lower_case": False}}),
        "xlm_roberta-json-bert": ("xlm_roberta", {"config.json": {"model_type": "bert", "tokenizer_class":
                                  "XLMRobertaTokenizer"}, "tokenizer_config.json": {}}),
    }  # fmt: skip
