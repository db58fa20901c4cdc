"""Charts of measurements: they draw what the measurements write, on one machine or several, and nothing that is off."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from figures_helpers import draw, store_measured
from postproof import cli
from postproof.charts import on_machines
from postproof.core.errors import ArtefactError
from postproof.measuring.timing import Budget
from postproof.mixtral.figures import moe_step, race_wall
from postproof.mixtral.measuring import latency_by_length as measuring_latency
from postproof.mixtral.measuring import moe_step as measuring_step
from postproof.mixtral.measuring import posted
from postproof.mixtral.measuring import race_wall as measuring_race

STEMS = ["latency_by_length", "moe_step", "race_wall"]
CPU = torch.device("cpu")


def latency() -> pd.DataFrame:
    rows = []
    for factor, variant in enumerate(["dense", "ours", "loop"], start=1):
        for low, high in [(8, 16), (17, 32)]:
            seconds = np.array([1, 2, 4, 1.5, 5]) * factor * high * 1e-4
            rows.append([variant, low, high, *seconds, 40, ""])
    columns = "variant tokens_from tokens_to p50_seconds p95_seconds p99_seconds mean_seconds max_seconds repeats note"
    return pd.DataFrame(rows, columns=columns.split())


def step(sizes=("posted", "large"), batch: int = 16) -> pd.DataFrame:
    """Eager and compiled; on this machine there are no CUDA graphs and no grouped products."""
    rows = []
    for size in sizes:
        precision, attention = moe_step.SIZES[size]
        for launch in ["eager", "compiled", "graph"]:
            for factor, variant in enumerate(["dense", "ours", "loop", "grouped"], start=1):
                note = "not here" if launch == "graph" or variant == "grouped" else ""
                median = None if note else factor * (0.01 if launch == "eager" else 0.008)
                quartiles = [None, None] if note else [0.9 * median, 1.2 * median]
                labels = [variant, launch, size, precision, attention, "step"]
                flops = 1000 if variant == "dense" else 400
                rows.append([*labels, 192, batch, 96 * batch, flops, median, *quartiles, note])
    columns = "variant launch size precision attention what d_model batch tokens flops"
    return pd.DataFrame(rows, columns=[*columns.split(), "median_seconds", "p25_seconds", "p75_seconds", "note"])


def race() -> pd.DataFrame:
    """Warm runs of dense take 10, 11 and 12 seconds, 6 of each in evaluations; others in proportion."""
    rows = []
    for factor, variant in enumerate(["dense", "ours", "loop"], start=1):
        for run, seconds in enumerate([20, 12, 10, 11]):
            parts = [0.5 * factor, (seconds - 7) * factor, 6 * factor]
            rows.append([variant, run, 12 * factor, 10, 30, 1e9, seconds * factor, *parts, 4, ""])
    columns = "variant run steps evaluations val_batches flops wall_seconds setup_seconds training_seconds"
    return pd.DataFrame(rows, columns=[*columns.split(), "evaluation_seconds", "repeats", "note"])


TABLES = {"latency_by_length": latency, "moe_step": step, "race_wall": race}


# What a chart draws of the post beside what was measured.
POSTED = {"posted_race": Path(__file__).parents[3] / "data/posted/mixtral/race.csv"}


@pytest.mark.parametrize("stem", STEMS)
def test_a_measured_figure_is_the_same_bytes_for_any_order_of_machines(stem, tmp_path):
    one, other = (store_measured(tmp_path, TABLES[stem](), machine) for machine in ("a-laptop", "b-gpu"))
    before = draw("mixtral", stem, POSTED, tmp_path, [one, other])
    assert draw("mixtral", stem, POSTED, tmp_path, [other, one]) == before and b"<dc:date>" not in before[0]


@pytest.mark.parametrize("stem", STEMS)
def test_one_machine_and_what_it_can_run_are_enough(stem, tmp_path):
    table = TABLES[stem]()
    table.loc[table["variant"] == "loop", [column for column in table if column.endswith("_seconds")]] = None
    table.loc[table["variant"] == "loop", "note"] = "out of memory"
    svg, _ = draw("mixtral", stem, POSTED, tmp_path, [store_measured(tmp_path, table, tiny=True)])
    assert svg.rstrip().endswith(b"</svg>")


def test_machines_may_have_different_sizes(tmp_path):
    paths = store_measured(tmp_path, step(["posted"]), "a-laptop"), store_measured(tmp_path, step(["large"]), "b-gpu")
    assert draw("mixtral", "moe_step", {}, tmp_path, paths)


def test_the_heading_names_device_threads_and_day_and_warns_of_a_smoke_test(tmp_path):
    path = store_measured(tmp_path, latency(), device_name="Some Long Accelerator Name", threads=1, tiny=True)
    heading = on_machines.read(path, ["variant"], ["p50_seconds"]).heading(24)
    lines = heading.splitlines()
    assert " ".join(lines[:-1]) == "Some Long Accelerator Name, 1 CPU thread, 2026-03-04"
    assert max(map(len, lines[:-1])) <= 24 and lines[-1].startswith("SMOKE TEST")


# The numbers that are drawn


def test_steps_are_relative_to_dense_launched_alike(tmp_path):
    machine = on_machines.read(store_measured(tmp_path, step()), moe_step.LABELS, moe_step.SECONDS)
    ratios = moe_step.steps(machine, "posted").set_index(["variant", "launch"])
    for launch in ("eager", "compiled"):
        np.testing.assert_allclose(ratios.loc[("ours", launch), ["ratio", "low", "high"]].astype(float), [2, 1.8, 2.4])
    assert set(ratios.index.get_level_values("variant")) == {"dense", "ours", "loop"}
    without_dense = dataclasses.replace(machine, table=machine.table.query("variant != 'dense'"))
    assert moe_step.steps(without_dense, "posted").empty


def test_of_several_batches_the_smallest_is_drawn(tmp_path):
    cut_short = step(["large"], batch=64)
    cut_short.loc[cut_short["variant"] == "dense", "note"] = "out of memory"
    table = pd.concat([cut_short, step(["large"], batch=32)])
    drawn = moe_step.steps(on_machines.read(store_measured(tmp_path, table), moe_step.LABELS, ["batch"]), "large")
    assert set(drawn["batch"]) == {32} and "dense" in set(drawn["variant"])


def test_race_medians_are_of_warm_runs_and_evaluations_are_taken_off(tmp_path):
    medians = race_wall.warm_medians(race())
    assert medians.loc["dense", ["wall_seconds", "without_evaluation_seconds"]].tolist() == [11, 5]
    assert (medians.loc["loop"] / medians.loc["dense"]).tolist() == [3] * 5


# What the measurements write is what the charts read


def test_charts_draw_what_the_measurements_write(tmp_path):
    sizes, settings, _ = posted.race(tiny=True)
    group = dataclasses.replace(measuring_step.GROUPS[0], variants={"eager": ("dense", "ours")})
    steps = measuring_step.measure_group(group, sizes, 2, settings.learning_rate, CPU, Budget(60), tiny=True)
    races = [row for variant in ("dense", "ours") for row in measuring_race.races(variant, "cpu", True, 2)]
    tables = {
        "latency_by_length": measuring_latency.measure(CPU, tiny=True),
        "moe_step": pd.DataFrame(steps),
        "race_wall": pd.DataFrame(races),
    }
    for stem, table in tables.items():
        assert draw("mixtral", stem, POSTED, tmp_path, [store_measured(tmp_path, table)]), stem


# Bad input


def swap(one: str, other: str):
    return lambda table: table.assign(**{one: table[other], other: table[one]})


def first(**cells):
    """Cells of the first rows, by column."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        for column, values in cells.items():
            table.loc[: len(values) - 1, column] = values
        return table

    return change


@pytest.mark.parametrize(
    "stem, spoil, message",
    [
        ("latency_by_length", swap("p50_seconds", "p99_seconds"), "P50 <= P95 <= P99 <= max"),
        ("latency_by_length", first(variant=["other"]), "variants are known"),
        ("latency_by_length", first(tokens_from=[17]), "each bucket once"),
        ("latency_by_length", first(p50_seconds=[-1.0]), "no proper number"),
        ("moe_step", swap("p25_seconds", "p75_seconds"), "quartile"),
        ("moe_step", first(flops=[1000, 401]), "same FLOPs"),
        ("moe_step", first(variant=["other"]), "variants are known"),
        ("moe_step", first(variant=["dense", "dense"]), "stands once"),
        ("race_wall", first(wall_seconds=[3]), "fit into the wall time"),
        ("race_wall", first(steps=[13]), "same steps"),
        ("race_wall", first(run=[1]), "count from 0"),
        ("race_wall", lambda table: table.drop(index=[1, 2, 3]), "has a warm run"),
        ("race_wall", lambda table: table.drop(index=[0, 1, 2, 3]), "dense is among them"),
    ],
)
def test_a_measured_table_that_breaks_an_identity_is_not_drawn(stem, spoil, message, tmp_path):
    path = store_measured(tmp_path, spoil(TABLES[stem]()))
    with pytest.raises(ArtefactError) as caught:
        draw("mixtral", stem, POSTED, tmp_path, [path])
    assert message in str(caught.value) and caught.value.context["file"] == path
    assert not (tmp_path / "chart.svg").exists()


def test_a_number_that_is_missing_without_a_note_is_named(tmp_path):
    table = latency()
    table.loc[2, "p95_seconds"] = None
    with pytest.raises(ArtefactError, match="no proper number") as caught:
        on_machines.read(store_measured(tmp_path, table), ["variant"], ["p50_seconds", "p95_seconds"])
    assert caught.value.context["column"] == "p95_seconds"


def test_only_notes_are_nothing_to_draw(tmp_path):
    with pytest.raises(ArtefactError, match="only notes"):
        on_machines.read(store_measured(tmp_path, latency().assign(note="out of memory")), ["variant"], ["p50_seconds"])


def test_no_dense_step_is_nothing_to_compare_with(tmp_path):
    with pytest.raises(ArtefactError, match="no machine has a dense step"):
        draw("mixtral", "moe_step", {}, tmp_path, [store_measured(tmp_path, step().query("variant != 'dense'"))])


@pytest.mark.parametrize(
    "about", ['{"machine": "other"}', '{"machine": "a-laptop"}', "[]", "{", '{"machine": "a-laptop", "tiny": 1']
)
def test_provenance_that_is_missing_or_anothers_is_an_error(about, tmp_path):
    path = store_measured(tmp_path, latency())
    path.with_suffix(".json").write_text(about)
    with pytest.raises(ArtefactError) as caught:
        on_machines.read(path, ["variant"], ["p50_seconds"])
    assert Path(caught.value.context["file"]).suffix == ".json"


def test_a_table_and_the_provenance_of_another_are_no_pair(tmp_path):
    """As where a measurement was killed after one of the two had taken its place, or a table was edited by hand."""
    path = store_measured(tmp_path, latency())
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ArtefactError, match="not the one that this was written for"):
        on_machines.read(path, ["variant"], ["p50_seconds"])


def test_a_machine_is_given_once(tmp_path):
    one, other = store_measured(tmp_path, latency()), store_measured(tmp_path / "elsewhere", latency())
    with pytest.raises(ArtefactError, match="twice"):
        on_machines.read_all([one, other], ["variant"], [])


def test_the_stored_provenance_is_what_measure_writes(tmp_path):
    to = ["--machine", "here", "--out", f"{tmp_path}/{{name}}/{{machine}}.csv"]
    assert cli.main(["--mode", "fast", "measure", "latency_by_length", "--tiny", *to]) == 0
    table = tmp_path / "latency_by_length/here.csv"
    assert on_machines.read(table, ["variant"], ["p50_seconds"]).tiny
    assert json.loads(table.with_suffix(".json").read_text())["machine"] == "here"
    assert draw("mixtral", "latency_by_length", {}, tmp_path, [table])
