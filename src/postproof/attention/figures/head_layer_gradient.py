"""Attention entropy by layer and how many heads of each class a layer has, over depth, downward, as in the post.
Left: the post's means of GPT-2 small as crosses (dashed: their mean), one model of ours as lines, with 95 % intervals
over sentences. Right: classes of heads by layer, the post's of GPT-2, and ours under the posted protocol and over real
tokens alone with thresholds that can be reached.

The first model of the table is the one to be drawn.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from postproof.attention.looks import CLASSES, MODELS, PROTOCOLS, model_name
from postproof.charts import palette, plotting
from postproof.charts.palette import POSTED, Look
from postproof.core import tables

TABLES = ("attention/heads_by_layer", "attention/head_limits", "attention/posted_head_layer_gradient")
STATISTICS = ("entropy", "entropy_share")
POSTED_MODEL = "gpt2"
LINES = {"as_posted": "padded, as in the post", "real_tokens": "real tokens"}
STACKS = {("as_posted", "posted"): "padded, as\nin the post", ("real_tokens", "reachable"): "real tokens,\nreachable"}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, limits, posted = tables.read_all(args.tables, TABLES)
    model = table["model"].iloc[0]
    table, limits = table[table["model"] == model], limits[limits["model"] == model].set_index("protocol")
    check(table, limits, args.tables[0])
    check_posted(posted, args.tables[2])
    plotting.style()
    figure, panels = plt.subplots(1, 4, figsize=(plotting.COLUMN, 6.4), width_ratios=[2.2, 1, 1, 1])
    draw_lines(panels[0], table, posted, model)
    draw_stack(panels[1], posted[list(CLASSES)], f"{MODELS[POSTED_MODEL]},\nthe post")
    panels[1].spines[:].set(color=POSTED.colour, linewidth=2, visible=True)
    drawn = [posted[list(CLASSES)]]
    for axes, ((protocol, basis), title) in zip(panels[2:], STACKS.items()):
        rows = table[table["protocol"] == protocol].sort_values("layer")
        drawn.append(rows[[f"{kind}_{basis}" for kind in CLASSES]].set_axis(list(CLASSES), axis=1))
        draw_stack(axes, drawn[-1], f"{model_name(model)},\n{title}")
    panels[2].set_xlabel("heads of a layer")
    panels[1].set_ylabel("layer")
    occur = [kind for kind in CLASSES if any(counts[kind].sum() for counts in drawn)]
    below = {"loc": "upper center", "fontsize": plotting.SMALL_POINTS, "columnspacing": 1.0}
    panels[0].legend(bbox_to_anchor=(0.5, -0.13), ncols=1, **below)
    classes = [patch(CLASSES[kind]) for kind in occur]
    panels[2].legend(handles=classes, bbox_to_anchor=(0.5, -0.13), ncols=2, **below).set_in_layout(False)
    at_most = " and ".join(f"{limits['entropy_limit'][protocol]:.2f}" for protocol in LINES)
    plotting.headed(
        figure,
        says(posted, table, model),
        f"Mean entropy of a layer's heads in nats, by relative depth (bands: 95 % bootstrap over"
        f" {limits['sentences'].iloc[0]:.0f} sentences of {limits['tokens_mean'].iloc[0]:.1f} tokens; padded and over"
        f" real tokens at most {at_most} nats are possible); and the classes of its heads, by layer."
        " Dashed: the mean of the post's layers.",
        plotting.source(TABLES, f"{MODELS[POSTED_MODEL]}: off the author's chart."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(posted: pd.DataFrame, table: pd.DataFrame, model: str) -> str:
    """Mean entropy of the first and the last third of layers, and how many steps from layer to layer go down."""
    ours = table[table["protocol"] == "as_posted"].sort_values("layer")["entropy"].to_numpy()
    series = {
        f"{MODELS[POSTED_MODEL]} as published": posted.sort_values("layer")["mean_entropy_nats"].to_numpy(),
        f"{model_name(model)} padded alike": ours,
    }
    parts, falls, every = [], [], []
    for name, values in series.items():
        third = max(1, len(values) // 3)
        early, late = values[:third].mean(), values[-third:].mean()
        down = int((np.diff(values) < 0).sum())
        falls.append(late < early)
        every.append(down == len(values) - 1)
        parts.append(f"{name} from {early:.2f} to {late:.2f} nats ({down} of {len(values) - 1} steps down)")
    if all(falls):
        seen = "Entropy falls with depth in both models, " + ("at every step" if all(every) else "not at every step")
    else:
        seen = "Entropy does not fall with depth in both models"
    return f"{seen}. First to last third: {', '.join(parts)}"


def patch(look: Look) -> Patch:
    return Patch(facecolor=look.colour, hatch=look.hatch, edgecolor=palette.WHITE, label=look.long)


def depth(layers: int) -> np.ndarray:
    """Where the middle of each layer is, from 0 at the input to 1 at the output."""
    return (np.arange(layers) + 0.5) / layers


def draw_lines(axes: Axes, table: pd.DataFrame, posted: pd.DataFrame, model: str) -> None:
    for protocol, name in LINES.items():
        look = PROTOCOLS[protocol]
        rows = table[table["protocol"] == protocol].sort_values("layer")
        y = depth(len(rows))
        axes.plot(rows["entropy"], y, color=look.colour, linestyle=look.line, marker=look.marker, markersize=3.5,
                  label=name)  # fmt: skip
        axes.fill_betweenx(y, rows["entropy_low"], rows["entropy_high"], color=look.colour, alpha=0.2)
    means = posted.sort_values("layer")["mean_entropy_nats"]
    axes.plot(means, depth(len(means)), color=POSTED.colour, marker=POSTED.marker, markersize=8, markeredgewidth=2,
              linestyle="none", label=f"the post: {MODELS[POSTED_MODEL]}", zorder=3)  # fmt: skip
    axes.axvline(means.mean(), color=POSTED.colour, linestyle="--", linewidth=1.2)
    axes.set(xlabel="mean entropy (nats)", ylabel="depth, from input to output", ylim=(1, 0))
    axes.set_xlim(left=0)
    axes.set_yticks(np.linspace(0, 1, 5))
    axes.set_title(f"{model_name(model)} and\nthe post's {MODELS[POSTED_MODEL]}", fontsize=plotting.SMALL_POINTS)


def draw_stack(axes: Axes, counts: pd.DataFrame, title: str) -> None:
    layers = len(counts)
    left = np.zeros(layers)
    for kind, look in CLASSES.items():
        axes.barh(depth(layers), counts[kind], left=left, height=0.86 / layers, facecolor=look.colour,
                  hatch=look.hatch, edgecolor=palette.WHITE, linewidth=0)  # fmt: skip
        left += counts[kind].to_numpy()
    axes.set(xlim=(0, left.max()), ylim=(1, 0))
    axes.set_xticks([0, left.max()], [f"{0:d}", f"{left.max():.0f}"])
    step = 1 if layers <= 15 else 5
    axes.set_yticks(depth(layers)[::step], range(0, layers, step), fontsize=plotting.SMALL_POINTS)
    axes.grid(visible=False)
    axes.set_title(title, fontsize=plotting.SMALL_POINTS)


def check_posted(posted: pd.DataFrame, path: Path) -> None:
    """Raises ArtefactError unless every posted layer stands once and has as many heads as the others."""
    once = sorted(posted["layer"]) == list(range(len(posted)))
    one_sum = posted[list(CLASSES)].sum(axis=1).nunique() == 1
    tables.must_hold(path, {"every layer stands once": once, "layers have the same number of heads": one_sum})


def check(table: pd.DataFrame, limits: pd.DataFrame, path: Path) -> None:
    """Raises ArtefactError unless counts sum to the heads, intervals hold their means and no limit is exceeded."""
    identities = {}
    for basis in ("posted", "reachable"):
        sums = table[[f"{kind}_{basis}" for kind in CLASSES]].sum(axis=1)
        identities[f"{basis} classes sum to the heads"] = (sums == table["heads"]).all()
    for name in STATISTICS:
        inside = table[name].between(table[f"{name}_low"] - 1e-9, table[f"{name}_high"] + 1e-9)
        identities[f"interval of {name} holds its mean"] = inside.all()
    for protocol in PROTOCOLS:
        rows = table[table["protocol"] == protocol]
        once = not rows.empty and sorted(rows["layer"]) == list(range(len(rows)))
        identities[f"{protocol}: every layer stands once"] = once and protocol in limits.index
        largest = limits["entropy_limit"].get(protocol, 0) * (1 + 1e-6)
        identities[f"{protocol}: entropy is at most the largest possible"] = (rows["entropy"] <= largest).all()
    tables.must_hold(path, identities)
