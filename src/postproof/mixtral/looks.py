"""The looks of this post: what its charts compare, and the parts that they split a whole into."""

from __future__ import annotations

from postproof.charts import palette
from postproof.charts.palette import Look

LOOKS = palette.looks(
    # Models.
    Look("dense", "dense", "dense FFN", palette.BLUE, "o"),
    Look("moe", "MoE", "8 experts, top-2", palette.VERMILLION, "s"),
    # The MoE computed in other ways.
    Look("loop", "loop", "MoE as a loop over experts", palette.GREY, "d"),
    Look("other", "other", "MoE in another way", palette.DARK_GREY, "P"),
    # The MoE trained in two ways.
    Look("no_aux", "no aux", "without auxiliary loss", palette.BLACK, "D"),
    Look("with_aux", "with aux", "with auxiliary loss", palette.GREEN, "^"),
    # Levels to hold the curves against.
    Look("even", "even", "even routing", palette.DARK_GREY, marker="", line="--"),
    Look("even_once", "even, once", "even routing, once per device", palette.DARK_GREY, marker="", line=":"),
    Look("untrained", "untrained", "untrained routers", palette.GREY, marker="", line="--"),
    # Parts of a step or of a model, as areas; the feed-forward block has the colour of its model.
    Look("shared", "shared", "all but the FFN or the experts", palette.GREY, marker=""),
    Look("attention_projections", "projections", "attention: q, k, v, out", palette.DARK_GREY, marker=""),
    Look("attention_scores", "scores", "attention: scores", palette.LIGHT_GREY, marker=""),
    Look("router", "router", "router", palette.BLACK, marker=""),
    Look("head", "head", "head", palette.WHITE, marker="", hatch="//////"),
)

# Names in the measured tables that are variants above.
MEASURED_AS = {"dense": "dense", "ours": "moe", "loop": "loop"}
