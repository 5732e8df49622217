"""Gemma 3 (Gemma Team 2025): the language model of a model that reads images."""

from __future__ import annotations

from attnviz.families import _wrapper

language, names, spec = _wrapper.reading("gemma3_text", tied=True)
