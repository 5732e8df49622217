"""A Hub that fails or lies: one line within seconds, and nothing written but in the cache."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from helpers.hub_server import COMMIT, complaint

import attnviz
from attnviz.errors import ModelError
from attnviz.models import hub
from attnviz.models.hub.guard import patience

pytestmark = pytest.mark.usefixtures("home")
LIST, CONFIG, WEIGHTS = "main", "config.json", "model.safetensors"


@pytest.fixture
def waits(monkeypatch):
    """Seconds that the client means to wait: {"asleep": between requests, "silent": for an answer, the longest}.

    Requests are counted, and no clock is read: a machine that is busy is slower than any bound.
    """
    found = {"asleep": 0.0, "silent": 0.0}
    sets = socket.socket.settimeout

    def sleep(seconds):
        found["asleep"] += seconds

    def settimeout(self, seconds):
        if threading.current_thread() is threading.main_thread():
            found["silent"] = max(found["silent"], float("inf") if seconds is None else seconds)
        sets(self, seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(socket.socket, "settimeout", settimeout)
    return found


def ends(folder, **variables):
    """(message, hint) with which the command ends, run in a folder: two lines."""
    call = [sys.executable, "-m", "attnviz", "export", "--ids", "5,6", "-m", "org/tiny", "-o", "x.npz"]
    given = {**os.environ, **variables}
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=60, env=given)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (1, "", 2), done.stderr
    return lines[0].removeprefix("error: "), lines[1].removeprefix("hint: ")


@pytest.mark.parametrize("status", [500, 503, 429, 408])
@pytest.mark.parametrize("where", [("GET", LIST), ("HEAD", CONFIG), ("GET", CONFIG), ("GET", WEIGHTS)])
def test_a_status_is_told_at_once(status, where, server, waits):
    server.faults[where] = status
    assert complaint("org/tiny") == (f"the Hub answers {status} for org/tiny", "try again later")
    assert asked(server, *where) == 1 and waits["asleep"] == 0


def asked(server, method, path):
    return len([1 for verb, target in server.log if verb == method and target.endswith(path)])


@pytest.mark.parametrize(
    ("fault", "method", "path", "times"),
    [
        ("hangs", "GET", LIST, 1),
        ("hangs", "HEAD", CONFIG, 1),
        ("resets", "GET", LIST, 1),
        ("resets", "HEAD", CONFIG, 1),
        ("resets", "GET", CONFIG, 2),
        ("resets", "GET", WEIGHTS, 2),
    ],
)
def test_silence_is_told_within_seconds(fault, method, path, times, server, waits, monkeypatch):
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    server.faults[method, path] = fault
    message, hint = complaint("org/tiny")
    assert message.startswith("cannot reach the Hub for org/tiny (") and "cache holds no model" in hint
    assert asked(server, method, path) == times
    assert waits["asleep"] <= 1
    assert fault != "hangs" or waits["silent"] == 1


@pytest.mark.parametrize("fault", ["hangs", "resets", 503])
def test_two_lines_on_the_command_line(fault, server, tmp_path):
    """Without the client's own words; it reads how long to wait for a file when it is imported."""
    server.faults["GET", WEIGHTS] = fault
    message, _ = ends(tmp_path, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert message.startswith(("cannot reach the Hub for org/tiny (", "the Hub answers 503 for org/tiny"))
    assert asked(server, "GET", WEIGHTS) == (2 if fault == "resets" else 1)


def test_how_long_silence_is_waited_for(monkeypatch):
    monkeypatch.delenv("HF_HUB_ETAG_TIMEOUT", raising=False)
    assert patience() == 5
    for said, seconds in (("30", 30), ("", 5), ("0", 5), ("soon", 5)):
        monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", said)
        assert patience() == seconds


def test_a_download_that_breaks_off_is_taken_up_again(server):
    sent = []

    def once(path):
        if path.endswith(WEIGHTS):
            sent.append(path)
            server.faults.clear()  # of the next request

    server.faults["GET", WEIGHTS], server.on_get = "breaks", once
    assert attnviz.load("org/tiny").attend(ids=[5, 6]).weights.shape[-1] == 2
    assert len(sent) == 2


@pytest.fixture
def silence(monkeypatch):
    """A Hub that nobody is at: its port is taken and does not listen."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        yield


@pytest.mark.usefixtures("silence")
def test_nobody_listens(tmp_path):
    message, _ = ends(tmp_path)
    assert message.startswith("cannot reach the Hub for org/tiny (")


@pytest.mark.usefixtures("silence")
def test_nobody_who_listens_is_waited_for(waits):
    with pytest.raises(ModelError, match="cannot reach the Hub"):
        hub.config_of("org/tiny")
    assert waits["asleep"] <= 1


# A Hub that lies


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("ETag", '"../../../../x"'),
        ("ETag", '"/tmp/attnviz-x"'),
        ("ETag", '".."'),
        ("ETag", '"..\\\\..\\\\x"'),
        ("ETag", '""'),
        ("ETag", '"' + "a" * 300 + '"'),
        ("X-Linked-ETag", '"../../../../x"'),
        ("X-Repo-Commit", "../../../../x"),
        ("X-Repo-Commit", "/tmp/attnviz-x"),
    ],
)
def test_a_header_is_no_path(header, value, server, home, tmp_path):
    server.headers = {header: value}
    message, hint = complaint("org/tiny")
    assert message.startswith(("the Hub sends the ETag ", "the Hub names the commit ")) and hint == "check HF_ENDPOINT"
    with pytest.raises(ModelError):
        hub.config_of("org/tiny")
    assert everything(tmp_path) == [] and server.fetched() == []


@pytest.mark.parametrize("sha", ["../../../../x", "main", "", None, 7])
def test_the_commit_of_a_list_is_no_path(sha, server, tmp_path):
    server.commit = sha
    assert complaint("org/tiny")[0].startswith("the Hub names the commit ")
    assert everything(tmp_path) == []


def test_a_file_outside_the_folder_is_not_fetched(server, tmp_path):
    index = b'{"weight_map": {"a": "../../../x.safetensors"}}'
    server.files = {CONFIG: server.files[CONFIG], "../../../x.safetensors": b"x", f"{WEIGHTS}.index.json": index}
    assert complaint("org/tiny")[0].endswith("its index names '../../../x.safetensors', which is not there")
    assert not any("x.safetensors" in path for path in everything(tmp_path))


def test_an_etag_of_the_hub_is_taken(server):
    """As the Hub sends them: a digest of 40 or 64 digits, weak or not."""
    for etag in (f'"{COMMIT}"', f'W/"{COMMIT}"', '"' + "ab" * 32 + '"'):
        server.headers = {"ETag": etag}
        assert hub.config_of("org/tiny").name == CONFIG
