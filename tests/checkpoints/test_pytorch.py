"""torch's files without torch: its tensors are read, and no code in a pickle is run."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest
from helpers.checkpoint_files import number, pickled, refused, sizes, tensor, text, torch_zip
from helpers.paths import DATA

from attnviz.checkpoints import open_checkpoint
from attnviz.errors import CheckpointError

SAVED = DATA / "checkpoints"
NUMBERS = np.arange(12, dtype=np.float32)
RAW = NUMBERS.tobytes()

# scripts/make_torch_files.py saves these with torch itself: multiples of 1/4 from -2 on.
COUNT = np.arange(24) / 4 - 2
EXPECTED = {
    "plain.weight": COUNT.reshape(4, 6),
    "turned": COUNT.reshape(4, 6).T,
    "part": COUNT.reshape(4, 6)[1:4:2, 2:5],
    "half": COUNT[:6].reshape(2, 3),
    "brain": COUNT[:6].reshape(2, 3),
    "double": COUNT[:3],
    "long": np.arange(3),
    "bool": np.array([True, False]),
    "one": np.array(1.5),
    "none": np.zeros((0, 4)),
    "parameter": COUNT[:4],
}
DTYPES = {"half": "F16", "brain": "BF16", "double": "F64", "long": "I64", "bool": "BOOL"}


@pytest.mark.parametrize("name", ["zip.bin", "protocol4.pt", "nested.pt", "legacy.bin"])
def test_what_torch_writes_is_read(name):
    checkpoint = open_checkpoint(SAVED / name)
    assert set(EXPECTED) <= set(checkpoint.tensors)
    for key, want in EXPECTED.items():
        got = checkpoint.read(key)
        assert checkpoint.tensors[key].dtype == DTYPES.get(key, "F32"), key
        assert got.shape == want.shape and np.array_equal(got.astype(np.float64), want), key
        assert not got.flags.writeable
    assert checkpoint.rows("turned", [5, 0]).tolist() == COUNT.reshape(4, 6).T[[5, 0]].tolist()


def test_float8_of_torch_is_read():
    checkpoint = open_checkpoint(SAVED / "zip.bin")
    assert checkpoint.read("float8").dtype == ml_dtypes.float8_e4m3fn
    assert checkpoint.read("float8").astype(float).tolist() == COUNT[:4].tolist()


def test_tensors_that_share_a_storage_are_views_of_it(tmp_path):
    items = {
        "all": tensor("0", 12, [3, 4], [4, 1]),
        "turned": tensor("0", 12, [4, 3], [1, 4]),
        "last row": tensor("0", 12, [4], [1], offset=8),
        "diagonal": tensor("0", 12, [3], [5]),
    }
    checkpoint = open_checkpoint(torch_zip(tmp_path / "x.bin", pickled(items), {"0": RAW}))
    whole = NUMBERS.reshape(3, 4)
    assert np.array_equal(checkpoint.read("all"), whole) and np.array_equal(checkpoint.read("turned"), whole.T)
    assert checkpoint.read("last row").tolist() == [8, 9, 10, 11] and checkpoint.read("diagonal").tolist() == [0, 5, 10]
    assert not checkpoint.read("all").flags.owndata
    assert checkpoint.tensors["turned"].nbytes == 48 and checkpoint.tensors["turned"].file == "x.bin"


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "module"])
def test_weights_inside_a_training_checkpoint_are_found(tmp_path, key):
    inner = pickled({"w": tensor("0", 12, [12], [1])})[2:-1]
    path = torch_zip(tmp_path / "x.pt", pickled({"epoch": number(3), key: inner}), {"0": RAW})
    assert open_checkpoint(path).read("w").tolist() == NUMBERS.tolist()


def test_shards_of_torch_are_one_checkpoint(tmp_path):
    torch_zip(tmp_path / "a.bin", pickled({"w": tensor("0", 12, [12], [1])}), {"0": RAW})
    (tmp_path / "pytorch_model.bin.index.json").write_text('{"weight_map": {"w": "a.bin"}}')
    assert open_checkpoint(tmp_path).read("w")[5] == 5


class Runs:
    """Unpickled by Python itself, it would run a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_is_run(tmp_path, protocol, zipped):
    trace = tmp_path / "it ran"
    raw = pickle.dumps({"w": Runs(f"touch '{trace}'")}, protocol)
    path = tmp_path / "x.bin"
    if zipped:
        torch_zip(path, raw, {})
    else:
        path.write_bytes(raw)
    message = refused(path)
    assert not trace.exists()
    if protocol > 1:
        name = f"{os.system.__module__}.system"
        assert message == f"x.bin: its pickle names {name}, which is refused: only tensors are read, nothing run"
    pickle.loads(raw)
    assert trace.exists()  # so the test can fail


NAMES = [
    "os system",
    "builtins eval",
    "builtins getattr",
    "torch.storage _load_from_bytes",
    "torch.hub load",
    "torch._utils _rebuild_qtensor",
    "numpy.core.multiarray _reconstruct",
    "collections Counter",
    "argparse Namespace",
    "torch FloatStorage.from_buffer",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["GLOBAL", "STACK_GLOBAL", "INST"])
def test_every_name_but_those_of_tensors_is_refused(tmp_path, name, form):
    module, attribute = name.split()
    raw = {
        "GLOBAL": f"c{module}\n{attribute}\n".encode(),
        "STACK_GLOBAL": text(module) + text(attribute) + b"\x93",
        "INST": f"(i{module}\n{attribute}\n".encode(),
    }[form]
    path = torch_zip(tmp_path / "x.bin", b"\x80\x04" + raw + b".", {})
    wanted = f"x.bin: its pickle names {module}.{attribute}, which is refused: only tensors are read, nothing run"
    assert refused(path) == wanted


ONE = {"0": RAW}
SENSELESS = "its pickle makes no sense at byte "


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (tensor("0", 12, [13], [1]), "tensor w reaches beyond its storage of 48 bytes"),
        (tensor("0", 12, [3], [6]), "tensor w reaches beyond its storage of 48 bytes"),
        (tensor("0", 12, [4], [1], offset=9), "tensor w reaches beyond its storage of 48 bytes"),
        (tensor("0", 12, [1 << 20, 1 << 20], [0, 0]), "tensor w claims 4,398,046,511,104 bytes of a storage of 48"),
        (tensor("0", 12, [1 << 60], [0]), "tensor w has an axis of 1152921504606846976"),
        (tensor("0", 12, [1] * 9, [1] * 9), "tensor w has 9 axes; at most 8 are read"),
        (tensor("0", 12, [3, 4], [1]), "tensor w has 2 axes and 1 strides"),
        (tensor("0", 1 << 40, [4], [1]), "storage 0 claims 4,398,046,511,104 bytes, its member has 48"),
        (tensor("7", 12, [4], [1]), "lacks data/7, which its pickle names"),
        (tensor("../data.pkl", 12, [4], [1]), "lacks data/../data.pkl, which its pickle names"),
        (tensor("0", 12, [-4], [1]), SENSELESS),
        (tensor("0", 12, [4], [-1]), SENSELESS),
        (tensor("0", 12, [4], [1], offset=-1), SENSELESS),
        (tensor("0", -1, [4], [1]), SENSELESS),
        (number(3), "holds no dictionary of named tensors"),
        (b"(tR", SENSELESS),
        (b"ctorch\nFloatStorage\n(tR", SENSELESS),
        (b"ctorch\nSize\n((K\x01K\x01ttR", "holds no dictionary of named tensors"),
        (b"\x81", "its pickle holds the opcode 0x81 at byte 10, which is refused"),
        (b"h\x05", SENSELESS),
        (b"Q", SENSELESS),
        (b"]K\x01s", SENSELESS),
        (b"X\xff\xff\xff\x7fabc", "truncated: its pickle does not end"),
        (b"\x8b\xff\xff\xff\x7f", "its pickle holds a number of 2,147,483,647 bytes"),
        (b"}(K\x01\x85K\x02u", "its pickle uses a tuple as a key"),
        (b"N" + b"\x85" * 100_000, "holds no dictionary of named tensors"),
        (b"}N" + b"\x85" * 100_000 + b"Ns", "its pickle uses a tuple as a key"),  # hashing it would exhaust the stack
        (b"Nr\xff\xff\xff\xff", "its pickle numbers a value 4,294,967,295"),  # Python's machine would make a huge memo
    ],
)
def test_a_pickle_that_lies_is_refused(tmp_path, items, message):
    path = torch_zip(tmp_path / "x.bin", pickled({"w": items}), ONE)
    found = refused(path)
    assert found.startswith(f"x.bin: {message}") if message == SENSELESS else found == f"x.bin: {message}"


def test_a_pickle_of_many_repeated_steps_ends_quickly(tmp_path):
    """A long list, passed repeatedly to a call that might iterate over it."""
    items = b"](" + b"N" * 50_000 + b"e\x85q\x00"
    again = b"ctorch\nSize\nh\x00R" * 20_000
    message = refused(torch_zip(tmp_path / "x.bin", b"\x80\x02" + items + again + b".", {}))
    assert message.startswith("x.bin: " + SENSELESS)


def test_a_pickle_without_end_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("attnviz.checkpoints.pickles._MAX_STEPS", 1000)
    path = torch_zip(tmp_path / "x.bin", b"\x80\x02" + b"N" * 5000 + b".", {})
    assert refused(path) == "x.bin: its pickle takes more than 1,000 steps"


def test_an_archive_that_is_not_weights_is_refused(tmp_path):
    good = pickled({"w": tensor("0", 12, [12], [1])})
    path = tmp_path / "x.pt"
    torch_zip(path, good, ONE, byteorder="big")
    assert refused(path) == "x.pt: its numbers are stored big-endian, which is not read"
    torch_zip(path, good, ONE, **{"constants.pkl": b"N."})
    assert refused(path) == "x.pt: is a TorchScript program, not weights"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "")
    assert refused(path) == "x.pt: is a zip file without data.pkl, so not one of torch's"
    fake = tmp_path / "fake.safetensors"
    np.savez(fake.with_suffix(".npz"), W_Q=np.ones(2))
    fake.with_suffix(".npz").rename(fake)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(fake)
    assert str(caught.value) == "fake.safetensors: is a zip file, not safetensors"
    assert caught.value.hint == "its members are NumPy arrays: name it .npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", good, zipfile.ZIP_STORED)
        archive.writestr("m/data/0", RAW)
    assert refused(path) == "x.pt: data/0 is compressed, as torch does not write it"


@pytest.mark.parametrize("name", ["zip.bin", "legacy.bin"])
def test_every_truncation_is_refused(tmp_path, name):
    whole = (SAVED / name).read_bytes()
    for end in [*range(1, min(len(whole), 3000), 97), len(whole) - 1]:
        (tmp_path / "cut.bin").write_bytes(whole[:end])
        assert refused(tmp_path / "cut.bin").startswith("cut.bin: ")


def test_an_old_file_with_lying_sizes_is_refused(tmp_path):
    whole = (SAVED / "legacy.bin").read_bytes()
    at = len(whole) - whole[::-1].index(struct.pack("<q", 24)[::-1]) - 8  # the largest storage's own count
    path = tmp_path / "x.bin"
    path.write_bytes(whole[:at] + struct.pack("<q", 25) + whole[at + 8 :])
    assert "has another size than its pickle says" in refused(path)
    path.write_bytes(whole[:15] + sizes([1]) + b".")
    assert refused(path).startswith("x.bin: truncated")
    path.write_bytes(b"\x80\x02N.")
    assert refused(path) == "x.bin: is not a file that torch.save wrote"
    path.write_bytes(b"<html>nothing here</html>")
    assert refused(path) == "x.bin: its pickle holds the opcode 0x3c at byte 0, which is refused"
