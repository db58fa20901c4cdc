"""Validation perplexity of the dense and the MoE decoder over cumulative training FLOPs, on the post's text with its
draws: the post's checkpoints as crosses, the same run made again as a line, other seeds thin, one standard deviation of
single runs as a band. Both arms have the same number of parameters to within 0.5 %: the MoE's experts together are as
wide as the dense block, and a token uses a quarter of them.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.mixtral.figures import parameter_table, race_curves, rerun_marks

TABLES = ("mixtral/race_as_run", "mixtral/race_reruns", "mixtral/parameters")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    race_file, reruns_file, parameters_file = args.tables
    race = race_curves.read(race_file).query("protocol == 'as_posted'")
    parameters = parameter_table.read(parameters_file)
    reruns = tables.read(reruns_file, "mixtral/race_reruns")
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 5.0))
    rerun_marks.spread(axes, race, "cumulative_flops", "val_perplexity")
    rerun_marks.in_powers(axes, race_curves.FLOPS_LABEL, race["cumulative_flops"].max())
    axes.set(ylabel="validation perplexity")
    rerun_marks.draw(axes, reruns, "cumulative_flops", "val_perplexity")
    axes.legend(handles=[rerun_marks.posted_handle()])
    seeds = race["seed"].nunique()
    plotting.headed(
        figure,
        says(reruns, race),
        "Validation perplexity over cumulative training FLOPs. Lines: the post's run made again; thin lines "
        "and bands: "
        f"{rerun_marks.of_seeds(seeds)}, ± 1 sd of single runs. {sizes(parameters)}",
        plotting.source(TABLES[:2], "The post's text (TinyStories) and draws."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(reruns: pd.DataFrame, race: pd.DataFrame) -> str:
    """How far the MoE ends below, in the post, in the rerun and over all seeds; how near the rerun comes."""

    def lower(table: pd.DataFrame, column: str) -> pd.Series:
        ends = table.groupby("arm")[column].last()
        return 1 - ends["moe"] / ends["dense"]

    def apart(share: float, decimals: int = 0) -> str:
        return f"{percent(abs(share), decimals)} {'below' if share >= 0 else 'above'}"

    posted, rerun = (lower(reruns, f"val_perplexity_{source}") for source in ("posted", "rerun"))
    seeds = sorted(lower(runs, "val_perplexity") for _, runs in race.groupby("seed"))
    also = "and so is the run made again" if abs(posted - rerun) < 5e-4 else f"made again {apart(rerun, 1)}"
    if len(seeds) == 1:
        over = f"with one seed it is {apart(seeds[0])}"
    elif seeds[0] * seeds[-1] > 0:
        over = f"over {len(seeds)} seeds it is {percent(min(map(abs, seeds)))} to {percent(max(map(abs, seeds)))}"
    else:
        over = f"over {len(seeds)} seeds it lies from {apart(seeds[-1])} to {apart(seeds[0])}"
    return f"At their last checkpoints the post's MoE is {apart(posted, 1)} the dense model, {also}; {over}"


def sizes(parameters: pd.DataFrame) -> str:
    """What "total parameters" means in the race, in a line."""
    all_terms = parameters.xs("all", level="term")
    dense, moe = all_terms.loc["race_dense"], all_terms.loc["race_moe"]
    held = f"{dense['total']:,.0f} dense, {moe['total']:,.0f} MoE"
    return f"Parameters: {held}, of which {moe['active']:,.0f} work for a token."
