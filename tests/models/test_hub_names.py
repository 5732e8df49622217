"""Names of models as people type them."""

from __future__ import annotations

import pytest
from helpers.hub_server import COMMIT, complaint, lay_out

import attnviz
from attnviz.cli import main
from attnviz.models import hub

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("gpt2", "openai-community/gpt2"),
        ("gpt2-xl", "openai-community/gpt2-xl"),
        ("distilgpt2", "distilbert/distilgpt2"),
        ("bert-base-uncased", "google-bert/bert-base-uncased"),
        ("bert-base-german-cased", "google-bert/bert-base-german-cased"),
        ("roberta-base", "FacebookAI/roberta-base"),
        ("xlm-roberta-large", "FacebookAI/xlm-roberta-large"),
        ("distilbert-base-uncased", "distilbert/distilbert-base-uncased"),
        ("distilroberta-base", "distilbert/distilroberta-base"),
        ("albert-base-v2", "albert/albert-base-v2"),
        ("t5-small", "google-t5/t5-small"),
        ("xlnet-base-cased", "xlnet/xlnet-base-cased"),
        ("camembert-base", "almanach/camembert-base"),
        ("openai-gpt", "openai-community/openai-gpt"),
        ("BERT-base-uncased", "google-bert/bert-base-uncased"),
    ],
)
def test_a_short_name_leads_to_the_full_one(short, full, server):
    assert complaint(short) == (
        f"unknown model '{short}'",
        f"on the Hub it is called {full}: give the whole name, {full}",
    )
    assert complaint(f"{short}@v2")[1] == f"on the Hub it is called {full}: give the whole name, {full}@v2"
    assert hub.parse(hub.full(short)) and server.log == []


def test_every_short_name_stands_at_the_end_of_its_full_one():
    from attnviz.models.hub.names import _FULL

    assert all(found.endswith(f"/{short}") and hub.parse(found) for short, found in _FULL.items())
    assert len(_FULL) >= 60


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("bert-base-uncase", "google-bert/bert-base-uncased"),
        ("robertabase", "FacebookAI/roberta-base"),
        ("gtp2", "openai-community/gpt2"),
        ("tinny", "tiny"),
        ("seed", "seeded"),
        ("mini-lm", "minilm"),
    ],
)
def test_a_name_spelled_nearly_so(typed, nearest):
    message, hint = complaint(typed)
    assert message == f"unknown model '{typed}'" and hint.startswith(f"nearest: {nearest}")
    assert hint.count(",") <= 2


@pytest.mark.parametrize("typed", ["zzz", "a b c", "", "@main", "gpt2@../../x"])
def test_what_is_like_nothing_is_told_what_is_wanted(typed):
    assert complaint(typed)[1] == "wanted tiny, seeded, minilm, a path, or org/name"


def test_a_wrong_organisation_is_told_the_right_one(server):
    message, hint = complaint("google/bert-base-uncased")
    assert message == "the Hub has no model google/bert-base-uncased, or it is private"
    assert hint.startswith("nearest: google-bert/bert-base-uncased") and hint.endswith("set HF_TOKEN")


def test_models_in_the_cache_are_offered_too(files, home):
    lay_out(home / "hub", files, name="some/unheard-of-thing")
    assert complaint("unheard-of-thin")[1] == "nearest: some/unheard-of-thing"


def test_a_cache_that_holds_the_old_name_is_used(server, files, home):
    lay_out(home / "hub", files, name="gpt2")
    model = attnviz.load("gpt2")
    assert (model.name, model.meta["revision"]) == ("gpt2", COMMIT)
    assert attnviz.load(f"gpt2@{COMMIT}", offline=True).tokens("w5").ids == (5,)
    assert attnviz.tokenize("w5", "gpt2").ids == (5,)
    assert server.log == []


def test_a_configuration_alone_under_the_old_name(server, files, home):
    lay_out(home / "hub", {"config.json": files["config.json"]}, name="bert-base-uncased")
    found = attnviz.describe("bert-base-uncased")
    assert (found["model"], found["family"], found["layers"]) == ("bert-base-uncased", "bert", 2)
    assert server.log == []


def test_half_a_model_under_the_old_name_is_none(files, home):
    lay_out(home / "hub", {"config.json": files["config.json"]}, name="gpt2")
    assert complaint("gpt2")[1].startswith("on the Hub it is called openai-community/gpt2")


def test_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "gpt2").mkdir()
    assert complaint("mine")[1] == "for the folder, write ./mine"
    assert complaint("gpt2")[1].startswith("on the Hub it is called openai-community/gpt2")


@pytest.mark.parametrize("command", [["table", "a", "-m"], ["describe"], ["inspect"], ["check"]], ids=lambda c: c[0])
def test_on_the_command_line(capsys, command):
    """Some commands take the model as their argument and have no option --model."""
    assert main([*command, "gpt2"]) == 1
    full = "openai-community/gpt2"
    wanted = f"error: unknown model 'gpt2'\nhint: on the Hub it is called {full}: give the whole name, {full}\n"
    assert capsys.readouterr() == ("", wanted)
