"""Circuits from weights alone: known answers, and the d_model x d_model matrices written out."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import command_line, headed
from helpers.paths import REFERENCE

import attnviz
from attnviz.errors import ModelError, SelectionError
from attnviz.measures.circuits import Heads, composed, eigen, ends, factor, positive, singular

run = command_line.run  # a fixture

D, H, WIDE = 6, 2, 3  # d_model, heads, d_head


def lesson(path, **arrays):
    """A model of two layers without norms and MLPs."""
    random = np.random.RandomState(0)
    names = ("W_Q", "W_K", "W_V", "W_O", "W_Q.1", "W_K.1", "W_V.1", "W_O.1")
    drawn = {name: random.standard_normal((D, D)) for name in names}
    np.savez(path, n_heads=H, **{**drawn, **arrays})
    return attnviz.load(path)


def parts(weights, head, out=False):
    """A head's d_head columns of a stored [in, out] matrix, or its rows of W_O."""
    at = slice(head * WIDE, (head + 1) * WIDE)
    return weights[at] if out else weights[:, at]


def whole(path, layer, head):
    """W_QK and W_OV written out, for column vectors: a score is x_i^T W_QK x_j, what is written W_OV x_j."""
    stored, end = np.load(path), f".{layer}" if layer else ""
    q, k, v = (parts(stored[f"W_{name}{end}"], head) for name in "QKV")
    o = parts(stored[f"W_O{end}"], head, out=True)
    return q @ k.T, (v @ o).T


def test_against_whole_matrices(tmp_path) -> None:
    path = tmp_path / "toy.npz"
    found = attnviz.circuits(lesson(path)).circuits
    scale = WIDE**-0.5
    for i in range(2):
        for j in range(H):
            qk, ov = whole(path, i, j)
            assert np.allclose(found.qk_singular[i, j], scale * np.linalg.svd(qk, compute_uv=False)[:WIDE])
            assert np.allclose(found.ov_singular[i, j], np.linalg.svd(ov, compute_uv=False)[:WIDE])
            for mine, full in ((found.ov_eigen[i, j], ov), (found.qk_eigen[i, j] / scale, qk)):
                theirs = np.linalg.eigvals(full)
                theirs = theirs[np.argsort(-np.abs(theirs))][:WIDE]
                assert np.allclose(np.sort_complex(mine), np.sort_complex(theirs), atol=1e-8)
            values = np.linalg.eigvals(ov)
            assert found.copying[i, j] == pytest.approx(values.sum().real / np.abs(values).sum())
            assert found.ov_norm[i, j] == pytest.approx(np.linalg.norm(ov))
            assert found.qk_norm[i, j] == pytest.approx(scale * np.linalg.norm(qk))


def test_composition_against_whole_matrices(tmp_path) -> None:
    """Elhage 2021: |W_QK^T W_OV|, |W_QK W_OV| and |W_OV W_OV|, each over the product of both norms."""
    path = tmp_path / "toy.npz"
    found = attnviz.circuits(lesson(path)).circuits
    for reader in range(H):
        for writer in range(H):
            qk, ov = whole(path, 1, reader)
            _, wrote = whole(path, 0, writer)
            for kind, left in (("q", qk.T), ("k", qk), ("v", ov)):
                expected = np.linalg.norm(left @ wrote) / (np.linalg.norm(left) * np.linalg.norm(wrote))
                assert found.composition[kind][1, reader, 0, writer] == pytest.approx(expected, rel=1e-5)
    for values in found.composition.values():
        assert np.isnan(values[0]).all() and np.isnan(values[1, :, 1]).all()


def test_heads_that_copy_and_heads_that_erase(tmp_path) -> None:
    """W_V W_O = 1 on a head's own dimensions: copying 1; -1: -1; a quarter turn has no real eigenvalue: 0."""
    one, turn = np.eye(D), np.eye(D)
    turn[:2, :2] = [[0, -1], [1, 0]]
    turn[2, 2] = 0
    found = attnviz.circuits(lesson(tmp_path / "a.npz", W_V=one, W_O=one)).circuits
    assert np.allclose(found.copying[0], 1.0) and np.allclose(found.ov_singular[0], 1.0)
    found = attnviz.circuits(lesson(tmp_path / "b.npz", W_V=one, W_O=-one, W_Q=one, W_K=one)).circuits
    assert np.allclose(found.copying[0], -1.0) and np.allclose(found.matching[0], 1.0)
    found = attnviz.circuits(lesson(tmp_path / "c.npz", W_V=one, W_O=turn)).circuits
    assert found.copying[0, 0] == pytest.approx(0.0)
    assert sorted(np.abs(found.ov_eigen[0, 0])) == pytest.approx([0.0, 1.0, 1.0])
    assert found.ov_eigen[0, 0, :2].tolist() == pytest.approx([1j, -1j])


def test_a_head_that_reads_exactly_what_another_wrote_and_one_that_reads_nothing_of_it() -> None:
    """Head 0 of the reader has keys on the one dimension that is written, head 1 on another."""
    axis = np.eye(4)
    row = axis[:, None]  # [axis, 1, 4]: heads of one dimension
    column = axis[:, :, None]
    writer = ends(Heads(q=row[:1], k=row[:1], v=row[:1], o=column[1:2]))
    reader = ends(Heads(q=row[[2, 2]], k=row[[1, 3]], v=row[[0, 1]], o=column[[0, 0]]))
    found = composed(reader, writer)
    assert found["k"][:, 0].tolist() == [1.0, 0.0]
    assert found["q"][:, 0].tolist() == [0.0, 0.0]
    assert found["v"][:, 0].tolist() == [0.0, 1.0]


def test_random_directions_compose_by_chance() -> None:
    found = attnviz.circuits(attnviz.load("seeded", n_layers=6, n_heads=8, d_model=128)).circuits
    assert found.chance == pytest.approx(128**-0.5)
    for values in found.composition.values():
        assert np.nanmean(values) == pytest.approx(found.chance, rel=0.05)


def test_factors_of_thin_matrices() -> None:
    random = np.random.RandomState(1)
    left, right, x = random.standard_normal((3, 5)), random.standard_normal((3, 5)), random.standard_normal((7, 3))
    assert np.linalg.norm(x @ factor(left).T) == pytest.approx(np.linalg.norm(x @ left))
    assert np.allclose(singular(left, right), np.linalg.svd(left.T @ right, compute_uv=False)[:3])
    wide = random.standard_normal((5, 3))  # more dimensions in a head than in the stream
    assert np.allclose(singular(wide, wide)[:3], np.linalg.svd(wide.T @ wide, compute_uv=False))
    values = eigen(left, right)
    assert (np.abs(values)[:-1] >= np.abs(values)[1:] - 1e-12).all()
    assert positive(np.zeros((2, 3), complex)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "opt", "cohere"])
def test_norms_are_folded_and_shared_keys_are_each_heads_own(family) -> None:
    """Against W_QK and W_OV built from the model's own tensors, with diag(weight) and centring written out."""
    model = attnviz.load(REFERENCE / family)
    spec, get = model.spec, model.tensors.get
    found = attnviz.circuits(model).circuits
    layer, head, d = 1, 3, spec.d_model
    kv = head * spec.n_kv_heads // spec.n_heads

    def rows(part, n_heads, at):
        weight = get(f"layers.{layer}.{part}.weight", (n_heads * spec.d_head, d))
        return np.asarray(weight, np.float64)[at * spec.d_head : (at + 1) * spec.d_head]

    gamma = np.asarray(get(f"layers.{layer}.norm1.weight", (d,)), np.float64) + spec.norm.plus_one
    reading = np.diag(gamma) @ (np.eye(d) - (1 / d if spec.norm.kind == "layer" else 0))
    q, k, v = rows("q", spec.n_heads, head), rows("k", spec.n_kv_heads, kv), rows("v", spec.n_kv_heads, kv)
    o = np.asarray(get(f"layers.{layer}.o.weight", (d, spec.n_heads * spec.d_head)), np.float64)
    o = o[:, head * spec.d_head : (head + 1) * spec.d_head]
    if spec.norm_output:
        o = np.diag(np.asarray(get(f"layers.{layer}.norm1_out.weight", (d,))) + spec.norm.plus_one) @ o
    qk, ov = reading.T @ q.T @ k @ reading * spec.scale, o @ v @ reading
    n = min(spec.d_head, d)
    assert np.allclose(found.qk_singular[layer, head], np.linalg.svd(qk, compute_uv=False)[:n], rtol=1e-6)
    assert found.ov_norm[layer, head] == pytest.approx(np.linalg.norm(ov), rel=1e-6)
    values = np.linalg.eigvals(ov)
    assert found.copying[layer, head] == pytest.approx(values.sum().real / np.abs(values).sum(), abs=1e-6)
    plain = attnviz.circuits(model, norms=False).circuits
    assert not np.allclose(plain.copying, found.copying, atol=1e-3)
    assert "norms" in plain.left_out and "the division of norms" in found.left_out


def test_copying_through_the_vocabulary(tmp_path) -> None:
    """Elhage 2021: the eigenvalues of W_U W_OV W_E, written out as [token, token]."""
    folder, _ = headed.headed("llama", tmp_path)
    model = attnviz.load(folder)
    found = attnviz.circuits(model, vocabulary=True).circuits
    spec, get = model.spec, model.tensors.get
    d, width = spec.d_model, spec.d_head
    embedding = np.asarray(get("embed.tokens", (spec.vocab, d)), np.float64)
    table = np.random.RandomState(1).standard_normal((spec.vocab, d)).astype(np.float32).astype(np.float64)
    last = np.asarray(get("final_norm.weight", (d,)), np.float64)
    gamma = np.asarray(get("layers.0.norm1.weight", (d,)), np.float64)
    v = np.asarray(get("layers.0.v.weight", (spec.n_kv_heads * width, d)), np.float64)[:width] * gamma
    o = np.asarray(get("layers.0.o.weight", (d, spec.n_heads * width)), np.float64)[:, :width]
    full = (table * last) @ o @ v @ embedding.T
    values = np.linalg.eigvals(full)
    assert found.vocabulary[0, 0] == pytest.approx(values.sum().real / np.abs(values).sum(), abs=1e-4)
    with pytest.raises(ModelError):
        attnviz.circuits(attnviz.load(REFERENCE / "bert"), vocabulary=True)


def test_streams_of_an_encoder_decoder() -> None:
    model = attnviz.load(REFERENCE / "bart")
    encoder, decoder, cross = (
        attnviz.circuits(model, stream=name).circuits for name in ("encoder", "decoder", "cross")
    )
    assert encoder.stream == attnviz.circuits(model).circuits.stream == "encoder"
    assert not np.allclose(encoder.copying, decoder.copying) and not np.allclose(decoder.copying, cross.copying)
    assert set(cross.composition) == {"q"}  # keys and values are of the other stack
    with pytest.raises(SelectionError, match="stream"):
        attnviz.circuits(model, stream="self")


def test_what_weights_do_not_say() -> None:
    assert "rotary positions: W_QK is that of two tokens at one place" in attnviz.circuits(
        attnviz.load(REFERENCE / "llama")
    ).circuits.left_out  # fmt: skip
    assert {"biases", "norms"} <= set(attnviz.circuits(attnviz.load(REFERENCE / "bert")).circuits.left_out)
    assert "scores by distance" in attnviz.circuits(attnviz.load(REFERENCE / "t5")).circuits.left_out


def test_a_scale_of_sublayers_scales_what_heads_write(tmp_path) -> None:
    folder = shutil.copytree(REFERENCE / "granite", tmp_path / "granite")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"residual_multiplier": 1.0}))
    once, scaled = (
        attnviz.circuits(attnviz.load(folder)).circuits,
        attnviz.circuits(attnviz.load(REFERENCE / "granite")).circuits,
    )
    assert np.allclose(scaled.ov_norm, 0.4 * once.ov_norm)


def test_every_family_has_circuits() -> None:
    for folder in sorted(REFERENCE.iterdir()):
        if folder.is_dir():
            found = attnviz.circuits(attnviz.load(folder)).circuits
            assert np.isfinite(found.copying).all() and np.isfinite(found.qk_singular).all(), folder.name
            assert (np.abs(found.copying) <= 1 + 1e-9).all(), folder.name


def test_only_some(tmp_path) -> None:
    model = attnviz.load("seeded", n_layers=3)
    all, some = attnviz.circuits(model).circuits, attnviz.circuits(model, layers=[0, 2], heads=[3, 1]).circuits
    assert (some.layers, some.heads) == ((0, 2), (3, 1))
    assert np.array_equal(some.copying, all.copying[[0, 2]][:, [3, 1]])
    expected = all.composition["k"][np.ix_([0, 2], [3, 1], [0, 2], [3, 1])]
    assert np.allclose(some.composition["k"], expected, equal_nan=True)
    assert attnviz.circuits(model, by="spectrum").circuits.composition == {}


# The command


def test_heads_as_rows(run) -> None:
    status, out, err = run("circuits", "--json")
    rows, found = json.loads(out), attnviz.circuits(attnviz.load("seeded")).circuits
    assert (status, err, len(rows)) == (0, "", 8)
    assert [row["copying"] for row in rows] == sorted((row["copying"] for row in rows), reverse=True)
    for row in rows:
        i, j = row["layer"], row["head"]
        assert row["matching"] == found.matching[i, j] and row["ov_norm"] == found.ov_norm[i, j]
        best = max(np.nanmax(values[i, j]) for values in found.composition.values()) if i else None
        assert row["composition"] == (None if best is None else pytest.approx(best))
    shown = [line.split() for line in run("circuits")[1].splitlines()]
    assert shown[0] == ["layer", "head", "copying", "matching", "|OV|", "|QK|", "reads", "from", "composition"]
    assert shown[1][:3] == [str(rows[0]["layer"]), str(rows[0]["head"]), f"{rows[0]['copying']:.2f}"]


def test_pairs_and_spectra_as_rows(run) -> None:
    pairs = json.loads(run("circuits", "--by", "pair", "--json")[1])
    assert len(pairs) == 3 * 4 * 4
    assert all(row["from_layer"] < row["layer"] for row in pairs)
    assert pairs[0]["over_chance"] == pytest.approx(pairs[0]["composition"] * 8)  # sqrt(64)
    spectrum = json.loads(run("circuits", "--by", "spectrum", "-l", "1", "-H", "2", "--json")[1])
    assert len(spectrum) == 2 * 16
    found = attnviz.circuits(attnviz.load("seeded")).circuits
    assert [row["singular"] for row in spectrum if row["circuit"] == "OV"] == found.ov_singular[1, 2].tolist()
    assert len(json.loads(run("circuits", "--by", "pair", "--json", "--top", "5")[1])) == 5


def test_pictures_and_files(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for by in ("head", "pair", "spectrum"):
        for name in (f"{by}.svg", f"{by}.png", f"{by}.csv"):
            assert run("circuits", "--by", by, "-o", name)[:2] == (0, f"{name}\n"), name
    shown = re.sub(r"<[^>]+>", "\n", Path("head.svg").read_text())
    assert "seeded · circuits" in shown and "random weights, seed 0" in shown
    assert "folded: the weight and centring of the norm in front" in shown
    assert next(csv.reader(Path("pair.csv").read_text().splitlines()))[:3] == ["reads", "layer", "head"]
    first = Path("pair.png").read_bytes()
    run("circuits", "--by", "pair", "-o", "pair.png")
    assert Path("pair.png").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("circuits", "--by", "nothing"), 2, "--by must be one of"),
        (("circuits", "a", "-m", "b"), 2, "MODEL and --model"),
        (("circuits", "-l", "9"), 1, "layer 9"),
        (("circuits", "--n-layers", "1", "--by", "pair", "-o", "x.png"), 1, "there is one layer"),
        (("circuits", "--vocabulary"), 1, "vocabulary"),
        (("circuits", "--stream", "cross"), 1, "stream"),
    ],
)
def test_what_cannot_be(run, words, status, said, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    got, out, err = run(*words)
    assert (got, out) == (status, "") and said in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
