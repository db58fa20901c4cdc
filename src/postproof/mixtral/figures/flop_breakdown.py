"""FLOPs of one training step of each arm by part: by the post's formula, and as counted by torch on our models; and the
parameters of both arms, which are equal in total to within 0.5 %.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import Patch

from postproof.charts import palette, plotting
from postproof.charts.palette import Look
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.mixtral.figures import parameter_table
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/flop_breakdown", "mixtral/parameters")
ARMS = ("dense", "moe")
ACCOUNTINGS = ("posted", "counted")
SAME_IN_BOTH = ["attention_projections", "attention_scores", "ffn", "router_product"]
# In the order of the bars. What both arms share is grey; the feed-forward block has the colour of its arm.
PARTS = ("attention_projections", "attention_scores", "ffn", "router", "head")
DARK = ("attention_projections", "dense")  # looks on which writing is white
SMALLEST_LABELLED_SHARE = 0.055
BAR_HEIGHT = 0.7
ROWS_Y = (0, 0.8, 2, 2.8)  # two bars for each arm


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    flops_file, parameters_file = args.tables
    flops, parameters = read(flops_file), parameter_table.read(parameters_file)
    plotting.style()
    figure, (above, below) = plt.subplots(2, 1, figsize=(plotting.COLUMN, 7.6), height_ratios=[4, 3.2])
    draw_flops(above, flops)
    draw_parameters(below, parameters)
    handles, labels = legend(flops)
    below.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.45, -0.26),
        ncols=2,
        fontsize=plotting.SMALL_POINTS,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
    )
    plotting.headed(
        figure,
        says(flops, parameters),
        "Above: FLOPs of a training step, forward and backward, by the post's formula and as torch counts them. Below: "
        "parameters of the race's models; active: at work for one token. Shares within the bars.",
        plotting.source(TABLES, "Same batch, width and depth."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(flops: pd.DataFrame, parameters: pd.DataFrame) -> str:
    """MoE over dense: FLOPs of a step by both accountings, and parameters in total."""
    posted, counted = (
        flops.loc[("moe", accounting)].sum() / flops.loc[("dense", accounting)].sum() for accounting in ACCOUNTINGS
    )
    total = parameters["total"].xs("all", level="term")
    more = total["race_moe"] / total["race_dense"] - 1
    return (
        f"A step of the MoE takes {percent(posted, 1)} of the dense step's FLOPs by the post's formula, "
        f"{percent(counted, 1)} as counted, with {percent(abs(more), 1)} {'more' if more >= 0 else 'fewer'} parameters"
    )


def read(path: Path) -> pd.DataFrame:
    """FLOPs of a step, forward and backward together: rows (arm, accounting), a column per part, the router as one.

    Raises ArtefactError when a column, a row or a number is missing, or an identity does not hold.
    """
    table = tables.read(path, "mixtral/flop_breakdown")
    keys = ["arm", "accounting", "pass", "part"]
    if table.duplicated(keys).any():
        raise ArtefactError("table has a row twice", file=path)
    flops = table.set_index(keys)["flops"].unstack("part")
    try:
        posted, counted = (flops.xs(accounting, level="accounting").loc[list(ARMS)] for accounting in ACCOUNTINGS)
        forward, backward = (flops.xs(which, level="pass") for which in ("forward", "backward"))
        identities = {
            "attention, FFN and the router's product are counted as posted": (
                posted[SAME_IN_BOTH] == counted[SAME_IN_BOTH]
            ).all(axis=None),
            "counted - posted = head - router's arithmetic": (
                counted.sum(axis=1) - posted.sum(axis=1) == counted["head"] - posted["router_arithmetic"]
            ).all(),
            "backward is twice forward": (2 * forward == backward).all(axis=None),
        }
        flops["router"] = flops.pop("router_product") + flops.pop("router_arithmetic")
    except KeyError as error:
        raise ArtefactError("table lacks an arm, accounting, part or pass", file=path) from error
    tables.must_hold(path, identities)
    return flops.groupby(level=["arm", "accounting"]).sum()[list(PARTS)]


def draw_flops(axes: Axes, flops: pd.DataFrame) -> None:
    rows = [(arm, accounting) for arm in ARMS for accounting in ACCOUNTINGS]
    for y, (arm, accounting) in zip(ROWS_Y, rows):
        stack(axes, y, arm, flops.loc[(arm, accounting)] / 1e9)
    axes.set_yticks(ROWS_Y, [f"{LOOKS[arm].short}, {accounting}" for arm, accounting in rows])
    axes.set(xlabel="FLOPs of one training step (10⁹)")
    finish(axes)


def draw_parameters(axes: Axes, table: pd.DataFrame) -> None:
    """Total and active of each arm, in millions, split like the FLOPs: the feed-forward block against all else."""
    labels = []
    rows = [("dense", "total"), ("moe", "total"), ("moe", "active")]  # all of the dense model is active
    for y, (arm, column) in enumerate(rows):
        terms = table.loc[f"race_{arm}", column]
        everything, ffn = terms["all"] / 1e6, terms["experts" if arm == "moe" else "ffn"] / 1e6
        stack(axes, y, arm, pd.Series({"shared": everything - ffn, "ffn": ffn}))
        labels.append(f"{LOOKS[arm].short}, {column}")
    axes.set_yticks(range(len(rows)), labels)
    axes.set(xlabel="parameters (10⁶)")
    finish(axes)


def stack(axes: Axes, y: float, arm: str, parts: pd.Series) -> None:
    """One bar with its sum, and the share of each part that is wide enough to hold it."""
    start = 0.0
    for part, width in parts[parts > 0].items():
        look = LOOKS[arm if part == "ffn" else part]
        axes.barh(y, width, left=start, height=BAR_HEIGHT, **filling(look))
        share = width / parts.sum()
        if share >= SMALLEST_LABELLED_SHARE:
            ink = palette.WHITE if look.stem in DARK else palette.BLACK
            axes.text(start + width / 2, y, percent(share), ha="center", va="center", size=8, color=ink)
        start += width
    axes.annotate(f"{start:.2f}", (start, y), xytext=(4, 0), textcoords="offset points", va="center")


def finish(axes: Axes) -> None:
    axes.set_xlim(0, 1.12 * axes.dataLim.xmax)  # room for the sums
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)


def legend(flops: pd.DataFrame) -> tuple[list, list[str]]:
    """Handles and labels; the parts that are too thin for a label in the bar have their share here."""
    moe_posted, moe_counted = (flops.loc[("moe", accounting)] for accounting in ACCOUNTINGS)
    names = {
        "attention_projections": LOOKS["attention_projections"].long,
        "attention_scores": LOOKS["attention_scores"].long,
        "ffn": "FFN, experts",
        "router": f"router ({percent(moe_posted['router'] / moe_posted.sum(), 1)} of MoE)",
        "head": f"head, not in the formula ({percent(moe_counted['head'] / moe_counted.sum(), 1)} of MoE)",
        "shared": "below: all but FFN, experts",
    }
    handles = []
    for part in names:
        patches = tuple(Patch(**filling(LOOKS[stem])) for stem in (ARMS if part == "ffn" else [part]))
        handles.append(patches if len(patches) > 1 else patches[0])
    return handles, list(names.values())


def filling(look: Look) -> dict:
    return {"facecolor": look.colour, "hatch": look.hatch, "edgecolor": palette.BLACK, "linewidth": 0.5}
