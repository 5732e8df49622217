"""Large models in the Hub's form: an index, its files, and other files beside them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.checkpoint_files import pickled, tensor, torch_zip
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz.checkpoints import open_checkpoint
from attnviz.errors import CheckpointError

IDS, ENDING = [5, 6, 7, 8], ".safetensors"
INDEX, TORCH_INDEX = "model.safetensors.index.json", "pytorch_model.bin.index.json"


def attention(folder, **options):
    return attnviz.load(folder).attend(ids=IDS, **options).weights


def split(folder, case, n_files, rename=str):
    """A reference case in `count` files, as large models are saved: tensor after tensor, cut anywhere."""
    arrays = load_file(REFERENCE / case / "model.safetensors")
    names = sorted(arrays)
    places = {}
    for i in range(n_files):
        file = f"model-{i + 1:05}-of-{n_files:05}.safetensors"
        part = names[i * len(names) // n_files : (i + 1) * len(names) // n_files]
        save_file({rename(name): arrays[name] for name in part}, folder / file, metadata={"format": "pt"})
        places |= {rename(name): file for name in part}
    (folder / "config.json").write_bytes((REFERENCE / case / "config.json").read_bytes())
    return places


def write_index(folder, places, name=INDEX, **more):
    (folder / name).write_text(json.dumps({**more, "weight_map": places}))


@pytest.mark.parametrize("case", ["llama", "mixtral", "qwen3_moe", "gpt_oss"])
@pytest.mark.parametrize("n_files", [1, 3, 17])
def test_a_model_in_any_number_of_files(case, n_files, tmp_path):
    """Experts of a layer are in several files, and so are the halves of a layer."""
    write_index(tmp_path, split(tmp_path, case, n_files), metadata={"total_size": 12345})
    assert np.array_equal(attention(tmp_path), attention(REFERENCE / case))


@pytest.mark.parametrize("metadata", [None, {}, {"total_size": 1.5e12}, {"total_size": "1", "format": "pt"}, []])
def test_what_an_index_says_of_itself_does_not_matter(metadata, tmp_path):
    write_index(tmp_path, split(tmp_path, "llama", 2), metadata=metadata)
    assert np.array_equal(attention(tmp_path), attention(REFERENCE / "llama"))
    write_index(tmp_path, split(tmp_path, "llama", 2))
    assert np.array_equal(attention(tmp_path), attention(REFERENCE / "llama"))


@pytest.mark.parametrize("prefix", ["model.", "language_model.model.", "transformer."])
def test_tensors_under_a_prefix(prefix, tmp_path):
    write_index(tmp_path, split(tmp_path, "llama", 3, lambda name: prefix + name))
    assert np.array_equal(attention(tmp_path), attention(REFERENCE / "llama"))


def test_what_lies_beside_the_files_is_not_read(tmp_path):
    places = split(tmp_path, "llama", 2)
    write_index(tmp_path, places)
    write_index(tmp_path, dict.fromkeys(places, "pytorch_model-00001-of-00001.bin"), TORCH_INDEX)
    for name in ("consolidated.safetensors", "model-00003-of-00003.safetensors", "pytorch_model-00001-of-00001.bin"):
        (tmp_path / name).write_bytes(b"not read")
    (tmp_path / "original").mkdir()
    (tmp_path / "original" / "consolidated.00.pth").write_bytes(b"not read")
    assert np.array_equal(attention(tmp_path), attention(REFERENCE / "llama"))


def test_one_file_goes_before_an_index(tmp_path):
    """As in the reference; the index is a leftover from before the model was saved again."""
    (tmp_path / INDEX).write_text("not read")
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((REFERENCE / "llama" / name).read_bytes())
    assert np.array_equal(attention(tmp_path), attention(REFERENCE / "llama"))


def test_torch_files_under_an_index(tmp_path):
    arrays = load_file(REFERENCE / "llama" / "model.safetensors")
    names, places = sorted(arrays), {}
    for i, part in enumerate((names[::2], names[1::2])):
        file = f"pytorch_model-{i + 1:05}-of-00002.bin"
        items, storages = {}, {}
        for key, name in enumerate(part):
            array = arrays[name]
            items[name] = tensor(str(key), array.size, array.shape, tuple(int(n) // 4 for n in array.strides))
            storages[str(key)] = array.tobytes()
        torch_zip(tmp_path / file, pickled(items), storages)
        places |= dict.fromkeys(part, file)
    write_index(tmp_path, places, TORCH_INDEX, metadata={"total_size": 0})
    (tmp_path / "config.json").write_bytes((REFERENCE / "llama" / "config.json").read_bytes())
    assert np.array_equal(attention(tmp_path), attention(REFERENCE / "llama"))


def test_only_the_layers_drawn_are_read(tmp_path):
    """The last layer's numbers are damaged, which matters only if that layer is read."""
    write_index(tmp_path, split(tmp_path, "llama", 25))
    files = json.loads((tmp_path / INDEX).read_text())["weight_map"]
    own = {file for name, file in files.items() if name.startswith("layers.1.")}
    spoilt = own - {file for name, file in files.items() if not name.startswith("layers.1.")}
    assert len(spoilt) > 5
    for file in spoilt:
        arrays = load_file(tmp_path / file)
        save_file({name: np.full_like(array, np.nan) for name, array in arrays.items()}, tmp_path / file)
    assert np.array_equal(attention(tmp_path, layers=[0]), attention(REFERENCE / "llama", layers=[0]))
    with pytest.raises(CheckpointError, match="NaN in tensor layers"):
        attention(tmp_path)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ([2], "model-00002-of-00007.safetensors, which is missing (1 of 7 files)"),
        (
            [1, 7],
            "model-00001-of-00007.safetensors, model-00007-of-00007.safetensors, which are missing (2 of 7 files)",
        ),
        (
            [2, 3, 4, 5, 6, 7],
            "model-00002-of-00007.safetensors, model-00003-of-00007.safetensors, model-00004-of-00007.safetensors, "
            "model-00005-of-00007.safetensors and 2 more, which are missing (6 of 7 files)",
        ),
    ],
)
def test_files_that_are_missing_are_named_in_one_line(gone, said, tmp_path):
    write_index(tmp_path, split(tmp_path, "llama", 7))
    for i in gone:
        (tmp_path / f"model-{i:05}-of-00007.safetensors").unlink()
    with pytest.raises(CheckpointError) as caught:
        attnviz.load(tmp_path)
    assert str(caught.value) == f"{INDEX}: names {said}"
    assert caught.value.hint == "every file of the checkpoint is needed"


def test_tensors_that_the_index_forgot_are_there(tmp_path):
    """A bias that no index lists would silently be left out."""
    places = split(tmp_path, "llama", 3)
    forgotten = [name for name in places if "norm" in name]
    write_index(tmp_path, {name: file for name, file in places.items() if name not in forgotten})
    assert forgotten and set(open_checkpoint(tmp_path).tensors) == set(places)
    assert np.array_equal(attention(tmp_path), attention(REFERENCE / "llama"))


def test_a_tensor_in_two_files_is_the_one_that_is_listed(tmp_path):
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    save_file({"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}, tmp_path / one)
    save_file({"a": np.zeros(2, np.float32), "c": np.ones(2, np.float32)}, tmp_path / two)
    write_index(tmp_path, {"a": two, "b": one, "c": two})
    assert open_checkpoint(tmp_path).read("a").tolist() == [0, 0]
    write_index(tmp_path, {"b": one, "c": two})
    with pytest.raises(CheckpointError, match=rf"does not say whether tensor a is the one in {one} and in {two}"):
        open_checkpoint(tmp_path)


def test_a_second_copy_alone_is_no_model(tmp_path):
    save_file({"layers.0.attention.wq.weight": np.ones(2, np.float32)}, tmp_path / "consolidated.safetensors")
    with pytest.raises(CheckpointError, match="no weights in") as caught:
        open_checkpoint(tmp_path)
    assert caught.value.hint.startswith("consolidated.safetensors has the weights under other names")


def test_as_many_tensors_as_the_largest_models_have(tmp_path):
    """92,000 names in 160 files: found in a few seconds, without reading the experts one by one."""
    names = {
        f"model.layers.{i}.mlp.experts.{e}.{part}_proj.{kind}": f"model-{(i * 256 + e) % 160 + 1:05}.safetensors"
        for i in range(61)
        for e in range(256)
        for part in ("gate", "up", "down")
        for kind in ("weight", "bias")
    }
    by_file = {}
    for name, file in names.items():
        by_file.setdefault(file, {})[name] = np.zeros(0, np.float32)
    for file, arrays in by_file.items():
        save_file(arrays, tmp_path / file)
    write_index(tmp_path, names)
    checkpoint = open_checkpoint(tmp_path)
    assert len(checkpoint.tensors) == len(names) == 93696
    assert checkpoint.tensors["model.layers.60.mlp.experts.255.up_proj.bias"].file in by_file
