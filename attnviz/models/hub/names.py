"""Names of models on the Hub as people type and shorten them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

NAME = re.compile(r"[\w.-]+/[\w.-]+")
REVISION = re.compile(r"(?!.*\.\.)[\w.-]+(/[\w.-]+)*")
MAIN = "main"
_SHORT = re.compile(r"[\w.-]+")

# Organisation -> its models that once had names without one. The Hub still forwards the old names.
_MOVED = {
    "albert": (
        "albert-base-v1 albert-base-v2 albert-large-v1 albert-large-v2 albert-xlarge-v1 albert-xlarge-v2 "
        "albert-xxlarge-v1 albert-xxlarge-v2"
    ),
    "almanach": "camembert-base",
    "distilbert": (
        "distilbert-base-cased distilbert-base-cased-distilled-squad distilbert-base-german-cased "
        "distilbert-base-multilingual-cased distilbert-base-uncased distilbert-base-uncased-distilled-squad "
        "distilbert-base-uncased-finetuned-sst-2-english distilgpt2 distilroberta-base"
    ),
    "FacebookAI": (
        "roberta-base roberta-large roberta-large-mnli "
        "xlm-clm-ende-1024 xlm-clm-enfr-1024 xlm-mlm-100-1280 xlm-mlm-17-1280 xlm-mlm-en-2048 xlm-mlm-ende-1024 "
        "xlm-mlm-enfr-1024 xlm-mlm-enro-1024 xlm-mlm-tlm-xnli15-1024 xlm-mlm-xnli15-1024 xlm-roberta-base "
        "xlm-roberta-large xlm-roberta-large-finetuned-conll03-english"
    ),
    "google-bert": (
        "bert-base-cased bert-base-cased-finetuned-mrpc bert-base-chinese bert-base-german-cased "
        "bert-base-german-dbmdz-cased bert-base-german-dbmdz-uncased bert-base-multilingual-cased "
        "bert-base-multilingual-uncased bert-base-uncased bert-large-cased bert-large-cased-whole-word-masking "
        "bert-large-uncased bert-large-uncased-whole-word-masking "
        "bert-large-uncased-whole-word-masking-finetuned-squad"
    ),
    "google-t5": "t5-small t5-base t5-large t5-3b t5-11b",
    "openai-community": (
        "gpt2 gpt2-medium gpt2-large gpt2-xl openai-gpt roberta-base-openai-detector roberta-large-openai-detector"
    ),
    "Salesforce": "ctrl",
    "transfo-xl": "transfo-xl-wt103",
    "xlnet": "xlnet-base-cased xlnet-large-cased",
}
_FULL = {short: f"{org}/{short}" for org, names in _MOVED.items() for short in names.split()}
# Further names that people know a model by, without an organisation.
_FULL |= {
    "all-MiniLM-L6-v2": "sentence-transformers/all-MiniLM-L6-v2",
    "all-mpnet-base-v2": "sentence-transformers/all-mpnet-base-v2",
    "paraphrase-multilingual-MiniLM-L12-v2": "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    "deberta-v3-base": "microsoft/deberta-v3-base",
    "flan-t5-small": "google/flan-t5-small",
    "flan-t5-base": "google/flan-t5-base",
    "bart-base": "facebook/bart-base",
    "bart-large": "facebook/bart-large",
    "opt-125m": "facebook/opt-125m",
    "whisper-tiny": "openai/whisper-tiny",
    "whisper-base": "openai/whisper-base",
    "clip-vit-base-patch32": "openai/clip-vit-base-patch32",
    "vit-base-patch16-224": "google/vit-base-patch16-224",
    "wav2vec2-base-960h": "facebook/wav2vec2-base-960h",
    "pythia-70m": "EleutherAI/pythia-70m",
    "gpt-oss-20b": "openai/gpt-oss-20b",
}


def parse(text: str) -> tuple[str, str] | None:
    """`"org/name@v2"` -> ("org/name", "v2"); the revision is main if none is named. None: no name on the Hub."""
    name, at, revision = text.partition("@")
    if not NAME.fullmatch(name) or (at and not REVISION.fullmatch(revision)):
        return None
    return name, revision or MAIN


def short(text: str) -> tuple[str, str] | None:
    """`"gpt2@v2"` -> ("gpt2", "v2"), a name without an organisation as the cache may hold it; None for no such name."""
    name, at, revision = text.partition("@")
    if not _SHORT.fullmatch(name) or not name.strip(".") or (at and not REVISION.fullmatch(revision)):
        return None
    return name, revision or MAIN


def full(name: str) -> str:
    """The Hub's full name of a model that is known by a short one: `"gpt2"` -> `"openai-community/gpt2"`; else ''."""
    return _FULL.get(name) or next((full for short, full in _FULL.items() if short.lower() == name.lower()), "")


def near(name: str, on_hub: Iterable[str] = (), here: Iterable[str] = ()) -> list[str]:
    """Names that are spelled nearly so, the likeliest first, at most three.

    Args:
        name: with or without an organisation, which is not looked at.
        on_hub: more full names to look among than the known ones, such as names in the cache.
        here: names of models that are not on the Hub.
    """
    known = {short.lower(): full for short, full in _FULL.items()}
    known |= {each.rpartition("/")[2].lower(): each for each in on_hub} | {each: each for each in here}
    word = name.rpartition("/")[2].lower()
    return [known[match] for match in get_close_matches(word, known, n=3, cutoff=0.75) if known[match] != name]
