"""FlauBERT (Le 2020), for French: XLM with one language, in larger sizes with norms before its sublayers."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Spec
from attnviz.families import _xlm
from attnviz.families._config import Config

NAMES = _xlm.NAMES
MASKED = _xlm.MASKED


def spec(config: Config) -> Spec:
    """FlaubertConfig. layerdrop leaves layers out in training alone."""
    before = config.bool("pre_norm")
    return replace(_xlm.encoder(config), norm_before=before, norm_after=not before)
