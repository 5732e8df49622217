"""attnviz draws the attention of transformer models.

The public names load on first use (PEP 562), so that `import attnviz` costs nothing.
"""

from __future__ import annotations

from attnviz.analyses import ANALYSES

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all that follows; types: __init__.pyi
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Attention": "attnviz.attention",
    "AttentionSource": "attnviz.models.source",
    "Tokens": "attnviz.axis",
    "AttnvizError": "attnviz.errors",
    "Model": "attnviz.models.model",
    "corpus": "attnviz.analyses.corpus",
    "describe": "attnviz.models.describe",
    "load": "attnviz.models.load",
    "open": "attnviz.io.saved",
    "tokenize": "attnviz.models.tokenize",
}
__all__ = [
    "Attention",
    "AttentionSource",
    "AttnvizError",
    "Model",
    "Tokens",
    "corpus",
    "describe",
    "load",
    "open",
    "tokenize",
    *ANALYSES,
]


def __getattr__(name: str) -> Any:
    if name in ANALYSES:
        from attnviz.analyses import find
        from attnviz.analyses.front import function

        value: Any = function(find(name))
    elif name in _HOMES:
        from importlib import import_module

        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'attnviz' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *ANALYSES})
