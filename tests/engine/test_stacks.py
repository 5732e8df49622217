"""One stack, an encoder and its decoder, and two towers answer the same questions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attnviz.engine.spec import EncoderDecoder, Spec, Towers

ONE = Spec(n_layers=1, n_heads=2, d_model=8, d_mlp=0)
TWO = replace(ONE, n_layers=2)
PAIR = EncoderDecoder(ONE, replace(TWO, cross=True), start_id=5)
TOWERS = Towers(ONE, TWO)


@pytest.mark.parametrize(
    ("stacks", "stream", "image", "passes"),
    [
        (ONE, None, False, [(1, "", "self")]),
        (ONE, "encoder", False, [(1, "", "encoder")]),  # an encoder that is stored alone
        (ONE, "cross", False, [(1, "", "encoder"), (1, "", "decoder")]),  # a text and its pair
        (PAIR, None, False, [(1, "encoder.", "encoder")]),
        (PAIR, "decoder", False, [(1, "encoder.", "encoder"), (2, "decoder.", "decoder")]),
        (PAIR, "cross", False, [(1, "encoder.", "encoder"), (2, "decoder.", "decoder")]),
        (TOWERS, None, False, [(1, "text.", "self")]),
        (TOWERS, "self", True, [(2, "image.", "self")]),
    ],
)
def test_passes_of_a_stream(stacks, stream, image, passes) -> None:
    taken = stacks.passes(stream, image)
    assert [(stack.spec.n_layers, stack.prefix, stack.stream) for stack in taken] == passes
    assert taken[-1].spec.cross == (len(passes) == 2)


@pytest.mark.parametrize(
    ("stacks", "streams", "names", "generator", "reads_target", "start_id"),
    [
        (ONE, ("self",), ["self"], "", False, None),
        (PAIR, ("encoder", "decoder", "cross"), ["encoder", "decoder"], "decoder.", True, 5),
        (TOWERS, ("self",), ["text", "image"], "text.", False, None),
    ],
)
def test_facts_of_all_stacks(stacks, streams, names, generator, reads_target, start_id) -> None:
    assert (stacks.streams, list(stacks.stacks), stacks.generator.prefix) == (streams, names, generator)
    assert (stacks.reads_target, stacks.start_id) == (reads_target, start_id)


def test_a_decoder_alone_has_no_cross_attention() -> None:
    assert PAIR.alone("decoder") == TWO
    assert PAIR.alone("encoder") == ONE
