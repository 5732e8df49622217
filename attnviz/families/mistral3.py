"""Mistral 3 (Mistral AI 2025): the language model of a model that reads images."""

from __future__ import annotations

from attnviz.families import _wrapper

language, names, spec = _wrapper.reading("mistral", tied=True)
