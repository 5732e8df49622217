"""`attnviz corpus report` against each text measured by itself, and the folders that it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import attnviz
from attnviz.cli import main
from attnviz.corpora.job import Job
from attnviz.corpora.merge import read_totals, totals_of
from attnviz.corpora.pool import Here
from attnviz.corpora.run import run
from attnviz.corpora.store import Store
from attnviz.corpora.texts import numbered
from attnviz.measures.roles import role_scores
from attnviz.page.figure_options import FigureOptions
from attnviz.page.parts import Ranges
from attnviz.page.place import place
from attnviz.page.scale import round_up

TEXTS = (
    "The cat sat on the mat.",
    "A dog, a cat and a bird",
    "",
    "The mat sat",
    "Who sat on the cat and the dog today?",
)
GOOD = [text for text in TEXTS if text]


@pytest.fixture(scope="module")
def model():
    return attnviz.load("seeded", seed=3, n_layers=2, n_heads=3, d_model=48)


def measured(model, folder, measures=("stats", "roles", "variability", "links"), **more):
    run(Job.of(model, measures, texts=2), lambda: numbered(TEXTS), folder, Here(), **more)
    return folder


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return measured(model, tmp_path_factory.mktemp("corpus") / "out")


def test_means_are_those_of_each_text_by_itself(model, folder):
    alone = [attnviz.stats(model, text).rows() for text in GOOD]
    rows = attnviz.corpus_report(folder).rows()
    assert [(row["layer"], row["head"]) for row in rows] == [(i, j) for i in range(2) for j in range(3)]
    for at, row in enumerate(rows):
        for name in ("entropy", "distance", "special"):
            each = [texts[at][name] for texts in alone]
            assert row[name] == pytest.approx(np.mean(each), abs=1e-6)


def test_by_a_number_is_its_spread_over_texts(model, folder):
    alone = np.array([[row["first"] for row in attnviz.stats(model, text).rows()] for text in GOOD])
    rows = attnviz.corpus_report(folder, by="first").rows()
    assert [row["mean"] for row in rows] == sorted((row["mean"] for row in rows), reverse=True)
    for row in rows:
        each = alone[:, 3 * row["layer"] + row["head"]]
        assert (row["number"], row["texts"]) == ("first", 4)
        assert row["mean"] == pytest.approx(each.mean(), abs=1e-6)
        assert row["sd"] == pytest.approx(each.std(ddof=1), abs=1e-6)
        assert (row["low"], row["high"]) == pytest.approx((each.min(), each.max()), abs=1e-6)
        assert row["low"] <= row["q25"] <= row["median"] <= row["q75"] <= row["high"]
    assert len(attnviz.corpus_report(folder, by="first", top=2).rows()) == 2


def test_roles_are_over_all_queries(model, folder):
    sources = [attnviz.AttentionSource.of(model, model.prepare(text)) for text in GOOD]
    wanted = role_scores(sources)
    block = attnviz.corpus_report(folder).roles
    for name, scores in wanted.items():
        np.testing.assert_allclose(block.scores[name].score, scores.score, rtol=1e-5, atol=1e-7)
        assert (block.scores[name].queries == scores.queries).all()
    for at, row in enumerate(attnviz.corpus_report(folder).rows()):
        place = divmod(at, 3)
        held = [name for name, scores in wanted.items() if scores.score[place] >= scores.threshold[place]]
        assert row["roles"] == ", ".join(held)


def test_links_are_the_strongest_of_each_head(model, folder):
    """The first link of each head in the report is the strongest of all texts, by weights read once more."""
    for link in attnviz.corpus_report(folder, top=6).links:
        attention = model.attend(TEXTS[link["text"]], layers=[link["layer"]], heads=[link["head"]])
        assert attention.query_tokens[link["query"]] == link["query_token"]
        assert attention.key_tokens[link["key"]] == link["key_token"]
        weights = attention.weights[0, 0]
        others = np.delete(weights[:, link["key"]], link["query"])
        assert link["weight"] == pytest.approx(weights[link["query"], link["key"]], abs=1e-6)
        assert link["lift"] == pytest.approx(link["weight"] - others.mean(), abs=1e-6)


def test_each_head_has_one_link_while_there_are_enough(folder):
    links = attnviz.corpus_report(folder, top=6).links
    assert len({(link["layer"], link["head"]) for link in links}) == len(links)
    assert [link["lift"] for link in links] == sorted((link["lift"] for link in links), reverse=True)


def test_what_was_not_measured_is_left_out(model, tmp_path):
    links = attnviz.corpus_report(measured(model, tmp_path / "links", ("links",)))
    assert set(links.rows()[0]) == {"layer", "head"} and links.links
    assert "lift" in str(links) and "entropy" not in str(links)
    links.save(tmp_path / "links.svg")
    with pytest.raises(attnviz.AttnvizError, match="has no numbers of each text"):
        attnviz.corpus_report(tmp_path / "links", by="entropy")
    stats = attnviz.corpus_report(measured(model, tmp_path / "stats", ("stats",)))
    assert not stats.links and "variability" not in stats.rows()[0] and "roles" not in stats.rows()[0]
    with pytest.raises(attnviz.AttnvizError, match="sink_role") as raised:
        attnviz.corpus_report(tmp_path / "stats", by="sink_role")
    assert "entropy" in str(raised.value)
    roles = attnviz.corpus_report(measured(model, tmp_path / "roles", ("roles",)))
    roles.save(tmp_path / "roles.svg")


def test_a_folder_with_missing_parts_is_refused_as_by_merge(model, tmp_path, capsys):
    folder = measured(model, tmp_path / "out", part=(1, 2))
    said = []
    for command in ("merge", "report"):
        assert main(["corpus", command, str(folder)]) == 1
        said.append(capsys.readouterr().err)
    assert said[0] == said[1] and said[0].startswith("error: 1 of 3 parts are missing: 1")
    assert main(["corpus", "report", str(tmp_path)]) == 1
    assert "holds no corpus" in capsys.readouterr().err


def test_summed_files_are_used_only_for_their_own_parts(model, tmp_path, monkeypatch):
    store = Store(measured(model, tmp_path / "out"))
    monkeypatch.setattr("attnviz.corpora.merge.totals_of", lambda store: pytest.fail("summed again"))
    assert read_totals(store).texts == 4
    monkeypatch.undo()
    counts = json.loads((store.folder / "totals.json").read_text())
    (store.folder / "totals.json").write_text(json.dumps({**counts, "parts": "another plan"}))
    again = read_totals(store)
    assert (again.texts, again.faults) == (4, totals_of(store).faults) and len(again.faults) == 1


def test_the_terminal_names_roles_variability_links_and_reasons(folder, capsys):
    assert main(["corpus", "report", str(folder)]) == 0
    out = capsys.readouterr().out
    for words in ("entropy", "previous-token", "most", "least", "weight  lift", "empty"):
        assert words in out
    assert main(["corpus", "report", str(folder), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 6


def test_pictures_and_pages(folder, tmp_path, capsys):
    for name, options in {
        "a.png": [],
        "b.svg": ["--by", "entropy"],
        "c.html": [],
        "d.html": ["--by", "sink_role"],
    }.items():
        assert main(["corpus", "report", str(folder), *options, "-o", str(tmp_path / name)]) == 0
    drawn = (tmp_path / "b.svg").read_text()
    assert "standard deviation" in drawn and "4 texts" in drawn
    assert "attnviz corpus report out --by entropy --output b.svg" in drawn


def test_ranges_have_their_quantiles_in_place(folder):
    """The lines of the picture lie where the quantiles are, between both ends of the axis."""
    report = attnviz.corpus_report(folder, by="first")
    page = report.page()
    ranges = page.part(Ranges)
    assert ranges.names == [f"{row['layer']}.{row['head']}" for row in report.rows()]
    np.testing.assert_array_equal(ranges.values[:, 2], [row["median"] for row in report.rows()])
    figure = place(page, FigureOptions())
    dots = sorted(figure.dots, key=lambda dot: dot.y)
    ticks = [line.x0 for line in figure.lines if line.tone == "grid"]
    high = round_up(ranges.values.max())
    for dot, mean in zip(dots, ranges.means, strict=True):
        assert dot.x == pytest.approx(min(ticks) + (max(ticks) - min(ticks)) * mean / high, abs=1e-6)


def test_a_long_list_of_ranges_says_how_many_are_left_out(folder):
    ranges = attnviz.corpus_report(folder, by="first", top=2).page().part(Ranges)
    assert len(ranges.names) == 2 and "the 2 highest of 6 heads" in ranges.heading
