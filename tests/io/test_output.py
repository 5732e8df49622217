"""Files are whole or absent."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from attnviz.errors import OutputError
from attnviz.files import output
from attnviz.files.output import check_place, write_free, writing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path):
    with writing(tmp_path / "a.bin") as file:
        file.write(b"one")
        assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin").read_bytes() == b"one"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(error), writing(tmp_path / "a.bin") as file:
        file.write(b"half")
        raise error
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_permissions_are_ordinary_and_kept(tmp_path):
    before = os.umask(0o022)
    try:
        with writing(tmp_path / "a") as file:
            file.write(b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    (tmp_path / "a").chmod(0o600)
    with writing(tmp_path / "a") as file:
        file.write(b"x")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "a")
    with writing(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").read_bytes() == b"new"


def test_a_pipe_is_written_into_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with writing(pipe) as file:
        file.write(b"through")
    reader.join(10)
    assert got == [b"through"]
    assert pipe.is_fifo()


def test_a_pipe_that_nobody_reads_is_refused(tmp_path, monkeypatch):
    """To open it would wait for ever; nobody who opens it later gets half of something."""
    monkeypatch.setattr(output, "PATIENCE", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="it is a pipe that nobody reads") as refused, writing(pipe):
        raise AssertionError("opened")
    assert refused.value.hint.startswith("start its reader first, as in cat ")
    assert pipe.is_fifo()


def test_a_pipe_blocks_its_writer_while_the_reader_is_slow(tmp_path):
    """More than a pipe holds arrives whole, although it was opened so that opening does not wait."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    got = []

    def read():
        with os.fdopen(handle, "rb") as file:
            time.sleep(0.1)
            got.append(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    with writing(pipe) as file:
        file.write(bytes(1_000_000))
    reader.join(10)
    assert got == [bytes(1_000_000)]


def test_impossible_places(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for place, says in [
        (tmp_path / "no" / "such" / "x", "there is no folder"),
        (tmp_path, "it is a folder"),
        (Path("/"), "it is a folder"),
        (tmp_path / "file" / "x", "there is no folder"),
        (tmp_path / ("x" * 300), "File name too long"),
        (tmp_path / "a\0b", "null"),
    ]:
        with pytest.raises(OutputError, match=says):
            check_place(place)
    assert names(tmp_path) == ["file"]


def test_a_write_protected_file_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # for root every file can be written to
    with pytest.raises(OutputError, match="the file is write-protected"):
        check_place(tmp_path / "a")
    assert write_free(tmp_path, "a", "", lambda file: file.write(b"new")).name == "a-2"


def test_free_names_count_on(tmp_path):
    (tmp_path / "attention.png").write_bytes(b"old")
    (tmp_path / "attention-3.png").write_bytes(b"old")
    made = [write_free(tmp_path, "attention", ".png", lambda file: file.write(b"new")) for _ in range(3)]
    assert [path.name for path in made] == ["attention-2.png", "attention-4.png", "attention-5.png"]
    assert (tmp_path / "attention.png").read_bytes() == b"old"
    assert [path.read_bytes() for path in made] == [b"new"] * 3
    assert len(names(tmp_path)) == 5


def test_free_names_without_links(tmp_path, monkeypatch):
    """On a file system that knows no hard links."""

    def refuse(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    made = [write_free(tmp_path, "a", ".csv", lambda file: file.write(b"x")).name for _ in range(2)]
    assert made == ["a.csv", "a-2.csv"]
    assert names(tmp_path) == ["a-2.csv", "a.csv"]


def test_two_at_once_take_two_names(tmp_path):
    """Both have checked that a.png is free before either has written it."""

    def write_slowly(file):
        write_free(tmp_path, "a", ".png", lambda other: other.write(b"first"))
        file.write(b"second")

    assert write_free(tmp_path, "a", ".png", write_slowly).name == "a-2.png"
    assert (tmp_path / "a.png").read_bytes() == b"first"


def test_a_full_disk_is_one_error_and_no_file(tmp_path):
    def fill(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"cannot write .*a.png.*: No space left on device"):
        write_free(tmp_path, "a", ".png", fill)
    assert names(tmp_path) == []
