"""Paths of the tests' data and of the repository."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
DATA = TESTS / "data"
GOLDEN = TESTS / "golden"
REFERENCE = TESTS / "reference"
ADAPTERS = TESTS / "reference_adapters"
ENCODERS = TESTS / "reference_encoders"
GGUF = TESTS / "reference_gguf"
INPUTS = TESTS / "reference_inputs"
TOKENS = TESTS / "reference_tokens"
