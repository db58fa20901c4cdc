"""Published models: counts against tensors, modules and published totals; files that are not what they should be."""

from pathlib import Path

import pytest
import torch
import yaml

from figures_helpers import run
from postproof.core import settings, tables
from postproof.core.errors import DataError
from postproof.published import configurations, kv_cache
from postproof.published.settings import PublicModels

FOLDER = Path(__file__).parents[3] / "data/configurations"
DEVICE = FOLDER / "a100_80gb.yaml"
# As the model cards and repositories count them.
PUBLISHED_PARAMETERS = {
    "gpt2_xl": 1_557_611_200,
    "llama1_65b": 65_285_660_672,
    "llama2_7b": 6_738_415_616,
    "llama2_13b": 13_015_864_320,
    "llama2_34b": 33_743_970_304,
    "llama2_70b": 68_976_648_192,
    "mistral_7b": 7_241_732_096,
    "llama3_8b": 8_030_261_248,
    "llama3_70b": 70_553_706_496,
    "llama3_405b": 405_853_388_800,
    "gemma2_9b": 9_241_705_984,
    "gemma2_27b": 27_227_128_320,
    "phi3_medium": 13_960_238_080,
    "qwen2_5_7b": 7_615_616_512,
    "llama3_0_8b": 8_030_261_248,
    "phi3_mini": 3_821_079_552,
    "gemma_7b": 8_537_680_896,
    "falcon_180b": 179_522_565_120,
}
PATHS = [FOLDER / f"{name}.yaml" for name in PUBLISHED_PARAMETERS]
ALL = configurations.read_all(PATHS)


@pytest.mark.parametrize("name", PUBLISHED_PARAMETERS)
def test_configurations_give_the_published_number_of_parameters(name):
    assert ALL[name].name == name
    assert configurations.parameters(ALL[name]) == PUBLISHED_PARAMETERS[name]


@pytest.mark.parametrize("name, kv_heads", [("llama2_70b", 8), ("llama2_70b", 64), ("gpt2_xl", 25)])
def test_formulas_agree_with_the_models_of_transformers(name, kv_heads):
    transformers = pytest.importorskip("transformers")
    c = ALL[name]
    with torch.device("meta"):
        if name == "gpt2_xl":
            model = transformers.GPT2LMHeadModel(
                transformers.GPT2Config(n_embd=c.hidden_size, n_layer=c.layers, n_head=c.heads)
            )
        else:
            model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
                vocab_size=c.vocabulary, hidden_size=c.hidden_size, intermediate_size=c.ffn_size,
                num_hidden_layers=c.layers, num_attention_heads=c.heads, num_key_value_heads=kv_heads,
            ))  # fmt: skip
    ours = c if kv_heads == c.kv_heads else kv_cache.with_kv_heads(c, "mha")
    assert configurations.parameters(ours) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "change, words",
    [
        ({"kv_heads": 7}, "kv_heads"),
        ({"head_dim": 127}, "even"),
        ({"layers": 0}, "layers"),
        ({"layers": True}, "layers"),
        ({"norm": "batchnorm"}, "rmsnorm"),
        ({"rope_base": 1}, "rope_base"),
        ({"rope_base": 1e4}, "rope_base"),
        ({"source": " "}, "source"),
        ({"tied_embeddings": 0}, "tied_embeddings"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_configuration_is_refused_by_name(tmp_path, change, words):
    content = yaml.safe_load((FOLDER / "llama2_70b.yaml").read_text()) | change
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(DataError) as refused:
        configurations.read(path)
    assert words in str(refused.value) and "bad.yaml" in str(refused.value)


def test_missing_broken_double_and_wrong_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        configurations.read(tmp_path / "none.yaml")
    (tmp_path / "twice.yaml").write_text("name: a\nname: b\n")
    with pytest.raises(DataError, match="cannot read"):
        configurations.read(tmp_path / "twice.yaml")
    with pytest.raises(DataError, match="not the keys"):
        configurations.read(DEVICE)
    with pytest.raises(DataError, match="two files"):
        configurations.read_all([PATHS[0], PATHS[0]])
    with pytest.raises(DataError, match="llama2_70b"):
        configurations.choose({name: ALL[name] for name in ("gpt2_xl", "llama2_7b")}, "llama2_70b")
    (tmp_path / "device.yaml").write_text(DEVICE.read_text().replace("2039", "-1"))
    with pytest.raises(DataError, match="memory_gb_per_s"):
        configurations.read_device(tmp_path / "device.yaml")


COMPARED = kv_cache.compared(ALL["llama2_70b"], [ALL["gpt2_xl"], ALL["llama2_7b"]])


@pytest.mark.parametrize("model", COMPARED, ids=lambda model: model.name)
def test_formula_counts_the_bytes_of_the_tensors(model):
    shape = (3, model.kv_heads, 128, model.head_dim)
    cache = [torch.empty(shape, dtype=torch.float16, device="meta") for _ in range(2 * model.layers)]
    assert kv_cache.kv_bytes(model, 3, 128) == sum(tensor.nbytes for tensor in cache)
    assert kv_cache.tensor_bytes(model, 3, 128) == [tensor.nbytes for tensor in cache]


def test_cache_shrinks_as_kv_heads_do_and_is_blind_to_query_heads():
    model = ALL["llama2_70b"]
    sizes = {kind: kv_cache.kv_bytes(kv_cache.with_kv_heads(model, kind), 2, 100) for kind in ("mha", "gqa", "mqa")}
    assert sizes["mha"] == 8 * sizes["gqa"] == 64 * sizes["mqa"]
    assert kv_cache.with_kv_heads(model, "gqa") is model
    assert [kv_cache.attention(kv_cache.with_kv_heads(model, kind)) for kind in sizes] == list(sizes)


def test_the_models_compared_are_the_others_and_one_with_other_kv_heads():
    assert [model.name for model in COMPARED] == [
        "gpt2_xl",
        "llama2_7b",
        "llama2_70b",
        "llama2_70b_mqa",
        "llama2_70b_mha",
    ]


def test_the_table_of_public_models_has_them_in_the_order_given(tmp_path):
    out = tmp_path / "public_models.csv"
    run("published.public_models", ["--configurations", *reversed(PATHS), "--out", out])
    table = tables.read(out, "published/public_models")
    assert list(table["model"]) == list(reversed(PUBLISHED_PARAMETERS))
    assert dict(zip(table["model"], table["parameters"])) == PUBLISHED_PARAMETERS


def test_a_section_that_names_a_model_without_a_file_is_refused_by_name():
    models = settings.build(PublicModels, {"models": ["gpt2_xl", "gpt5"]})
    wrong = [relation for relation in settings.all_relations(models, "here.") if not relation.holds]
    assert [(relation.key, relation.value, relation.what) for relation in wrong] == [
        ("here.models", "gpt5", "no such file")
    ]
