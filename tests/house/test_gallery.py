"""docs/gallery.md shows what scripts/draw_gallery.sh draws, each picture with the command that draws it."""

from __future__ import annotations

import re
import shlex

from helpers.paths import ROOT

from attnviz.cli.app import build

PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
SCRIPT = (ROOT / "scripts" / "draw_gallery.sh").read_text(encoding="utf-8")


def test_the_page_has_every_picture_with_its_command():
    texts = dict(re.findall(r'^(text|cat|paris)="(.*)"$', SCRIPT, re.M))
    for name, width, command in re.findall(r"^draw (\w+) ([\d.]+) (.*)$", SCRIPT, re.M):
        for variable, text in texts.items():
            command = command.replace(f'"${variable}"', f'"{text}"')
        assert f"`attnviz {command} --width {width} -o {name}.png`" in PAGE
        assert f"(gallery/{name}.png)" in PAGE and (ROOT / "docs" / "gallery" / f"{name}.png").is_file()


def test_every_command_is_one_that_the_command_line_takes():
    for line in re.findall(r"^`attnviz (.*)`$", PAGE, re.M):
        name, *words = shlex.split(line)
        assert build(name).make_context(name, words).params
