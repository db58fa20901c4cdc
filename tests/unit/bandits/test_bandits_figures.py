"""Every chart from tables of small settings: nothing cut off, the same bytes again, and broken tables refused."""

import json
from pathlib import Path

import pandas as pd
import pytest

import figures_helpers
from postproof.core import tables as core_tables
from postproof.core.errors import ArtefactError

ROOT = Path(__file__).parents[3]
TESTBED = {"seed": 1, "arms": 3, "problems": 4, "steps": 24, "reward_variance": 1, "windows_per_decade": 6}
AGENTS = {"small_epsilon": 0.01, "large_epsilon": 0.1, "step_size": 0.1, "optimistic_start": 5, "c": 2,
          "gradient_step_sizes": [0.1, 0.4], "gradient_mean": 4, "early_steps": 20}  # fmt: skip
CHANGES = {"drifting_problems": 4, "drifting_steps": 40, "walk_sd": 0.1, "switch_steps": 30, "rise": 1}
CONTEXTS = {"values": [[10, 20], [90, 80]], "contextual_variance": 0, "contextual_epsilon": 0.1,
            "contextual_start": 100, "contextual_windows": 5}  # fmt: skip
KIND = {"arms": 3, "problems": 4, "steps": 20, "reward_variance": 1, "walk_sd": 0, "value_sd": 1}
STUDY = {"kinds": {"testbed": KIND}, "epsilons": [0.25], "cs": [1, 2], "optimistic_starts": [1],
         "gradient_step_sizes": [0.5], "step_size": 0.1}  # fmt: skip
# Options of each job that makes tables, and the tables in the order of its outputs.
JOBS = {
    "testbed": ([TESTBED, {"values": [0.5, -1, 2], "draws": 500}], {"": "testbed", "-best": "testbed_best",
                "-possible": "testbed_possible"}),
    "epsilon_greedy": ([TESTBED, AGENTS, {"long_steps": 60}], {"": "epsilon_greedy", "-caps": "epsilon_greedy_caps",
                       "-crossing": "epsilon_greedy_crossing"}),
    "stationary": ([TESTBED, AGENTS], {"": "stationary", "-scores": "stationary_scores", "-duels": "stationary_duels",
                   "-tries": "optimistic_tries"}),
    "nonstationary": ([TESTBED, AGENTS, CHANGES], {"": "nonstationary", "-scores": "nonstationary_scores",
                      "-duels": "nonstationary_duels"}),
    "noise": ([TESTBED, {"variances": [0, 4], "epsilons": [0.1], "noise_problems": 4, "noise_steps": 30}],
              {"": "noise"}),
    "contextual": ([TESTBED, CONTEXTS], {"": "contextual", "-policies": "contextual_policies"}),
}  # fmt: skip
CHARTS = sorted(path.stem for path in (ROOT / "src/postproof/bandits/figures").glob("*.py")
                if path.stem not in ("__init__", "drawing"))  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("metrics")
    paths = {}
    for name, (sections, outputs) in JOBS.items():
        argv = ["--settings", *map(json.dumps, sections)]
        for option, table in outputs.items():
            paths[table] = folder / f"{table}.csv"
            argv += [f"--out{option}", paths[table]]
        figures_helpers.run(f"bandits.{name}", argv)
    paths |= {table: folder / f"{table}.csv" for table in ("parameter_study", "parameter_study_best")}
    figures_helpers.run("bandits.parameter_study", ["--testbed", json.dumps(TESTBED), "--settings", json.dumps(STUDY),
                        "--out", paths["parameter_study"], "--out-best", paths["parameter_study_best"]])  # fmt: skip
    posted = {f"posted_{path.stem}": path for path in (ROOT / "data/posted/bandits").glob("*.csv")}
    return paths | posted


def test_small_jobs_make_tables_of_their_schemas(tables):
    for name, path in tables.items():
        assert len(core_tables.read(path, f"bandits/{name}")), name


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_of_small_tables_is_whole(chart, tables, tmp_path):
    svg, png = figures_helpers.draw("bandits", chart, tables, tmp_path)
    assert svg.startswith(b"<?xml") and png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("chart", "table", "spoil"),
    [
        ("testbed", "testbed_best", lambda rows: rows.assign(share=rows["share"] / 2)),
        ("epsilon_greedy", "epsilon_greedy", lambda rows: rows[rows["agent"] != "greedy"]),
        ("optimistic", "optimistic_tries", lambda rows: rows.assign(share=rows["tries"] / 10)),
        ("ucb", "stationary", lambda rows: rows.drop(rows[rows["agent"] == "ucb"].index[1])),
        ("gradient", "stationary", lambda rows: rows.assign(first_step=rows["first_step"] + 1)),
        ("nonstationary", "nonstationary", lambda rows: rows[rows["agent"] != "ucb"]),
        ("noise", "noise", lambda rows: rows.assign(over_greedy=1.0)),
        ("contextual", "contextual_policies", lambda rows: rows.assign(expected=-rows["expected"])),
        ("parameter_study", "parameter_study_best", lambda rows: rows.assign(reward=rows["reward"] - 1)),
    ],
)
def test_a_table_that_breaks_an_identity_is_not_drawn(chart, table, spoil, tables, tmp_path):
    spoilt = {table: spoil(pd.read_csv(tables[table]))}
    with pytest.raises(ArtefactError, match="identity"):
        figures_helpers.draw("bandits", chart, {**tables, **spoilt}, tmp_path)
