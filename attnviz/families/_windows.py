"""Sliding windows that only some layers have, as `layer_types` or older keys say."""

from __future__ import annotations

from collections.abc import Callable

from attnviz.families._config import Config

FULL, SLIDING = "full_attention", "sliding_attention"


def layer_types(config: Config, n_layers: int, left_out: Callable[[int], bool]) -> tuple[str, ...]:
    """The kind of each layer; left_out(i): whether layer i slides if `layer_types` is left out."""
    kinds = config.words("layer_types", (FULL, SLIDING), n_layers)
    return kinds or tuple(SLIDING if left_out(i) else FULL for i in range(n_layers))


def sliding_window(config: Config, default: int | None, kinds: tuple[str, ...]) -> int:
    """The reach of sliding layers in tokens, -1 if no layer slides.

    Raises ConfigError for sliding layers without a window.
    """
    reach = config.window("sliding_window", default)
    if reach < 0 and SLIDING in kinds:
        raise config.error("layer_types has sliding layers, but sliding_window is null")
    return reach


def reaches(kinds: tuple[str, ...], reach: int) -> tuple[int, ...]:
    """The reach of each layer in tokens."""
    return tuple(reach if kind == SLIDING else -1 for kind in kinds)


def upper_windows(config: Config, n_layers: int, first: int = 28) -> tuple[int, ...]:
    """Whether each layer slides: layers from `max_window_layers` on, if windows are used at all.

    first: that key's value if left out.
    """
    reach = config.window("sliding_window", 4096)
    if not config.bool("use_sliding_window"):
        reach = -1
    first = config.int("max_window_layers", first, low=0)
    return reaches(layer_types(config, n_layers, lambda i: reach >= 0 and i >= first), reach)


def both_sides(config: Config, key: str, left_out: int, n_layers: int) -> tuple[int, ...]:
    """The reach of each layer, from windows that count both sides: one for all layers, or one for each."""
    windows = config.raw(key, left_out)
    if type(windows) is int:
        config.data[key] = windows = [windows] * n_layers
    widths = config.ints(key, windows, length=n_layers)
    if any(w < 2 or w % 2 for w in widths):
        raise config.error(f"{key} must be even, 2 or more; got {list(widths)}")
    return tuple(w // 2 for w in widths)
