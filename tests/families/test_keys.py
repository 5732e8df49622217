"""Keys that the reference reads and we do not are refused; keys that neither reads are ignored and named."""

from __future__ import annotations

import ast
import json
import sys
from fnmatch import fnmatchcase

import pytest
from helpers.paths import REFERENCE, ROOT

import attnviz
from attnviz.cli import main
from attnviz.errors import ConfigError
from attnviz.families import INDEX, _keys, family
from attnviz.models.configs import configuration

TABLE = json.loads(_keys.TABLE.read_text())
CASES = sorted(
    path.parent.name
    for path in REFERENCE.glob("*/config.json")
    if _keys.reference({"model_type": json.loads(path.read_text())["model_type"]}).reads is not None
)
# A value that is no key's default, and that no reader of text, numbers or lists accepts.
PLANTED = {"twist": True}


def config(case, **changes):
    """A reference case's configuration, read by its family; or one with only a model_type."""
    file = REFERENCE / case / "config.json"
    data = (json.loads(file.read_text()) if file.is_file() else {"model_type": case}) | changes
    module = family(data["model_type"])
    read = configuration({key: value for key, value in data.items() if value is not KeyError}, module)
    module.spec(read)
    return read


def read_by_the_reference(case):
    """Keys that the reference reads and the family does not."""
    configuration = config(case)
    planted = sorted(configuration.reference.reads - configuration._read - set(configuration.data))
    return [key for key in planted if configuration.reference.place(key, PLANTED) == "refused"]


# ---- the rule, family by family


@pytest.mark.parametrize("case", CASES)
def test_a_key_that_the_reference_reads_and_we_do_not_is_refused(case):
    keys = read_by_the_reference(case)
    assert {"pruned_heads", "per_layer_config"} <= set(keys)
    for key in keys:
        try:
            configuration = config(case, **{key: PLANTED})
        except ConfigError as error:  # it is an alias of a key that the family reads
            assert "contradict each other" in str(error)
        else:
            assert (configuration.unread(), configuration.ignored()) == ([key] if key in configuration.data else [], [])


@pytest.mark.parametrize("case", CASES)
def test_a_key_that_nobody_reads_is_ignored_and_named(case):
    configuration = config(case, attention_twist=0.5)
    assert (configuration.unread(), configuration.ignored()) == ([], ["attention_twist"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("own", [{"auto_map": {"AutoModel": "modeling_x.XModel"}}, {"architectures": ["XForTwisting"]}])
def test_code_of_its_own_may_read_any_key(case, own):
    configuration = config(case, attention_twist=0.5, **own)
    assert (configuration.unread(), configuration.ignored()) == (["attention_twist"], [])
    assert config(case, **own).unread() == []


@pytest.mark.parametrize("case", CASES)
def test_the_reviewed_keys_of_a_family_are_ignored_even_then(case, monkeypatch):
    module = family(json.loads((REFERENCE / case / "config.json").read_text())["model_type"])
    reviewed = (*getattr(module, "HARMLESS", ()), "attention_twist")
    monkeypatch.setattr(module, "HARMLESS", reviewed, raising=False)
    configuration = config(case, attention_twist=0.5, auto_map={"AutoModel": "modeling_x.XModel"})
    assert (configuration.unread(), configuration.ignored()) == ([], ["attention_twist"])


@pytest.mark.parametrize("case", CASES)
def test_what_every_configuration_may_have_is_free_of_the_rule_until_it_means_something(case):
    defaults = {key: values[0] for key, values in TABLE["base"].items() if values}
    left_out = set(json.loads((REFERENCE / case / "config.json").read_text()))
    configuration = config(case, **{k: v for k, v in defaults.items() if k not in left_out and k != "model_type"})
    assert (configuration.unread(), configuration.ignored()) == ([], [])
    assert config(case, pruned_heads={"0": [1]}).unread() == ["pruned_heads"]


@pytest.mark.parametrize("case", CASES)
def test_the_classes_of_a_family_have_no_code_of_their_own(case):
    data = json.loads((REFERENCE / case / "config.json").read_text())
    assert not configuration(data, family(data["model_type"])).reference.foreign


# ---- particular keys


@pytest.mark.parametrize(
    ("case", "changes", "refused", "ignored"),
    [
        ("gpt2", {"position_embedding_type": "relative_key"}, [], ["position_embedding_type"]),
        ("bert", {"is_decoder": False, "add_cross_attention": False, "pruned_heads": {}}, [], []),
        ("distilbert", {"is_decoder": False, "add_cross_attention": False, "pruned_heads": {}}, [], []),
        ("gpt2", {"max_length": 50, "do_sample": True, "n_special": 0}, [], ["n_special"]),
        ("bert", {"tokenizer_class": "ElectraTokenizer"}, [], []),
        ("llama", {"rope_parameters": {"rope_type": "default", "finetuned": True}}, [], ["rope_parameters.finetuned"]),
        (
            "llama",
            {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "beta_fast": 8}},
            ["rope_parameters.beta_fast"],
            [],
        ),
        ("qwen2", {"rope_parameters": {"type": "mrope", "mrope_section": [1, 1, 2]}}, [], []),
        ("clip", {"logit_scale_init_value": 2.6592, "initializer_factor": 1.0, "slip": 3}, [], ["slip"]),
    ],
)
def test_particular_keys(case, changes, refused, ignored):
    configuration = config(case, **changes)
    assert (configuration.unread(), configuration.ignored()) == (refused, ignored)


def test_the_newest_bert_reads_no_kind_of_positions_but_older_ones_do():
    reference = _keys.reference({"model_type": "bert"})
    assert reference.place("position_embedding_type", "relative_key") == "refused"


@pytest.mark.parametrize("tower", ["text_config", "vision_config"])
def test_nested_configurations_follow_the_same_rule(tower):
    found = config("clip", **{tower: {"slip": 1, "pruned_heads": {}, "is_decoder": False, "max_length": 20}})
    assert (found.unread(), found.ignored()) == ([], [f"{tower}.slip"])
    assert config("clip", **{tower: {"pruned_heads": {"0": [1]}}}).unread() == [f"{tower}.pruned_heads"]
    inner = {"slip": 1, "auto_map": {"AutoModel": "modeling_x.XModel"}}
    assert config("clip", **{tower: inner}).unread() == [f"{tower}.slip"]
    found = config("clip", architectures=["SlipModel"], **{tower: {"slip": 1}})
    assert (found.unread(), found.ignored()) == ([f"{tower}.slip"], [])


def test_a_model_type_that_the_reference_does_not_have_is_as_strict_as_before():
    assert _keys.reference({"model_type": "barn_owl"}).place("attention_twist", 1) == "refused"
    assert _keys.reference({"model_type": "barn_owl"}).place("transformers_version", "5.0.0") == "known"


# ---- where ignored keys are listed


def test_what_is_ignored_is_in_meta_and_with_verbose(tmp_path, capsys):
    data = json.loads((REFERENCE / "bert" / "config.json").read_text()) | {"attention_twist": 0.5, "z_steps": 0}
    (tmp_path / "config.json").write_text(json.dumps(data))
    (tmp_path / "model.safetensors").symlink_to(REFERENCE / "bert" / "model.safetensors")
    found = attnviz.load(tmp_path)
    assert found.meta["unread_keys"] == ["attention_twist", "z_steps"]
    assert "ignored_keys" not in found.meta
    assert "unread_keys" not in attnviz.load(REFERENCE / "bert").meta
    words = ["table", "--ids", "10,11,12", "-m", str(tmp_path)]
    assert main(words) == 0
    assert "attention_twist" not in capsys.readouterr().err
    assert main([*words, "--verbose"]) == 0
    assert "not read by the model: attention_twist, z_steps" in capsys.readouterr().err


# ---- the table


def test_the_table_is_small_and_sorted():
    assert _keys.TABLE.stat().st_size < 150_000
    assert TABLE["releases"].split()[0] == "4.46.3"
    assert TABLE["releases"].split()[-1] == "5.23.0"
    assert list(TABLE["files"]) == sorted(TABLE["files"])
    for row in TABLE["files"].values():
        for words in row.values():
            assert words.split() == sorted(set(words.split()))


@pytest.fixture
def maker(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import key_sources

    yield key_sources
    sys.modules.pop("key_sources")


MODEL = """
from ...activations import ACT2FN
class OwlModel(OwlPreTrainedModel):
    def __init__(self, config):
        self.a = config.plain
        self.b = getattr(config, "got", None)
        self.c = config.text_config.deep
        inner = self.config.vision_config
        self.d = inner.by_alias
        self.e = config.rope_scaling["factor"] if "kind" in config.rope_scaling else config.rope_scaling.get("slope")
        self.f = getattr(config, self.name)
        self.g = other.thing
"""
CONFIG = """
class OwlConfig(PreTrainedConfig):
    model_type = "owl"
    attribute_map = {"hidden_size": "d_model"}
    field: int = 3
    def __init__(self, d_model=8, legacy=None, never=0, **kwargs):
        old = kwargs.pop("older_name", None)
        if legacy is not None:
            self.derived = old or field
        self.never = never
    @property
    def computed(self):
        return self.d_model * 2
"""


def test_what_a_modelling_file_reads_is_seen(maker):
    found = maker._definition(ast.parse(MODEL))
    wanted = {"plain", "got", "text_config", "vision_config", "deep", "by_alias", "factor", "kind", "slope"}
    assert wanted | {"rope_scaling"} == found.reads
    assert found.unresolved == {"getattr(config, self.name)"}


def test_what_a_configuration_class_derives_is_seen(maker, tmp_path):
    (tmp_path / "configuration_owl.py").write_text(CONFIG)
    (one,) = maker.settings(tmp_path / "configuration_owl.py")
    assert (one.model_type, one.same) == ("owl", {("hidden_size", "d_model")})
    assert one.depends["derived"] == {"old", "field", "legacy"}
    assert one.depends["old"] == {"kwargs", "pop", "older_name"}
    assert one.depends["computed"] == {"d_model", "property"}
    assert {"d_model", "legacy", "never", "older_name", "field"} <= one.keys
    assert one.defaults == {"field": 3, "d_model": 8, "legacy": None, "never": 0}


@pytest.mark.parametrize(
    ("case", "name"), [("t5", "T5WithLMHeadModel"), ("llama", "LLaMAForCausalLM"), ("falcon", "RWForCausalLM")]
)
def test_older_names_of_a_familys_architecture_are_its_own(case, name):
    configuration = config(case, architectures=[name], attention_twist=0.5)
    assert (configuration.unread(), configuration.ignored()) == ([], ["attention_twist"])


def test_clips_older_spelling_wins_with_its_own_defaults():
    new = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    both = {"model_type": "clip", "text_config": new, "text_config_dict": {"num_hidden_layers": 5}}
    spec = family("clip").spec(configuration(both, family("clip")))
    assert (spec.text.n_layers, spec.text.d_model, spec.text.n_heads) == (5, 512, 8)
    alone = {"model_type": "clip", "text_config": new, "text_config_dict": None}
    spec = family("clip").spec(configuration(alone, family("clip")))
    assert (spec.text.n_layers, spec.text.d_model, spec.text.n_heads) == (3, 64, 4)


def test_every_model_type_has_a_row_of_the_table():
    """Without an entry every unknown key would be refused. Missing entries are nowhere in the reference."""
    rows = {name for name, file in INDEX["model_types"].items() if _keys._row(name) or _keys._row(file)}
    assert INDEX["model_types"].keys() - rows == {"clip_text", "clip_vision", "mixformer_sequential", "npz", "phi_msft"}


@pytest.mark.parametrize(("value", "place"), [(False, "known"), (0, "refused"), (True, "refused")])
def test_code_of_its_own_may_take_up_what_the_reference_leaves_alone(value, place):
    """Llama's code in the reference does not ask whether it is a decoder; a checkpoint's own may."""
    configuration = config("llama", is_decoder=value, auto_map={"AutoModel": "modeling.Own"})
    assert configuration.reference.place("is_decoder", value) == place


def test_a_nested_configuration_of_another_type_is_read_by_that_types_rule():
    whole = _keys.reference({"model_type": "llava"})
    nested = whole.within({"model_type": "deepseek_v2"})
    assert [one.place("qk_rope_head_dim", 4) for one in (whole, nested)] == ["ignored", "refused"]


def test_names_without_an_effect_are_those_of_the_patterns():
    """No regular expression is needed: a star is only at either end."""
    assert all("*" not in pattern.strip("*") and not set("?[") & set(pattern) for pattern in _keys.NO_EFFECT)
    keys = {key for row in TABLE["files"].values() for key in row["reads"].split()} | {"dropout", "x_pooler_y", "loss"}
    keys |= {pattern.replace("*", end) for pattern in _keys.NO_EFFECT for end in ("", "a", "a_b")}
    found = {key for key in keys if _keys.has_no_effect(key)}
    assert found == {key for key in keys if any(fnmatchcase(key, pattern) for pattern in _keys.NO_EFFECT)}
    assert 100 < len(found) < len(keys)
