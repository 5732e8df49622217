"""Qwen2.5-VL (Bai 2025): the language model of a model that reads images and films."""

from __future__ import annotations

from attnviz.families import _wrapper

language, names, spec = _wrapper.reading("qwen2_5_vl_text")
