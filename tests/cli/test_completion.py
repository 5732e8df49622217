"""A shell offers after an option the values that the option takes."""

from __future__ import annotations

import pytest

from attnviz.cli import main
from attnviz.models.find import NAMES
from attnviz.page.scale import SEQUENTIAL


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("heatmap TEXT --scale ", ["auto", "linear", "sqrt", "log", "row"]),
        ("heatmap TEXT --cmap ", list(SEQUENTIAL)),
        ("stats TEXT -m ", list(NAMES)),
        ("stats TEXT --by s", ["span", "self", "special"]),
        ("stats TEXT --mechanism win", ["window"]),
        ("table TEXT --stream e", ["encoder"]),
        ("stat", ["stats"]),
        ("heatmap TEXT -m ./", []),
    ],
)
def test_values_are_completed(words, offered, monkeypatch, capsys):
    line = f"attnviz {words}"
    monkeypatch.setenv("_ATTNVIZ_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - (not line.endswith(" "))))
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == offered
