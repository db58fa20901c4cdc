"""Parameter counts against modules built independently, and what the name "8x7B" does and does not say."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from figures_helpers import draw, run
from postproof.core import files
from postproof.core.errors import ArtefactError, DataError
from postproof.mixtral import parameters
from postproof.mixtral.model import Decoder
from postproof.mixtral.settings import ModelSizes
from postproof.published import configurations

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "data/configurations/mixtral_8x7b.yaml"
MODEL = '{"d_model":192,"heads":6,"layers":3,"sequence":96,"dense_ffn":768,"experts":8,"expert_ffn":96,"top_k":2}'
SIZES = ModelSizes(d_model=192, heads=6, layers=3, sequence=96, dense_ffn=768, experts=8, expert_ffn=96, top_k=2)


def make_table(folder: Path, configuration: Path = PUBLISHED) -> Path:
    (folder / "info.json").write_text('{"vocabulary_size": 64}')
    out = folder / "parameters.csv"
    arguments = ["--configuration", configuration, "--model", MODEL, "--corpus-info", folder / "info.json"]
    run("mixtral.parameters", [*arguments, "--out", out])
    return out


@pytest.fixture
def table(tmp_path):
    return files.read_csv(make_table(tmp_path)).set_index(["model", "term"])


def replica(experts: int) -> nn.Module:
    """Mixtral 8x7B's layers with `experts` experts and a router for 8, written down from the paper, without storage."""

    def layer():
        attention = [nn.Linear(4096, 4096, bias=False), nn.Linear(4096, 1024, bias=False)]
        attention += [nn.Linear(4096, 1024, bias=False), nn.Linear(4096, 4096, bias=False)]
        expert = [nn.Linear(4096, 14336, bias=False) for _ in range(2)] + [nn.Linear(14336, 4096, bias=False)]
        norms = [nn.RMSNorm(4096), nn.RMSNorm(4096)]
        return nn.ModuleList([*attention, *norms, nn.Linear(4096, 8, bias=False), *(expert * experts)])

    with torch.device("meta"):
        layers = [layer() for _ in range(32)]
        ends = [nn.Embedding(32000, 4096), nn.RMSNorm(4096), nn.Linear(4096, 32000, bias=False)]
    return nn.ModuleList([*layers, *ends])


def count(module: nn.Module) -> int:
    """Every place counts: a module that stands twice in a list has its parameters twice."""
    return sum(parameter.numel() for _, parameter in module.named_parameters(remove_duplicate=False))


def test_mixtral_has_the_published_number_of_parameters(table):
    assert table.loc[("mixtral_8x7b", "all"), "total"] == 46_702_792_704
    assert table.loc[("mixtral_8x7b", "all"), "active"] == 12_879_925_248


def test_formulas_agree_with_modules_that_have_all_two_and_one_of_the_experts(table):
    row = table.loc[("mixtral_8x7b", "all")]
    assert [row["total"], row["active"], row["with_one_expert"]] == [count(replica(k)) for k in (8, 2, 1)]
    assert row["bytes_16bit"] == 2 * count(replica(8))


def test_formulas_agree_with_the_model_of_transformers(table):
    transformers = pytest.importorskip("transformers")
    config = transformers.MixtralConfig(
        vocab_size=32000, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, num_local_experts=8, num_experts_per_tok=2, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        model = transformers.MixtralForCausalLM(config)
    assert table.loc[("mixtral_8x7b", "all"), "total"] == count(model)
    terms = {"embed_tokens": ["token_embedding"], "lm_head": ["head"], "experts": ["experts"], "norm": ["norms"]}
    terms |= {f"{each}_proj": [f"attention_{each}"] for each in "qkv"}
    terms |= {"o_proj": ["attention_out"], "mlp.gate": ["router"]}
    for part, (term,) in terms.items():
        theirs = sum(each.numel() for name, each in model.named_parameters() if part in name)
        assert table.loc[("mixtral_8x7b", term), "total"] == theirs, term


def test_the_name_is_no_arithmetic(table):
    """Two of eight experts are not 2/8 of the parameters, and eight times the one-expert model is too much."""
    whole, experts = table.loc[("mixtral_8x7b", "all")], table.loc[("mixtral_8x7b", "experts")]
    shared = table[(table["group"] == "shared")].loc["mixtral_8x7b", "total"].sum()
    assert whole["total"] == shared + experts["total"]
    assert whole["active"] == shared + experts["total"] / 4 == whole["total"] / 4 + shared * 3 / 4
    assert 8 * whole["with_one_expert"] - whole["total"] == 7 * shared
    assert 8 * 7e9 != pytest.approx(whole["total"], rel=0.1)


@pytest.mark.parametrize("arm", ["dense", "moe"])
def test_the_arms_have_the_parameters_of_their_modules(arm, table):
    rows = table.loc[f"race_{arm}"]
    assert rows.loc["all", "total"] == sum(parameter.numel() for parameter in Decoder(arm, SIZES, 64).parameters())
    D, L, F = 192, 3, {"dense": 768, "moe": 8 * 96}[arm]
    by_hand = {"token_embedding": 64 * D, "positions": 96 * D, "head": 64 * D, "norms": (2 * L + 1) * 2 * D}
    by_hand |= {f"attention_{each}": L * (D * D + D) for each in ("q", "k", "v", "out")}
    if arm == "moe":
        by_hand |= {"router": L * (D * 8 + 8), "experts": L * (3 * D * F + 2 * F + 8 * D)}
    else:
        by_hand |= {"ffn": L * (3 * D * F + 2 * F + D)}
    assert rows.drop("all")["total"].to_dict() == by_hand


def test_active_are_the_parameters_of_a_module_with_as_many_experts_as_are_chosen(table):
    two = Decoder("moe", dataclasses.replace(SIZES, experts=2), 64)
    rest_of_router = 3 * 6 * (192 + 1)  # the router still has all eight outputs
    assert table.loc[("race_moe", "all"), "active"] == count(two) + rest_of_router
    assert table.loc[("race_dense", "all"), "active"] == table.loc[("race_dense", "all"), "total"]


@pytest.mark.parametrize(
    "old, new, named",
    [
        ("experts: 8", "experts: 0", "experts"),
        ("layers: 32", "layers: 32.0", "layers"),
        ("layers: 32", "layers: true", "layers"),
        ("head_dim: 128", "head_dimension: 128", "head_dimension"),
        ("heads: 32\n", "", "heads"),
        ("top_k: 2", "top_k: 9", "top_k"),
        ("kv_heads: 8", "kv_heads: 5", "kv_heads"),
        ("tied_embeddings: false", "tied_embeddings: 0", "tied_embeddings"),
        ("norm: rmsnorm", "norm: batchnorm", "norm"),
        ("biases: none", "biases: false", "biases"),
        ("biases: none", "biases: all", "biases"),
        ("name: mixtral_8x7b", "name: 8", "name"),
        ("top_k: 2", "top_k: 2\ntop_k: 3", "stands twice"),
        ("top_k: 2", "top_k: [", "cannot read YAML"),
    ],
)
def test_a_wrong_configuration_is_named_before_anything_is_written(old, new, named, tmp_path):
    text = PUBLISHED.read_text()
    assert text.count(old) >= 1
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=named) as caught:
        make_table(tmp_path, wrong)
    assert caught.value.context["file"] == wrong and not (tmp_path / "parameters.csv").exists()


def test_all_models_that_are_not_mixtures_have_one_expert_and_no_router():
    for path in PUBLISHED.parent.glob("*.yaml"):
        if path != PUBLISHED and "memory_gb" not in path.read_text():
            terms = configurations.parameter_terms(configurations.read(path))
            assert terms["router"] == 0 and terms["ffn"] > 0, path


def test_a_missing_configuration_and_one_that_is_no_mapping_are_data_errors(tmp_path):
    with pytest.raises(DataError, match="cannot read YAML"):
        configurations.read(tmp_path / "absent.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(DataError):
        configurations.read(tmp_path / "list.yaml")


@pytest.mark.parametrize("content", ["{}", "[]", '{"vocabulary_size": 0}', '{"vocabulary_size": "64"}', "no JSON"])
def test_other_information_than_a_corpus_is_an_artefact_error(content, tmp_path):
    (tmp_path / "info.json").write_text(content)
    with pytest.raises(ArtefactError, match="info.json"):
        parameters.read_vocabulary_size(tmp_path / "info.json")


def test_the_chart_is_the_same_bytes_twice(tmp_path):
    table = make_table(tmp_path)
    assert draw("mixtral", "parameters", [table], tmp_path) == draw("mixtral", "parameters", [table], tmp_path)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("attention_k,shared,134217728,", "attention_k,shared,134217729,", "sum of the terms"),
        ("head,shared,131072000,131072000", "head,shared,131072000,131071999", "identity|sum"),
        ("mixtral_8x7b,all,all", "mixtral_8x7b,everything,all", "lacks the sum"),
        ("mixtral_8x7b,attention_k", "mixtral_8x7b,attention_q", "a term twice"),
        ("with_one_expert", "with_two_experts", "with_one_expert"),
    ],
)
def test_a_table_that_breaks_an_identity_is_not_drawn(old, new, message, tmp_path):
    table = make_table(tmp_path)
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))
    with pytest.raises(ArtefactError, match=message):
        draw("mixtral", "parameters", [table], tmp_path)
    assert not (tmp_path / "chart.svg").exists()
