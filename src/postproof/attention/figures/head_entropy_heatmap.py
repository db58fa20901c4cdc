"""Mean attention entropy of every head by layer: the post's heatmap of GPT-2 small, and one model of ours, under the
posted protocol and over real tokens alone. One scale for all; light is sharp, dark is diffuse, as in the post.

The first model of the table is the one to be drawn.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.attention.looks import MODELS, model_name
from postproof.charts import palette, plotting
from postproof.charts.palette import POSTED
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("attention/heads", "attention/head_limits", "attention/posted_head_entropy_heatmap")
PROTOCOLS = {"as_posted": "padded, all rows,\nas in the post", "real_tokens": "rows of\nreal tokens"}
POSTED_MODEL = "gpt2"
SHARP_NATS = 0.5  # below it a head is counted as sharp


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    heads, limits, posted = tables.read_all(args.tables, TABLES)
    model = heads["model"].iloc[0]
    heads = heads[heads["model"] == model]
    limits = limits[limits["model"] == model].set_index("protocol")
    check(heads, limits["entropy_limit"], args.tables[0])
    check_posted(posted, args.tables[2])
    posted_grid = posted.pivot(index="layer", columns="head", values="entropy_nats")
    grids = {
        protocol: heads[heads["protocol"] == protocol].pivot(index="layer", columns="head", values="entropy")
        for protocol in PROTOCOLS
    }
    largest = max(limits["entropy_limit"][list(PROTOCOLS)].max(), posted_grid.max(axis=None))
    plotting.style()
    figure, panels = plt.subplots(
        1, 3, figsize=(plotting.COLUMN, 6.4), width_ratios=[posted_grid.shape[1], *(g.shape[1] for g in grids.values())]
    )
    image = draw(panels[0], posted_grid, largest)
    panels[0].set_title(f"the post:\n{MODELS[POSTED_MODEL]}", fontsize=10)
    panels[0].spines[:].set(color=POSTED.colour, linewidth=2, visible=True)
    for axes, (protocol, grid) in zip(panels[1:], grids.items()):
        draw(axes, grid, largest)
        axes.set_title(f"{model_name(model)}:\n{PROTOCOLS[protocol]}", fontsize=10)
    panels[0].set_ylabel("layer")
    figure.colorbar(image, ax=panels, shrink=0.6, pad=0.02, label="mean entropy (nats)")
    of_model = limits.iloc[0]
    at_most = " and ".join(f"{limits['entropy_limit'][protocol]:.2f}" for protocol in PROTOCOLS)
    plotting.headed(
        figure,
        says(posted_grid, grids, model),
        f"Mean entropy of each head's rows in nats; light: sharp, dark: diffuse. {posted_grid.size} and"
        f" {grids['as_posted'].size} heads. {model_name(model)}: {of_model['sentences']:.0f} sentences of"
        f" {of_model['tokens_mean']:.1f} tokens; no head could have more than {at_most} nats.",
        plotting.source(TABLES, f"{MODELS[POSTED_MODEL]}: numbers in the author's chart, to one decimal."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(posted: pd.DataFrame, grids: dict[str, pd.DataFrame], model: str) -> str:
    """Shares of sharp heads in the first and in the last third of the layers: the post's, and ours by protocol."""

    def sharp(grid: pd.DataFrame) -> tuple[float, float]:
        third = max(1, len(grid) // 3)
        return tuple(float((part < SHARP_NATS).to_numpy().mean()) for part in (grid.iloc[:third], grid.iloc[-third:]))

    names = [f"{MODELS[POSTED_MODEL]} as published", f"{model_name(model)} padded as in the post", "over real tokens"]
    shares = [sharp(grid) for grid in (posted, *(grids[protocol] for protocol in PROTOCOLS))]
    if all(late > early for early, late in shares):
        where = "Sharp heads come late"
    elif all(late > early for early, late in shares[:2]):
        where = "Sharp heads come late only with rows of padding"
    else:
        where = "Sharp heads do not come late in both models"
    parts = [f"{name} {percent(early)}, then {percent(late)}" for name, (early, late) in zip(names, shares)]
    return f"{where}. Shares below {SHARP_NATS:g} nats in the first and in the last third of layers: {'; '.join(parts)}"


def draw(axes: Axes, grid: pd.DataFrame, largest: float):
    image = axes.imshow(grid, vmin=0, vmax=largest, cmap="Blues", aspect="auto", interpolation="nearest")
    axes.set_xticks(np.arange(0.5, grid.shape[1] - 1), minor=True)
    axes.set_yticks(np.arange(0.5, grid.shape[0] - 1), minor=True)
    axes.grid(False)
    axes.grid(which="minor", color=palette.WHITE, linewidth=0.6, alpha=1)
    axes.tick_params(which="minor", length=0)
    axes.set_xticks(range(0, grid.shape[1], 2), grid.columns[::2], fontsize=plotting.SMALL_POINTS)
    step = 1 if len(grid) <= 15 else 5
    axes.set_yticks(range(0, len(grid), step), grid.index[::step], fontsize=plotting.SMALL_POINTS)
    axes.set_xlabel("head")
    return image


def check_posted(posted: pd.DataFrame, path: Path) -> None:
    """Raises ArtefactError unless every posted layer and head stands once."""
    cells = len(posted.drop_duplicates(["layer", "head"]))
    whole = cells == len(posted) == posted["layer"].nunique() * posted["head"].nunique()
    tables.must_hold(path, {"every layer and head stands once": whole})


def check(heads: pd.DataFrame, limit_of: pd.Series, path: Path) -> None:
    """Raises ArtefactError unless every head stands once per protocol, and none exceeds what is possible."""
    identities = {}
    for protocol in PROTOCOLS:
        rows = heads[heads["protocol"] == protocol]
        cells = len(rows.drop_duplicates(["layer", "head"]))
        largest = limit_of.get(protocol, 0) * (1 + 1e-6)
        whole = 0 < cells == len(rows) and cells == rows["layer"].nunique() * rows["head"].nunique()
        identities[f"{protocol}: every layer and head stands once"] = whole
        identities[f"{protocol}: entropy is at most the largest possible"] = (rows["entropy"] <= largest).all()
    tables.must_hold(path, identities)
