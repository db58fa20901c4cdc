"""The section `mixtral` of params.yaml: it is what its classes say, and what does not fit together is named."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from postproof.core import settings
from postproof.mixtral.settings import IsoflopSettings, ModelSizes, Params, RaceSettings, RouterBalanceSettings

ROOT = Path(__file__).parents[3]
SECTION = yaml.safe_load((ROOT / "params.yaml").read_text())["mixtral"]


def broken(section: dict, folder: Path, monkeypatch) -> list[str]:
    """Keys of the relations that do not hold."""
    monkeypatch.chdir(folder)
    built = settings.build(Params, section)
    return [relation.key for relation in settings.all_relations(built) if not relation.holds]


def test_the_section_is_of_its_schema_and_fits_together(monkeypatch):
    jsonschema.validate(SECTION, settings.schema(Params))
    assert broken(SECTION, ROOT, monkeypatch) == []


@pytest.mark.parametrize(
    "path, value, key",
    [
        ("corpus.source", "data/raw/absent.txt", "corpus.source"),
        ("corpus.characters", 300, "model.sequence"),
        ("full.characters", 300, "model.sequence"),
        ("model.heads", 5, "model.d_model"),
        ("model.top_k", 9, "model.top_k"),
        ("worked_token.logits", [1.0], "model.top_k"),
        ("race.posted_seed", 6, "race.posted_seed"),
        ("race.training.checkpoint_flops", 1e12, "race.training.checkpoint_flops"),
        ("router_balance.training.checkpoint_steps", 301, "router_balance.training.checkpoint_steps"),
        ("telemetry.devices", [2, 3], "telemetry.devices"),
        ("isoflop.widths", [192, 200], "isoflop.widths"),
        ("full.widths", [16], "full.widths"),
    ],
)
def test_values_that_do_not_fit_together_are_named(path, value, key, monkeypatch):
    section = copy.deepcopy(SECTION)
    *above, last = path.split(".")
    part = section
    for name in above:
        part = part[name]
    part[last] = value
    jsonschema.validate(section, settings.schema(Params))
    assert set(broken(section, ROOT, monkeypatch)) == {key}


def test_a_text_of_the_users_own_may_stand_in_place_of_a_fetched_one(tmp_path, monkeypatch):
    (tmp_path / "mine.txt").write_text("text")
    section = SECTION | {"corpus": SECTION["corpus"] | {"source": "mine.txt"}}
    assert broken(section, tmp_path, monkeypatch) == []


def test_every_training_is_made_of_the_one_optimiser_and_a_section_of_its_own():
    optimiser = json.dumps(SECTION["optimiser"])
    for cls, experiment in [(RaceSettings, "race"), (RouterBalanceSettings, "router_balance")]:
        training = SECTION[experiment]["training"]
        assert not training.keys() & SECTION["optimiser"].keys()
        built = settings.parse(cls, optimiser, json.dumps(training))
        assert (built.batch, built.learning_rate) == tuple(SECTION["optimiser"].values())


def test_the_sweep_goes_on_where_the_race_ends():
    """Its first point is the race's last, so the chart of the gap starts at the posted budget."""
    race = settings.parse(RaceSettings, json.dumps(SECTION["optimiser"]), json.dumps(SECTION["race"]["training"]))
    budgets = tuple(times * race.budget_flops for times in SECTION["isoflop"]["budgets"])
    sweep = IsoflopSettings(race.batch, race.learning_rate, budgets)
    flops_per_step = 17_326_669_824
    assert sweep.checkpoints(flops_per_step)[0] == race.checkpoints(flops_per_step)[-1]


@pytest.mark.parametrize("width", [32, 96, 192, 768])
def test_a_scaled_model_keeps_the_size_of_its_heads_and_its_proportions(width):
    sizes = ModelSizes(d_model=192, heads=6, layers=3, sequence=96, dense_ffn=768, experts=8, expert_ffn=96, top_k=2)
    wide = sizes.scaled(width)
    assert width % sizes.width_step == 0
    assert wide.d_model // wide.heads == 32 and wide.dense_ffn == 4 * width and 2 * wide.expert_ffn == width
    assert (wide.layers, wide.sequence, wide.experts, wide.top_k) == (3, 96, 8, 2)
