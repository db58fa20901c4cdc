"""Caches of long contexts: counts against tensors that torch lays out, published totals, and bad settings."""

import argparse
import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from postproof.attention import kv_cache_loads
from postproof.core import files
from postproof.core.errors import DataError
from postproof.published import configurations

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "data/configurations"
NAMES = ("gpt2", "llama2_7b", "llama2_70b", "llama3_70b")
PATHS = [FOLDER / f"{name}.yaml" for name in NAMES]
SETTINGS = {"models": ["gpt2", "llama2_7b", "llama3_70b"], "contexts": [1, 1024, 131072], "users": [1, 10]}
KEY = ["model", "attention", "context", "users"]


def run(out: Path, changes: dict | None = None, paths: list[Path] = PATHS) -> pd.DataFrame:
    parser = argparse.ArgumentParser()
    kv_cache_loads.add_arguments(parser)
    settings = json.dumps(SETTINGS | (changes or {}))
    arguments = ["--configurations", *map(str, paths), "--settings", settings, "--out", str(out)]
    kv_cache_loads.main(parser.parse_args(arguments))
    return files.read_csv(out)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> pd.DataFrame:
    return run(tmp_path_factory.mktemp("tables") / "kv_cache_loads.csv")


@pytest.mark.parametrize(
    "name, published",
    [("gpt2", 124_439_808), ("gpt3", 175_000_000_000)],  # gpt2 as the repositories count it, gpt3 to three digits
)
def test_configurations_give_the_published_number_of_parameters(name, published):
    counted = configurations.parameters(configurations.read(FOLDER / f"{name}.yaml"))
    assert counted == published if name == "gpt2" else round(counted, -9) == published


def test_gpt2_has_the_parameters_of_the_model_of_transformers():
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    counted = configurations.parameters(configurations.read(FOLDER / "gpt2.yaml"))
    assert counted == sum(p.numel() for p in model.parameters())


def test_no_row_stands_twice(table):
    assert not table.duplicated(KEY).any()
    # gpt2 and the 7B have all their KV heads already: no second variant of theirs
    assert table.groupby("model")["attention"].nunique().to_dict() == {"gpt2": 1, "llama2_7b": 1, "llama3_70b": 2}
    assert (table[table["attention"] == "gqa"]["published"] == 1).all()


def test_bytes_are_those_of_tensors_laid_out_by_torch(table):
    for each in table.itertuples():
        shape = (each.users, each.kv_heads, each.context, each.head_dim)
        layer = sum(torch.empty(shape, dtype=torch.float16, device="meta").nbytes for _ in ("K", "V"))
        assert each.cache_bytes == layer * each.layers
        assert each.cache_bytes == each.token_bytes * each.context * each.users


def test_all_kv_heads_take_the_group_times_the_cache_and_more_weights(table):
    rows = {name: part.set_index(["context", "users"]) for name, part in table.groupby(["model", "attention"])}
    grouped, every = rows["llama3_70b", "gqa"], rows["llama3_70b", "mha"]
    group = grouped["heads"] / grouped["kv_heads"]
    assert (every["cache_bytes"] == group * grouped["cache_bytes"]).all()
    # K and V are two of the four projections: 2 x layers x width x (heads - KV heads) x head dimension more weights
    assert (every["weight_bytes"] - grouped["weight_bytes"] == 2 * (2 * 80 * 8192 * (64 - 8) * 128)).all()


def test_weights_and_cache_weigh_the_same_at_the_tokens_given(table):
    tokens = table["context"] * table["users"]
    ratio = table["cache_over_weights"] * table["tokens_that_weigh_as_much"] / tokens
    assert ((ratio - 1).abs() < 1e-7).all()


def test_contexts_beyond_the_released_one_are_marked(table):
    beyond = set(table[table["within_context"] == 0][["model", "context"]].itertuples(index=False, name=None))
    assert beyond == {("gpt2", 131072), ("llama2_7b", 131072)}


def test_it_is_the_same_bytes_each_time(tmp_path):
    run(tmp_path / "a.csv")
    run(tmp_path / "b.csv", paths=PATHS[::-1])
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_model_that_was_not_handed_over_is_refused(tmp_path):
    with pytest.raises(DataError, match="gpt3"):
        run(tmp_path / "out.csv", {"models": ["gpt3"]})
    assert not (tmp_path / "out.csv").exists()
