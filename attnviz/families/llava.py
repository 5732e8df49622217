"""LLaVA (Liu 2023): the language model, Llama or another family, of a model that reads images."""

from __future__ import annotations

from attnviz.families import _wrapper

language, names, spec = _wrapper.reading("llama")
