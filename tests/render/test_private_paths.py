"""A picture carries the command that made it, but not where its files lie."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import typer
from helpers.paths import REFERENCE
from helpers.sentences import TIRED
from PIL import Image

import attnviz
from attnviz.cli import main
from attnviz.cli.app import COMMANDS, build

PATHS = {"PATH", "FILE", "DIR"}
# Options whose values are files or folders, by name; --key-labels and --file-b are found by their endings.
WORDS = ("file", "from", "model", "adapter", "image", "audio", "labels", "font", "output", "sources", "prompt")


@pytest.fixture
def secret(tmp_path):
    """A folder with files to read, whose name is nobody's business."""
    place = tmp_path / "secret-project"
    place.mkdir()
    shutil.copytree(REFERENCE / "vit", place / "vit")
    shutil.copytree(REFERENCE / "bert", place / "bert")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(place / "a.png")
    (place / "a.txt").write_text(TIRED)
    (place / "b.txt").write_text("It was too wide")
    attention = attnviz.load("seeded").attend("a b c d")
    for name in ("a.npz", "b.npz"):
        attention.save(place / name)
    return place


@pytest.mark.parametrize(
    "words",
    [
        ("heatmap", "--image", "{}/a.png", "-m", "{}/vit"),
        ("heatmap", "--file", "{}/a.txt"),
        ("heatmap", "--from", "{}/a.npz"),
        ("heatmap", "--ids", "10,11,12", "-m", "{}/bert/model.safetensors"),
        ("diff", "--file", "{}/a.txt", "--file-b", "{}/b.txt"),
        ("diff", "--from", "{}/a.npz", "--from-b", "{}/b.npz"),
        ("diff", "--ids", "10,11,12", "-m", "{}/bert", "--model-b", "{}/bert"),
        ("stats", "--from", "{}/a.npz"),
    ],
)
@pytest.mark.parametrize("ending", ["svg", "png", "html"])
def test_no_folder_stands_in_a_picture(secret, tmp_path, capsys, words, ending):
    target = tmp_path / f"x.{ending}"
    words = ("html", *words[1:]) if ending == "html" and words[0] == "heatmap" else words
    assert main([*(word.format(secret) for word in words), "-o", str(target)]) == 0, capsys.readouterr().err
    capsys.readouterr()
    held = target.read_bytes()
    if ending == "png":
        held = " ".join(map(str, Image.open(target).info.values())).encode()
    assert b"secret" not in held and str(tmp_path).encode() not in held
    asked = [word.rpartition("/")[2] for word in words if word.startswith("{}")]
    assert all(name.encode() in held for name in asked)  # their names do


@pytest.mark.parametrize("name", COMMANDS)
def test_options_that_take_paths_say_so(name):
    """The metavar decides what is cut to its last component, so that every path has to be declared as one."""
    built = build(name)
    for param in built.get_params(typer.Context(built)):
        long = next((option.lstrip("-") for option in param.opts if option.startswith("--")), "")
        takes_path = (
            long != "d-model"
            and long.removesuffix("-b").rpartition("-")[2] in WORDS
            and not getattr(param, "is_flag", False)
        )
        if takes_path:
            assert set((param.metavar or "").strip("[].").split("|")) & PATHS, f"{name} --{long}: {param.metavar}"
