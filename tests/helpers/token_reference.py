"""Ids by transformers for folders of every layout (scripts/make_token_reference.py)."""

from __future__ import annotations

import json

from helpers.paths import TOKENS

FOLDERS = json.loads((TOKENS / "folders.json").read_text())
EXPECTED = json.loads((TOKENS / "expected.json").read_text())
GIVEN = [(text,) for text in EXPECTED["texts"]] + [tuple(pair) for pair in EXPECTED["pairs"]]
PAIRS = [text for text, _ in EXPECTED["pairs"]]
# Texts whose ids differ from version 4; docs/tokenizers.md says why.
OWN = {
    "marian": [">>de<< translate this >>fr<<"],  # a language is a token at the beginning
    "gpt2-bos": PAIRS,  # the second text has a begin token too, as in version 5
    "opt": PAIRS,
    "codellama": PAIRS,  # two texts are not a gap to fill
}
