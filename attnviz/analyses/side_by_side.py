"""Kinds of attention side by side: one text, one layer, one head, and how far each is from the model's own.

for relative in attnviz.mechanisms(attnviz.load("seeded"), "The cat sat on the mat").relatives:
    print(relative.asked.name, relative.distance)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError, SelectionError
from attnviz.measures.distance import total_variation
from attnviz.variants import GROUPS, MECHANISMS, VariantSpec, parse

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.models.model import Model, Progress


@dataclass(frozen=True, eq=False)
class Relative:
    """One mechanism on this text.

    attention: one layer and one head. distance: `total_variation` from the model's own attention there.
    """

    asked: VariantSpec
    attention: Attention
    distance: float


def chosen(asked: Sequence[str]) -> list[str]:
    """Names, `lsh:8` and whole groups (`keys`) as single mechanisms; all that a text alone can have, for none.

    Raises SelectionError for a group of which a text alone has none.
    """
    names: list[str] = []
    for name in asked or GROUPS:
        if name in GROUPS:
            group = [mechanism for mechanism in MECHANISMS.values() if mechanism.group == name]
            fit = [mechanism.name for mechanism in group if mechanism.needs in ("any", "seeded")]
            if asked and not fit:
                each = ", ".join(f"{mechanism.name} (with --{mechanism.needs})" for mechanism in group)
                raise SelectionError(f"--mechanism {name}: a text alone has none of this group", f"name one: {each}")
            names += fit
        else:
            names.append(name)
    return names


def compare(
    model: Model,
    text: str | None = None,
    *,
    layer: int = 0,
    head: int = 0,
    mechanisms: Sequence[str] = (),
    progress: Progress | None = None,
    **inputs: Any,
) -> tuple[list[Relative], dict[str, str]]:
    """The mechanisms on one text, and why a mechanism is left out, by name.

    In layer 0 all of them have the model's own queries and keys, except mechanisms that change positions. In a later
    layer a mechanism replaces the attention of that layer alone, so that queries and keys are the same there too; a
    scale, causality, positions and global tokens hold in the whole model.

    Args:
        layer, head: true indices; a negative one counts from the end.
        mechanisms: names with their numbers, or groups; by default all that this model can have. A mechanism
            that does not fit the text is left out, as are all of a group that the model cannot have. With "cross" among
            them all are between the text and its pair.
        inputs: as for `Model.attend`.

    Raises:
        SelectionError: a mechanism that was asked for by name cannot be had. Other errors as `Model.attend`.
    """
    names, named = chosen(mechanisms), [name for name in mechanisms if name not in GROUPS]
    if any(parse(name).mechanism.needs == "pair" for name in named):
        inputs = {"stream": "cross", **inputs}
    base = model.attend(text, layers=layer, heads=head, **inputs)
    relatives: list[Relative] = []
    left_out: dict[str, str] = {}
    for name in names:
        try:
            changed = model.with_mechanism(name, layer)
            attention = changed.attend(text, layers=layer, heads=head, **inputs)
        except (InputError, SelectionError) as error:  # the text itself has been read: it does not fit the mechanism
            if name in named:
                raise
            left_out[name] = str(error)
            continue
        finally:
            if progress is not None:
                progress(1 / len(names))
        distance = total_variation(attention.weights, base.weights)[0, 0]
        relatives.append(Relative(parse(name), attention, float(distance)))
    return relatives, left_out
