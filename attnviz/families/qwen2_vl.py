"""Qwen2-VL (Wang 2024): the language model of a model that reads images and films."""

from __future__ import annotations

from attnviz.families import _wrapper

language, names, spec = _wrapper.reading("qwen2_vl_text")
