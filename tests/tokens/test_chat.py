"""--chat: a text as a turn of a conversation, by the model's own template; and malicious templates."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
from helpers.effort import cost, spent
from helpers.paths import REFERENCE
from tokenizers import AddedToken, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

import attnviz
from attnviz.cli import main
from attnviz.errors import CheckpointError, InputError
from attnviz.tokens.chat import chat_text, template_in_gguf

CHATML = (
    "{% for message in messages %}{{ '<im>' + message['role'] + ' ' + message['content'] + '</im>' }}{% endfor %}\n"
    "{% if add_generation_prompt %}{{ '<im>assistant' }}{% endif %}"
)
WORDS = ["<s>", "<im>", "</im>", "user", "assistant", "system", "the", "cat", "sat", "[INST]", "[/INST]", "<unk>"]


@pytest.fixture
def folder(tmp_path):
    """The tiny Llama with a tokenizer of whole words that puts <s> in front of every text."""
    place = tmp_path / "m"
    shutil.copytree(REFERENCE / "llama", place)
    backend = Backend(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens([AddedToken(word, special=True) for word in WORDS[:3]])
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    backend.save(str(place / "tokenizer.json"))
    (place / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "chat_template": CHATML}))
    return place


TURN = [1, 3, 6, 7, 8, 2, 1, 4]


def test_the_template_says_all_special_tokens(folder):
    model = attnviz.load(folder)
    assert model.tokens("the cat sat").ids == (0, 6, 7, 8)
    assert model.chat("the cat sat") == TURN
    tokens = model.tokens(ids=model.chat("the cat sat"))
    assert tokens.text == ("<im>", "user", "the", "cat", "sat", "</im>", "<im>", "assistant")
    assert [i for i, special in enumerate(tokens.special) if special] == [0, 5, 6]


def test_a_template_is_applied_only_when_asked_for(folder, capsys):
    assert main(["tokens", "the cat sat", "-m", str(folder), "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [0, 6, 7, 8]
    assert main(["tokens", "--chat", "the cat sat", "-m", str(folder), "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == TURN


def test_attention_reads_the_turn(folder, tmp_path, capsys):
    out = tmp_path / "a.npz"
    assert main(["export", "--chat", "the cat sat", "-m", str(folder), "-o", str(out)]) == 0
    attention = attnviz.open(out)
    assert attention.query_ids == tuple(TURN)
    np.testing.assert_array_equal(attention.weights, attnviz.load(folder).attend(ids=TURN).weights)


@pytest.mark.parametrize("where", ["chat_template.jinja", "chat_template.json", "several"])
def test_where_a_template_stands(folder, where):
    other = CHATML.replace("assistant", "system")
    if where == "several":
        named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": other}]
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    else:  # these override tokenizer_config.json
        text = other if where.endswith("jinja") else json.dumps({"chat_template": other})
        (folder / where).write_text(text)
    assert attnviz.load(folder).chat("the cat sat") == [*TURN[:-1], 5]


def test_special_tokens_have_their_names():
    template = (
        "{{ bos_token }}{% if messages[0].role != 'user' %}{{ raise_exception('no') }}{% endif %}[INST]{{ eos_token }}"
    )
    assert chat_text("x", template, {"bos_token": "<s>", "eos_token": "</s>"}) == "<s>[INST]</s>"


def test_a_gguf_file_names_them_by_number():
    metadata = {
        "tokenizer.chat_template": "t",
        "tokenizer.ggml.tokens": ["a", "<b>", "<e>"],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 99,
    }
    assert template_in_gguf(metadata, "m") == ("t", {"bos_token": "<b>", "eos_token": "<e>"})


def test_text_is_not_escaped_and_json_is_json():
    template = "{{ messages[0].content }} {{ messages | tojson }} {% generation %}g{% endgeneration %}"
    assert chat_text('é <b> & "q"', template, {}) == ('é <b> & "q" [{"role": "user", "content": "é <b> & \\"q\\""}] g')


def test_there_is_no_clock():
    assert chat_text("x", "{% if strftime_now is defined %}now{% else %}26 Jul 2024{% endif %}", {}) == "26 Jul 2024"
    with pytest.raises(InputError, match="the chat template writes the date") as caught:
        chat_text("x", "{{ strftime_now('%Y') }}", {})
    assert "--chat-date 2026-01-31" in caught.value.hint


DATED = "{{ strftime_now('%d %b %Y, %H:%M') }}"


def test_the_date_is_the_one_that_is_named():
    assert chat_text("x", DATED, {}, "2024-07-26") == "26 Jul 2024, 00:00"
    assert chat_text("x", "{% if strftime_now is defined %}now{% endif %}", {}, "2024-07-26") == "now"


@pytest.mark.parametrize("date", ["today", "2024-13-01", "2024-7-1", "20240701", "", "2024-07-26T10", "2024-W30-5"])
def test_what_is_no_date(date):
    with pytest.raises(InputError, match="a date is written as in 2026-01-31; got"):
        chat_text("x", DATED, {}, date)


def test_the_command_takes_a_date(folder, capsys):
    config = {"bos_token": "<s>", "chat_template": "{{ 'the cat' if strftime_now('%Y') == '2024' else 'the' }}"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    command = ["tokens", "--chat", "x", "-m", str(folder), "--json"]
    assert main(command) == 1
    assert capsys.readouterr().err.startswith("error: the chat template writes the date\nhint: name one: --chat-date")
    assert main([*command, "--chat-date", "2024-02-29"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [6, 7]
    assert attnviz.load(folder).chat("x", "2023-01-01") == [6]
    assert main(["tokens", "x", "--chat-date", "2024-02-29"]) == 2


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('only the system may speak') }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ self.__init__.__globals__.__builtins__.__import__('os').system('true') }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
        "{{ 'a' * 10**10 }}",
        "{% if %}",
        "{{" + "(" * 100_000,
        "{% include '/etc/hostname' %}",
    ],
)
def test_what_a_template_may_not(template):
    usual = cost(lambda: chat_text("x", "{{ messages }}", {}))
    start = spent()
    with pytest.raises(CheckpointError, match=r"^the chat template failed: [^\n]{1,250}$"):
        chat_text("x", template, {})
    assert spent() - start < 30 * usual


def test_a_template_without_an_end_is_ended(monkeypatch):
    monkeypatch.setattr("attnviz.tokens.chat.SECONDS", 1)
    with pytest.raises(CheckpointError, match="did not come to an end"):
        chat_text("x", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", {})


def test_without_jinja2_the_error_says_how_to_get_it(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(["tokens", "--chat", "the cat", "-m", str(folder)]) == 1
    assert capsys.readouterr().err == (
        "error: a chat template needs jinja2, which is not installed\nhint: pip install jinja2\n"
    )


def test_models_without_a_template(folder, capsys, minilm):
    for model in ("seeded", str(REFERENCE / "bert"), str(minilm)):
        assert main(["tokens", "--chat", "the cat", "-m", model]) == 1
        assert capsys.readouterr().err.startswith("error: ")
    with pytest.raises(InputError, match="has no chat template"):
        attnviz.load(minilm).chat("hello")


@pytest.mark.parametrize("words", [("--chat", "--ids", "1,2"), ("--chat", "a", "--pair", "b")])
def test_a_turn_is_one_text(words, capsys):
    assert main(["tokens", *words]) == 2
    assert "--chat" in capsys.readouterr().err


# ---- --global-tokens


def test_global_tokens_see_all_and_are_seen_by_all(tmp_path, capsys):
    ids = list(range(10, 34))
    out = tmp_path / "a.npz"
    words = ["export", "--ids", ",".join(map(str, ids)), "-m", str(REFERENCE / "longformer"), "-o", str(out)]
    assert main([*words, "--global-tokens", "0,15"]) == 0
    attention = attnviz.open(out)
    expected = attnviz.load(REFERENCE / "longformer").attend(ids=ids, global_tokens=[0, 15])
    np.testing.assert_array_equal(attention.weights, expected.weights)
    assert attention.mask[:, [0, 15]].all()
    assert attention.mask[:, :, [0, 15]].all()
    assert not attention.mask[:, 8, 20]
    assert "global tokens: 0, 15" in attention.meta["notes"]
    assert main(words) == 0
    assert not attnviz.open(out).mask[:, 15, 0].any()


def test_global_tokens_that_are_none(capsys):
    ids = ("--ids", "10,11,12")
    longformer, bert = str(REFERENCE / "longformer"), str(REFERENCE / "bert")
    assert main(["table", *ids, "-m", longformer, "--global-tokens", "3"]) == 1
    assert capsys.readouterr().err == "error: global tokens must be from 0 to 2; got [3]\n"
    assert main(["table", *ids, "-m", bert, "--global-tokens", "0"]) == 1
    assert capsys.readouterr().err == "error: bert has no global tokens\n"
    assert main(["table", *ids, "-m", longformer, "--global-tokens", "-1"]) == 2
    assert "--global-tokens wants numbers such as 0,5; got '-1'" in capsys.readouterr().err
