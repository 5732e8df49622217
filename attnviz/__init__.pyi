# Written by scripts/make_stub.py.
from collections.abc import Iterable

from numpy.typing import ArrayLike

from attnviz.analyses.diff import Changes as Changes
from attnviz.analyses.focus import Focus as Focus
from attnviz.analyses.lines import Lines as Lines
from attnviz.analyses.links import StrongestLinks as StrongestLinks
from attnviz.analyses.roles import HeadRoles as HeadRoles
from attnviz.analyses.similar import SimilarHeads as SimilarHeads
from attnviz.analyses.stats import HeadStatistics as HeadStatistics
from attnviz.analyses.steps import StepByStep as StepByStep
from attnviz.attention import Attention as Attention
from attnviz.axis import Tokens as Tokens
from attnviz.errors import AttnvizError as AttnvizError
from attnviz.io.saved import open as open
from attnviz.models.describe import describe as describe
from attnviz.models.load import load as load
from attnviz.models.model import Model as Model
from attnviz.models.source import AttentionSource as AttentionSource
from attnviz.models.tokenize import tokenize as tokenize

__version__: str

def diff(
    source: Attention | Model,
    /,
    *others: Attention | Model | str,
    pair: str | None = ...,
    target: str | None = ...,
    ids: ArrayLike | None = ...,
    token_types: ArrayLike | None = ...,
    target_ids: ArrayLike | None = ...,
    pixel_values: ArrayLike | None = ...,
    input_values: ArrayLike | None = ...,
    input_features: ArrayLike | None = ...,
    stream: str | None = ...,
    global_tokens: Iterable[int] | None = ...,
    layers: Iterable[int] | int | None = ...,
    heads: Iterable[int | str] | int | str | None = ...,
    layers_b: Iterable[int] | int | None = ...,
    words: bool = ...,
    no_special: bool = ...,
    top: int | None = ...,
) -> Changes: ...
def focus(
    source: Attention | AttentionSource | Model,
    /,
    text: str | None = ...,
    pair: str | None = ...,
    *,
    target: str | None = ...,
    ids: ArrayLike | None = ...,
    token_types: ArrayLike | None = ...,
    target_ids: ArrayLike | None = ...,
    pixel_values: ArrayLike | None = ...,
    input_values: ArrayLike | None = ...,
    input_features: ArrayLike | None = ...,
    stream: str | None = ...,
    global_tokens: Iterable[int] | None = ...,
    layers: Iterable[int] | int | None = ...,
    heads: Iterable[int | str] | int | str | None = ...,
    words: bool = ...,
    no_special: bool = ...,
    query: str | None = ...,
    by: str = ...,
    top: int | None = ...,
) -> Focus: ...
def lines(
    source: Attention | Model,
    /,
    text: str | None = ...,
    pair: str | None = ...,
    *,
    target: str | None = ...,
    ids: ArrayLike | None = ...,
    token_types: ArrayLike | None = ...,
    target_ids: ArrayLike | None = ...,
    pixel_values: ArrayLike | None = ...,
    input_values: ArrayLike | None = ...,
    input_features: ArrayLike | None = ...,
    stream: str | None = ...,
    global_tokens: Iterable[int] | None = ...,
    layers: Iterable[int] | int | None = ...,
    heads: Iterable[int | str] | int | str | None = ...,
    words: bool = ...,
    no_special: bool = ...,
    query: str | int | None = ...,
    cells: int | None = ...,
    shape: str = ...,
    overlay: bool = ...,
    by: str = ...,
    top: int | None = ...,
) -> Lines: ...
def links(
    source: Attention | AttentionSource | Model,
    /,
    text: str | None = ...,
    pair: str | None = ...,
    *,
    target: str | None = ...,
    ids: ArrayLike | None = ...,
    token_types: ArrayLike | None = ...,
    target_ids: ArrayLike | None = ...,
    pixel_values: ArrayLike | None = ...,
    input_values: ArrayLike | None = ...,
    input_features: ArrayLike | None = ...,
    stream: str | None = ...,
    global_tokens: Iterable[int] | None = ...,
    layers: Iterable[int] | int | None = ...,
    heads: Iterable[int | str] | int | str | None = ...,
    words: bool = ...,
    no_special: bool = ...,
    query: str | None = ...,
    key_token: str | None = ...,
    within: bool = ...,
    each: str | None = ...,
    special: bool = ...,
    by: str = ...,
    top: int | None = ...,
) -> StrongestLinks: ...
def roles(
    source: Attention | AttentionSource | Model,
    /,
    text: str | None = ...,
    pair: str | None = ...,
    *,
    target: str | None = ...,
    ids: ArrayLike | None = ...,
    token_types: ArrayLike | None = ...,
    target_ids: ArrayLike | None = ...,
    pixel_values: ArrayLike | None = ...,
    input_values: ArrayLike | None = ...,
    input_features: ArrayLike | None = ...,
    stream: str | None = ...,
    global_tokens: Iterable[int] | None = ...,
    layers: Iterable[int] | int | None = ...,
    heads: Iterable[int | str] | int | str | None = ...,
    words: bool = ...,
    no_special: bool = ...,
    random: bool = ...,
    top: int | None = ...,
) -> HeadRoles: ...
def similar(
    source: Attention | Model,
    /,
    text: str | None = ...,
    pair: str | None = ...,
    *,
    target: str | None = ...,
    ids: ArrayLike | None = ...,
    token_types: ArrayLike | None = ...,
    target_ids: ArrayLike | None = ...,
    pixel_values: ArrayLike | None = ...,
    input_values: ArrayLike | None = ...,
    input_features: ArrayLike | None = ...,
    stream: str | None = ...,
    global_tokens: Iterable[int] | None = ...,
    layers: Iterable[int] | int | None = ...,
    heads: Iterable[int | str] | int | str | None = ...,
    words: bool = ...,
    no_special: bool = ...,
) -> SimilarHeads: ...
def stats(
    source: Attention | AttentionSource | Model,
    /,
    text: str | None = ...,
    pair: str | None = ...,
    *,
    target: str | None = ...,
    ids: ArrayLike | None = ...,
    token_types: ArrayLike | None = ...,
    target_ids: ArrayLike | None = ...,
    pixel_values: ArrayLike | None = ...,
    input_values: ArrayLike | None = ...,
    input_features: ArrayLike | None = ...,
    stream: str | None = ...,
    global_tokens: Iterable[int] | None = ...,
    layers: Iterable[int] | int | None = ...,
    heads: Iterable[int | str] | int | str | None = ...,
    words: bool = ...,
    no_special: bool = ...,
    by: str | None = ...,
    top: int | None = ...,
) -> HeadStatistics: ...
def steps(
    source: Model,
    /,
    text: str | None = ...,
    pair: str | None = ...,
    *,
    target: str | None = ...,
    ids: ArrayLike | None = ...,
    token_types: ArrayLike | None = ...,
    target_ids: ArrayLike | None = ...,
    pixel_values: ArrayLike | None = ...,
    input_values: ArrayLike | None = ...,
    input_features: ArrayLike | None = ...,
    stream: str | None = ...,
    global_tokens: Iterable[int] | None = ...,
    layer: int = ...,
    head: int | None = ...,
    query: str | None = ...,
    decimals: int = ...,
    diagram: bool = ...,
    part: str | None = ...,
) -> StepByStep: ...
