"""ERNIE (Sun 2020): BERT, with the embedding of a task added to every token from version 2 on."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._recipes import WORDPIECE

NAMES = {**_encoder.NAMES, "embed.tasks": "embeddings.task_type_embeddings.weight"}
TOKENIZERS = {"ernie": WORDPIECE}
MASKED = _unembed.BERT


def spec(config: Config) -> Spec:
    """ErnieConfig. Every text belongs to task 0, the reference's default."""
    n_tasks = config.int("task_type_vocab_size", 3)
    return replace(_encoder.encoder(config), n_tasks=n_tasks if config.bool("use_task_id") else 0)
