"""LLaVA (Liu 2023): the language model of a reader of images, Llama or another family."""

from __future__ import annotations

from attnviz.families import _wrapper

language, names, spec = _wrapper.reading("llama")
