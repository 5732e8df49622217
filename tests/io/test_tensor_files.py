"""Attention out of .pt and .safetensors: what torch and safetensors wrote is read, and what lies is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.bounded import bounded
from helpers.checkpoint_files import tensor as pickled_tensor
from helpers.checkpoint_files import text, torch_zip
from helpers.paths import DATA
from safetensors.numpy import save_file

import attnviz
from attnviz.cli import main
from attnviz.errors import InputError
from attnviz.io.saved import any_attention

SAVED = DATA / "checkpoints"
EVEN = np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]
MAPS = np.stack([EVEN, np.eye(4)]).astype(np.float32)  # [head, query, key], as make_torch_files.py has them


def tuple_of(*values):
    """A pickle of a tuple, as torch writes one."""
    return b"\x80\x02(" + b"".join(values) + b"t."


def saved(path, count, same=False):
    """A tuple of tensors [1, 2, 4, 4]; same: one storage for all."""
    keys = ["0" if same else str(i) for i in range(count)]
    strides = (32, 16, 4, 1)
    tensors = [pickled_tensor(key, 32, (1, 2, 4, 4), strides) for key in keys]
    return torch_zip(path, tuple_of(*tensors), dict.fromkeys(keys, MAPS.tobytes()))


def test_a_tuple_of_layers_as_transformers_gives_it_is_read():
    attention = attnviz.open(SAVED / "attentions.pt")
    assert attention.weights.shape == (2, 2, 4, 4) and attention.stream == "self"
    assert np.array_equal(attention.weights, [MAPS, MAPS])


def test_of_several_outputs_one_is_picked_by_its_name_which_says_the_stream():
    with pytest.raises(InputError, match="3 arrays could be attention") as error:
        attnviz.open(SAVED / "attentions_old.pt")
    assert "cross_attentions [2, 1, 2, 3, 4]" in error.value.hint and "logits [1, 4, 7]" in error.value.hint
    encoder = attnviz.open(SAVED / "attentions_old.pt", key="encoder_attentions")
    cross = attnviz.open(SAVED / "attentions_old.pt", key="cross_attentions")
    assert (encoder.stream, cross.stream) == ("encoder", "cross")
    assert np.abs(encoder.weights - MAPS).max() < 2e-3
    assert np.abs(cross.weights - MAPS[:, :3]).max() < 2e-4


@pytest.mark.parametrize(
    ("arrays", "key", "want"),
    [
        ({"map": EVEN.astype(np.float32)}, None, EVEN[None, None]),
        ({"maps": MAPS.astype(np.float64)}, None, MAPS[None]),
        ({"weights": MAPS[None], "other": MAPS}, None, MAPS[None]),
        ({"a": MAPS[None], "b": MAPS[::-1].copy()}, "b", MAPS[None, ::-1]),
        ({"layer.1": MAPS[::-1].copy(), "layer.0": MAPS}, None, [MAPS, MAPS[::-1]]),
        ({"a_0": EVEN.astype(np.float16), "a_1": np.eye(4, dtype=np.float16)}, None, [EVEN[None], np.eye(4)[None]]),
        ({"stacked": np.stack([MAPS, MAPS])[:, None]}, None, [MAPS, MAPS]),
    ],
)
def test_safetensors_of_every_shape_are_read(tmp_path, arrays, key, want):
    save_file(arrays, tmp_path / "a.safetensors")
    attention = attnviz.open(tmp_path / "a.safetensors", key=key)
    assert attention.weights.dtype == np.float32
    assert np.allclose(attention.weights, want, atol=3e-4)


def test_layers_of_different_sizes_stay_arrays_of_their_own(tmp_path):
    save_file({"layer.0": MAPS, "layer.1": MAPS[:, :2, :2].copy()}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="2 arrays could be attention"):
        attnviz.open(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pt", b"", "truncated"),
        ("a.pt", b"PK\x03\x04", "zip"),
        ("a.pt", b"\x80\x02cos\nsystem\n(X\x04\0\0\0truetR.", "os.system, which is refused"),
        ("a.safetensors", b"\xff" * 20, "not a safetensors file"),
        ("a.safetensors", (1 << 40).to_bytes(8, "little") + b"{", "its header claims"),
    ],
)
def test_damaged_and_hostile_files_are_refused_in_one_line(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        attnviz.open(tmp_path / name)
    assert str(error.value).startswith(f"{name}: ") and "\n" not in str(error.value)
    assert "torch.save(output.attentions" in error.value.hint


def test_every_truncation_is_refused(tmp_path):
    whole = (SAVED / "attentions.pt").read_bytes()
    for stop in range(0, len(whole), 37):
        (tmp_path / "a.pt").write_bytes(whole[:stop])
        with pytest.raises(InputError):
            attnviz.open(tmp_path / "a.pt")


def test_tensors_that_no_pickle_of_plain_types_holds_are_named(tmp_path):
    torch_zip(tmp_path / "a.pt", b"\x80\x02}(" + text("epoch") + b"K\x03u.", {})
    with pytest.raises(InputError, match=r"a\.pt: holds no tensors"):
        attnviz.open(tmp_path / "a.pt")


def test_one_tensor_named_again_and_again_takes_no_memory(tmp_path):
    """A tensor of 4 MB, 9,000 times: 36 GB, from a file that the reader of pickles lets through."""
    side = 1024
    once = pickled_tensor("0", side * side, (1, 1, side, side), (side * side, side * side, side, 1))
    again = b"h\x01" * 8999
    path = torch_zip(tmp_path / "a.pt", b"\x80\x02(" + once + b"q\x01" + again + b"t.", {"0": bytes(4 * side * side)})
    line, peak, took = bounded(f"import attnviz; return attnviz.open({str(path)!r})")
    assert "its arrays would take 37,748,736,000 bytes, too many" in line
    assert peak < 200 and took < 5


def test_more_tensors_than_any_model_has_layers_are_refused(tmp_path):
    saved(tmp_path / "a.pt", 1)
    once = pickled_tensor("0", 32, (1, 2, 4, 4), (32, 16, 4, 1))
    torch_zip(tmp_path / "a.pt", b"\x80\x02(" + once + b"q\x01" + b"h\x01" * 20_000 + b"t.", {"0": MAPS.tobytes()})
    with pytest.raises(InputError, match="more than 10,000 tensors"):
        attnviz.open(tmp_path / "a.pt")


def test_layers_that_share_a_storage_are_read(tmp_path):
    attention, _ = any_attention(saved(tmp_path / "a.pt", 3, same=True))
    assert np.array_equal(attention.weights, [MAPS] * 3)


def test_the_command_line_reads_them_with_labels(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text("the\ncat\nsat\ndown\n")
    words = ["table", "--from", str(SAVED / "attentions.pt"), "--labels", "t.txt", "-l", "1", "-H", "1", "--json"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.count('"weight": 1.0') == 4 and '"query_token": "down"' in out
    assert main(["table", "--from", str(SAVED / "attentions_old.pt")]) == 1
    assert "--key NAME picks one" in capsys.readouterr().err


def test_check_takes_them_for_attention_where_no_configuration_lies_beside(tmp_path, capsys):
    assert main(["check", str(saved(tmp_path / "a.pt", 2))]) == 0
    assert "2 x 2 heads, 4 x 4 tokens" in capsys.readouterr().out
    (tmp_path / "config.json").write_text("{}")
    assert main(["check", str(tmp_path / "a.pt")]) == 1
    assert "2 x 2 heads" not in capsys.readouterr().out
