"""Charts: the same bytes twice, no trace of time or machine, and identities checked before drawing."""

import importlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from figures_helpers import draw, tables_of
from postproof.charts.palette import POSTED
from postproof.core.errors import ArtefactError
from postproof.mixtral import isoflop_metrics, posted_gap, race_metrics, reruns, router_metrics, router_quality
from postproof.mixtral.figures import race_matched_axes
from postproof.mixtral.looks import LOOKS, MEASURED_AS

ROOT = Path(__file__).parents[3]
ROUTER_TABLES = ["router_balance", "router_by_layer", "expert_usage"]
AS_RUN = {f"{table}_as_run": table for table in ("race", *ROUTER_TABLES)}
# What the fixtures below make; charts of other tables have tests beside the jobs that make these.
TABLES = {"race", "race_matched_axes", "parameters", "isoflop", "isoflop_gap", *ROUTER_TABLES}
TABLES |= {*AS_RUN, "race_reruns", "router_balance_reruns", "isoflop_as_run", "isoflop_gap_as_run"}
TABLES |= {"posted_race", "race_posted_gap", "race_as_run_matched_axes", "router_quality", "router_quality_by_seed"}


def charts() -> dict[str, object]:
    folder = ROOT / "src/postproof/mixtral/figures"
    modules = {
        path.stem: importlib.import_module(f"postproof.mixtral.figures.{path.stem}") for path in folder.glob("*.py")
    }
    return {stem: module for stem, module in sorted(modules.items()) if hasattr(module, "main")}


STEMS = [stem for stem in charts() if tables_of("mixtral", stem) and set(tables_of("mixtral", stem)) <= TABLES]


def race(seeds=(1, 2, 3)) -> pd.DataFrame:
    rows = []
    for arm, flops, steps in [("dense", 20, range(1, 6)), ("moe", 10, range(2, 12, 2))]:
        for seed in seeds:
            for protocol in ("as_posted", "fixed_windows"):
                for step in steps:
                    loss = 4 - 0.1 * step + 0.01 * seed
                    rows.append([arm, seed, protocol, step, step * flops, step * 8, loss, loss, np.exp(loss)])
    columns = "arm seed protocol step cumulative_flops tokens_seen train_loss val_loss val_perplexity"
    return pd.DataFrame(rows, columns=columns.split())


def parameters(seeds) -> pd.DataFrame:
    rows = [[model, "all", "all", 40, 20, 10, 80] for model in ("mixtral_8x7b", "race_dense", "race_moe")]
    rows += [[model, "experts", "experts", 30, 10, 5, 60] for model, *_ in rows]
    rows += [[model, "head", "shared", 10, 10, 5, 20] for model, *_ in rows[:3]]
    return pd.DataFrame(rows, columns="model term group total active with_one_expert bytes_16bit".split())


def router_runs(seeds) -> dict[str, pd.DataFrame]:
    """Made by the metrics' own code from random choices of four experts in two layers."""
    layers, usage, balance = {}, {}, {}
    rng = np.random.default_rng(0)
    for arm in ("no_aux", "with_aux", "with_aux_by_layer"):
        for seed in seeds:
            steps, run = [0, 5, 10], f"{arm}-seed{seed}"
            routing = {
                "choices_CLKVE": rng.integers(1, 30, (3, 2, 2, 6, 4)),
                "probability_CLE": rng.dirichlet(np.ones(4), (3, 2)),
                "aux_loss_CL": rng.uniform(1, 1.5, (3, 2)),
                "aux_loss_pooled_C1": rng.uniform(1, 1.5, (3, 1)),
                "aux_loss_last_C1": rng.uniform(1, 1.5, (3, 1)),
            }
            layers[run] = router_metrics.by_layer(steps, routing)
            usage[run] = router_metrics.expert_usage(steps, routing)
            loss = pd.DataFrame({"step": steps[1:], "train_loss": [3.0, 2.5]})
            loss = loss.assign(val_loss=rng.uniform(2, 3, 2))
            perplexity = np.exp(loss["val_loss"])
            loss = loss.assign(val_perplexity=perplexity, val_perplexity_fixed_windows=perplexity + 0.1)
            balance[run] = loss.merge(router_metrics.pooled(layers[run], steps, routing), on="step")
    tables = dict(zip(ROUTER_TABLES, (balance, layers, usage)))
    own = {name: router_metrics.by_protocol(runs, ["paired", "by_layer"]) for name, runs in tables.items()}
    return own | {f"{name}_as_run": router_metrics.by_protocol(runs, ["as_run"]) for name, runs in tables.items()}


def isoflop(seeds) -> pd.DataFrame:
    rows = []
    for width in (16, 32):
        for arm, loss in [("dense", 3.0), ("moe", 2.5)]:
            for seed in seeds:
                for budget in (1e6, 1e7):
                    value = loss - 0.1 * np.log10(budget) + 0.03 * seed * (arm == "moe")
                    flops, step = budget + 10, budget // 10 + 1
                    rows.append([width, arm, seed, budget, step, flops, value, np.exp(value)])
    columns = "width arm seed budget_flops step cumulative_flops val_loss val_perplexity"
    return pd.DataFrame(rows, columns=columns.split())


def made(seeds) -> dict[str, pd.DataFrame]:
    points = isoflop(seeds)
    made = {"race": race(seeds), "parameters": parameters(seeds), "isoflop": points}
    made["race_matched_axes"] = race_metrics.matched_axes(made["race"])
    made["race_as_run"] = made["race"]
    made |= router_runs(seeds)
    race_as_run = made["race_as_run"].query("protocol == 'as_posted'")
    made["race_reruns"] = posted_and_rerun(race_as_run, min(seeds), reruns.RACE)
    made["router_balance_reruns"] = posted_and_rerun(made["router_balance_as_run"], min(seeds), reruns.BALANCE)
    made["race_as_run_matched_axes"] = made["race_matched_axes"]
    made["posted_race"] = posted_race(race_as_run, min(seeds))
    equal = pd.DataFrame({"cumulative_flops": [40, 100], "dense_val_perplexity": [40.0, 30.0]})
    made["race_posted_gap"] = posted_gap.gaps(equal.assign(moe_val_perplexity=equal["dense_val_perplexity"] - 5))
    texts = {"posted": made["router_balance_as_run"], "params": made["router_balance"]}
    made["router_quality_by_seed"] = router_quality.by_seed(texts)
    made["router_quality"] = router_quality.over_seeds(made["router_quality_by_seed"], posted=0.1)
    gaps = isoflop_metrics.gaps(points)
    return made | {"isoflop_gap": gaps, "isoflop_as_run": points, "isoflop_gap_as_run": gaps}


def posted_race(ours: pd.DataFrame, seed: int) -> pd.DataFrame:
    """As if the author had our run, the MoE's slower."""
    posted = ours[ours["seed"] == seed].assign(model=ours["arm"].map({"dense": "Dense", "moe": "MoE"}))
    posted = posted.assign(wall_seconds=posted["step"] * posted["arm"].map({"dense": 0.1, "moe": 2.0}))
    columns = "model cumulative_flops step tokens_seen train_loss val_perplexity wall_seconds"
    return posted[columns.split()].reset_index(drop=True)


def posted_and_rerun(ours: pd.DataFrame, seed: int, columns: dict[str, str]) -> pd.DataFrame:
    """As if the post had our run, all numbers a thousandth higher."""
    posted = ours.loc[ours["seed"] == seed, ["arm", "step", *columns.values()]]
    posted = posted.rename(columns={own: name for name, own in columns.items()})
    posted = posted.assign(**{name: posted[name] * 1.001 for name in columns if name not in reruns.COUNTED})
    return reruns.side_by_side(posted, ours, seed, columns)


@pytest.mark.parametrize("stem", STEMS)
def test_a_figure_is_the_same_bytes_twice_and_carries_no_date_or_version(stem, tmp_path):
    tables = made((1, 2, 3))
    svg, png = draw("mixtral", stem, tables, tmp_path)
    assert [svg, png] == draw("mixtral", stem, tables, tmp_path)
    assert b"<dc:date>" not in svg and b"matplotlib.org" not in svg and b"Software" not in png


@pytest.mark.parametrize("stem", STEMS)
def test_one_seed_is_enough_to_draw(stem, tmp_path):
    svg, _ = draw("mixtral", stem, made([1]), tmp_path)
    assert svg.rstrip().endswith(b"</svg>")


@pytest.mark.parametrize(
    "stem, table, column, message",
    [
        ("race_val_perplexity", "race_as_run", "val_perplexity", "perplexity is exp"),
        ("race_train_loss", "race_as_run", "val_perplexity", "perplexity is exp"),
        ("router_entropy", "router_balance_as_run", "val_perplexity", "perplexity is exp"),
        ("router_by_layer", "router_by_layer", "busiest_share", "busiest share is at least"),
        ("expert_usage", "expert_usage", "share", "shares of a layer sum to 1"),
        ("isoflop_gap", "isoflop_gap", "gap_nats", "the gap is the mean"),
        ("race_matched_axes", "race_as_run_matched_axes", "gap", "gap is dense minus MoE"),
        ("router_quality", "router_quality", "difference_mean", "mean is that of the seeds"),
        ("router_quality", "router_quality_by_seed", "difference", "mean is that of the seeds"),
    ],
)
def test_a_table_that_breaks_an_identity_is_not_drawn(stem, table, column, message, tmp_path):
    tables = made((1, 2, 3))
    whole = tables[table]
    tables[table] = whole.assign(**{column: whole[column].where(whole.index != 1, whole[column] * 0.3)})
    with pytest.raises(ArtefactError, match=message):
        draw("mixtral", stem, tables, tmp_path)
    assert not (tmp_path / "chart.svg").exists()
    tables[table] = whole.drop(columns=column)
    with pytest.raises(ArtefactError, match=f"lacks column {column}"):
        draw("mixtral", stem, tables, tmp_path)


def test_the_gap_is_taken_where_both_arms_have_been():
    table = race()
    gaps = race_metrics.matched_axes(table).set_index(["protocol", "held_equal"])["gap"]
    assert race_matched_axes.common_end(table, "cumulative_flops") == 100
    assert gaps["as_posted", "cumulative_flops"] > 0, "at equal FLOPs the arm with more steps is ahead"
    assert race_matched_axes.common_end(table, "step") == 5
    assert gaps["as_posted", "step"] == pytest.approx(0, abs=0.3), "at equal steps they are level, but for the chord"


def test_variants_differ_in_colour_and_in_grey():
    def grey(colour: str) -> float:
        red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    def contrast(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)

    for one, other in [("dense", "moe"), ("dense", "loop"), ("no_aux", "with_aux")]:
        assert abs(grey(LOOKS[one].colour) - grey(LOOKS[other].colour)) > 0.1
    lines = [look for look in LOOKS.values() if look.marker or look.line != "-"]
    assert min(contrast(look.colour) for look in [*lines, POSTED]) > 3
    assert POSTED.colour not in {look.colour for look in LOOKS.values()}
    assert set(MEASURED_AS.values()) <= set(LOOKS)


def test_every_chart_has_a_caption_and_colours_stand_in_the_looks_alone():
    for stem, module in charts().items():
        assert module.__doc__ and not module.__doc__.startswith("Chart:"), stem
    sources = "".join(path.read_text() for path in (ROOT / "src/postproof/mixtral").rglob("*.py"))
    assert not re.findall(r"#[0-9A-Fa-f]{6}", sources)
