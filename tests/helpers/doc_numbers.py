"""The sentences of a page of docs, and the numbers in them that no test has computed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from helpers.paths import ROOT

NUMBER = re.compile(r"(?<![\w.\-/])[−-]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
# Text with digits that is no fact about attention: citations, places in a paper, names of models, layers and heads.
NAMES = (
    r"`[^`]*`",
    r"\]\([^)]*\)",
    r"\b[A-Z][\w.-]+(?: (?:et al\.|and [A-Z]\w+))*,? (?:19|20)\d\d\b",
    r"\b(?:sections?|eq\.|step|appendix) \w[\w.]*(?:[-–]\d+)?(?:(?:,| and) \d[\d.]*)*",
    r"\b(?:Llama|Qwen|Gemma|OLMo|Granite|StarCoder|SigLIP|Mistral|DeepSeek|EXAONE|Run|run|Python|WordNet) \d[\d.]*",
    r"\b[Ll]ayers? \d+(?:(?:,| and| to) \d+)*(?:, heads? \d+)?",
    r"[a-z]_\d,\d",
    r"\[1, (?:pair|query)[^\]]*\]",
)


def prose(page: str) -> str:
    """A page on one line, without bold marks, blocks of code and generated tables; of a picture its description."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    text = re.sub(r"<!-- tables?:.*?<!-- end", "", text, flags=re.S)
    text = re.sub(r'<img [^>]*alt="([^"]*)"[^>]*>', r"\1", text)
    kept, before = [], ""
    for line in text.split("\n"):
        indented = line.startswith("    ") and (not before.strip() or before.startswith("    "))
        if not indented:
            kept.append(line)
        before = line
    joined = " ".join(" ".join(re.sub(r"^(?:\*{0,2}\d+\.\*{0,2}|#+|-) ", "", line) for line in kept).split())
    return joined.replace("**", "")


def left_over(text: str, sentences: Iterable[str], patterns: Iterable[str] = ()) -> list[str]:
    """The numbers of a text that are in none of the checked sentences and match no pattern.

    Each is returned with the text around it.
    """
    for sentence in sentences:
        text = text.replace(sentence, " § ")
    for pattern in (*patterns, *NAMES):
        text = re.sub(pattern, " § ", text)
    return [text[max(0, number.start() - 30) : number.end() + 20] for number in NUMBER.finditer(text)]
