"""DINOv2 with registers (Darcet 2024): learned tokens after the class token, which have no position in the image."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import dinov2
from attnviz.families._config import Config

NAMES = {**dinov2.NAMES, "embed.registers": ("embeddings.register_tokens", "squeeze")}
IMAGES = dinov2.IMAGES


def spec(config: Config) -> Spec:
    """Dinov2WithRegistersConfig. Smaller images get smoothed places, unlike DINOv2's."""
    return dinov2.spec(config, registers=config.int("num_register_tokens", 4, low=0, high=10_000), smooth=True)
