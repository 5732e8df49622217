"""Encoder-decoders on disk: saved without a decoder, a start token in generation_config.json, global tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz import generate
from attnviz.errors import InputError, ModelError, SelectionError

IDS = [7, 9, 30, 12, 55, 8, 21]


def rewritten(case: str, folder: Path, encoder_only: bool = False, **config) -> Path:
    """A reference case with other configuration keys (None: left out), perhaps without its decoder's tensors."""
    tensors = load_file(REFERENCE / case / "model.safetensors")
    if encoder_only:
        tensors = {name: values for name, values in tensors.items() if "decoder." not in name}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    data = json.loads((REFERENCE / case / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps({k: v for k, v in data.items() if v is not None}))
    return folder


@pytest.mark.parametrize("case", ["t5", "umt5", "bart", "led"])
def test_a_checkpoint_without_decoder_is_its_encoder(case, tmp_path) -> None:
    whole = attnviz.load(REFERENCE / case).attend(ids=IDS, stream="encoder")
    alone = attnviz.load(rewritten(case, tmp_path, encoder_only=True))
    attention = alone.attend(ids=IDS)
    assert alone.streams == ("encoder",) and attention.stream == "encoder"
    np.testing.assert_array_equal(attention.weights, whole.weights)


@pytest.mark.parametrize("more", [{"architectures": ["T5EncoderModel"]}, {"is_encoder_decoder": False}])
def test_a_configuration_may_speak_of_the_encoder_alone(more, tmp_path) -> None:
    assert attnviz.load(rewritten("t5", tmp_path, **more)).streams == ("encoder",)


@pytest.mark.parametrize("case", ["bart", "marian"])
def test_a_decoder_saved_as_a_language_model(case, tmp_path) -> None:
    """Without an encoder there is no cross-attention: the first layer sees the text as in the whole model."""
    folder = rewritten(case, tmp_path, architectures=["AnyForCausalLM"], is_encoder_decoder=False)
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t for n, t in tensors.items() if "encoder." not in n}, folder / "model.safetensors", {"format": "pt"})
    model = attnviz.load(folder)
    whole = attnviz.load(REFERENCE / case).attend(ids=IDS, target_ids=IDS, stream="decoder", layers=0)
    np.testing.assert_array_equal(model.attend(ids=IDS, layers=0).weights, whole.weights)
    assert model.streams == ("self",) == tuple(attnviz.describe(folder)["streams"])
    assert len(generate(model, ids=IDS, max_new=2).new) == 2


def test_what_an_encoder_alone_cannot_do(tmp_path) -> None:
    model = attnviz.load(rewritten("t5", tmp_path, encoder_only=True))
    for stream in ("decoder", "cross", "self"):
        with pytest.raises(SelectionError, match="must be one of encoder"):
            model.attend(ids=IDS, stream=stream)
    with pytest.raises(InputError, match="has no decoder to read a target"):
        model.attend(ids=IDS, target_ids=[1])
    with pytest.raises(ModelError, match="cannot continue a text"):
        generate(model, ids=IDS)


def test_the_start_token_may_stand_in_generation_config(tmp_path) -> None:
    folder = rewritten("t5", tmp_path, decoder_start_token_id=None, pad_token_id=4)
    assert attnviz.load(folder).spec.start_id == 4
    (folder / "generation_config.json").write_text('{"decoder_start_token_id": 11}')
    assert attnviz.load(folder).spec.start_id == 11
    folder = rewritten("t5", tmp_path, decoder_start_token_id=9)
    assert attnviz.load(folder).spec.start_id == 9


def test_global_tokens_of_an_encoder_in_two_stacks() -> None:
    """The window is 4 to each side; a global token sees all and is seen by all; cross-attention reads the result."""
    model, ids = attnviz.load(REFERENCE / "led"), list(range(10, 30))
    plain = model.attend(ids=ids, stream="encoder")
    found = model.attend(ids=ids, stream="encoder", global_tokens=[9])
    assert not plain.mask[0, 0, 9] and found.mask[0, 0, 9]
    assert (found.weights[:, :, 9] > 0).all() and (found.weights[:, :, :, 9] > 0).all()
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    cross = [model.attend(ids=ids, target_ids=[2, 7], global_tokens=places).weights for places in ([], [9])]
    assert np.abs(cross[0] - cross[1]).max() > 1e-3
