"""XLM (Conneau 2019): a post-norm encoder whose token types are tokens; an embedding tells languages apart."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _xlm
from attnviz.families._config import Config

NAMES = _xlm.NAMES
MASKED = _xlm.MASKED


def spec(config: Config) -> Spec:
    """XLMConfig."""
    return _xlm.encoder(config)
