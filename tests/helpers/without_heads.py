"""Two more ways to take heads away: tensors in which W_O does not read them, and a model around a random case."""

from __future__ import annotations

import numpy as np

from attnviz.axis import Tokens
from attnviz.models.edited import Rereading
from attnviz.models.inputs import ModelInput
from attnviz.models.model import Model
from attnviz.models.source import AttentionSource


class WithoutColumns:
    """Tensors in which the columns of W_O that read some heads are zero: another way to remove these heads.

    places: (layer, head). prefix: the beginning of the names of a stack's tensors; o: W_O's name in a layer.
    """

    def __init__(self, tensors, spec, places, prefix="", o="o"):
        self.tensors, self.spec, self.places, self.prefix, self.o = tensors, spec, places, prefix, o

    def get(self, name, shape):
        values = self.tensors.get(name, shape)
        for layer, head in self.places:
            if name == f"{self.prefix}{self.spec.stored(layer)}{self.o}.weight":
                values = np.array(values)
                values[:, head * self.spec.d_value : (head + 1) * self.spec.d_value] = 0
        return values

    def rows(self, name, ids, shape):
        return self.tensors.rows(name, ids, shape)

    def has(self, name):
        return self.tensors.has(name)


def of_case(case):
    """A random case as a model and an input that it reads again."""
    n = len(case.inputs.words) if case.inputs.ids is None else len(case.inputs.ids)
    tokens = Tokens.plain([f"t{i}" for i in range(n)])
    model = Model("random", case.spec, case.tensors())
    inputs = ModelInput("self", case.spec, tokens, tokens, {"self": case.inputs}, False, None, {})
    return Rereading(model, inputs, AttentionSource.of(model, inputs))
