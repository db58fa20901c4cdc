"""Turn what was read of each model's heads into tables: by head and by layer, early against late, limits, padding.

Shapes: S sentences, L layers, H heads, D bootstrap draws. Layers and heads are counted from 0, as posted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.attention.heads import classes, general_layers, gradient, limits, results
from postproof.attention.heads.classes import CLASSES
from postproof.attention.heads.results import PROTOCOLS, Bootstrap, HeadResults, interval
from postproof.attention.heads.row_statistics import STATISTICS
from postproof.attention.settings import HeadSettings
from postproof.core import settings, tables
from postproof.core.errors import ArtefactError

# Which classes the examples are of: by which thresholds, under which protocol.
BASES = {"posted": "as_posted", "reachable": "real_tokens"}
BY_LAYER = ("entropy", "entropy_share")


def add_arguments(parser) -> None:
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="of pretrained_runs and race_runs")
    parser.add_argument("--drawn", required=True, help="the model that charts show: first in every table")
    parser.add_argument("--settings", required=True, help="params section attention.heads, as JSON")
    parser.add_argument("--out-heads", type=Path, required=True, help="tidy CSV, one row per head")
    parser.add_argument("--out-heads-by-layer", type=Path, required=True, help="tidy CSV, one row per layer")
    parser.add_argument("--out-head-examples", type=Path, required=True, help="tidy CSV: weights of one head a class")
    parser.add_argument("--out-head-gradient", type=Path, required=True, help="tidy CSV: early against late, in nats")
    parser.add_argument("--out-head-gradient-shares", type=Path, required=True, help="tidy CSV: the same of shares")
    parser.add_argument(
        "--out-padding-effect", type=Path, required=True, help="tidy CSV, one row per padding and layer"
    )
    parser.add_argument("--out-general-layers", type=Path, required=True, help="tidy CSV, one row per reading")
    parser.add_argument("--out-head-limits", type=Path, required=True, help="tidy CSV, one row per protocol")


def main(args) -> None:
    """Raises ArtefactError when a run is damaged, two are of one model, they are of different sentences or settings,
    or none is of the model that is drawn.
    """
    section = settings.parse(HeadSettings, args.settings)
    runs = read(args.runs, args.drawn)
    draws = Bootstrap(len(runs[0].lengths_S), section.bootstrap_draws, section.seed)
    heads = pd.concat([by_head(run, section) for run in runs], ignore_index=True)
    heads_of = dict(list(heads.groupby("model")))

    def write(path: Path, name: str, rows: Callable[[HeadResults], Iterable[dict]]) -> None:
        found = [row for run in runs for row in rows(run)]
        # Where no model has such rows, the table is its header alone.
        tables.write(path, pd.DataFrame(found, columns=None if found else list(tables.schema(name))), name)

    tables.write(args.out_heads, heads, "attention/heads")
    write(args.out_heads_by_layer, "attention/heads_by_layer", lambda run: by_layer(run, heads_of[run.model], draws))
    of_drawn = pd.DataFrame(examples(runs[0], heads_of[args.drawn]))
    tables.write(args.out_head_examples, of_drawn, "attention/head_examples")
    write(
        args.out_head_gradient, "attention/head_gradient", lambda run: gradient.rows(run, section, draws, in_nats=True)
    )
    write(
        args.out_head_gradient_shares,
        "attention/head_gradient_shares",
        lambda run: gradient.rows(run, section, draws, in_nats=False),
    )
    write(args.out_padding_effect, "attention/padding_effect", lambda run: padding_effect(run, section))
    write(args.out_general_layers, "attention/general_layers", lambda run: general_layers.rows(run, section, draws))
    write(args.out_head_limits, "attention/head_limits", lambda run: limits.of_model(run, section))


def read(paths: Sequence[Path], drawn: str) -> list[HeadResults]:
    """The runs, that of the model `drawn` before the others. Raises ArtefactError when they do not go together."""
    runs = [results.load(path) for path in paths]
    among = {"files": ", ".join(map(str, paths))}
    models = [run.model for run in runs]
    if len(set(models)) < len(models):
        raise ArtefactError("two runs are of one model", **among, remedy="name each model once")
    if drawn not in models:
        raise ArtefactError("no run is of the model that is drawn", value=drawn, allowed=", ".join(models), **among)
    if len({(run.positions, run.reach, len(run.lengths_S)) for run in runs}) > 1:
        raise ArtefactError("runs were made with different sentences or settings", **among)
    return sorted(runs, key=lambda run: run.model != drawn)


def by_head(run: HeadResults, section: HeadSettings) -> pd.DataFrame:
    """A row per protocol, layer and head: means over the sentences, and both classes."""
    parts = []
    for protocol in PROTOCOLS:
        mean = {name: run.statistic(protocol, name).mean(axis=0) for name in STATISTICS}
        by_posted = classes.posted(section).classes(mean["diagonal"], mean["entropy"])
        thresholds = classes.reachable(section, run, protocol)
        by_reachable = thresholds.classes(mean["diagonal"], mean["entropy_share"])
        layer_LH, head_LH = np.indices(by_posted.shape)
        columns = {"model": run.model, "protocol": protocol, "layer": layer_LH.ravel(), "head": head_LH.ravel()}
        columns |= {name: value_LH.ravel() for name, value_LH in mean.items()}
        columns |= {"class_posted": by_posted.ravel(), "class_reachable": by_reachable.ravel()}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts)


def by_layer(run: HeadResults, heads: pd.DataFrame, draws: Bootstrap) -> Iterator[dict]:
    """A row per protocol and layer: mean of the heads with its interval over sentences, and how many of each class."""
    for protocol in PROTOCOLS:
        means_SL = {name: run.statistic(protocol, name).mean(axis=2) for name in BY_LAYER}
        intervals = {name: interval(draws.means(value_SL)) for name, value_SL in means_SL.items()}
        of_protocol = heads[heads["protocol"] == protocol]
        for layer, of_layer in of_protocol.groupby("layer"):
            row = {"model": run.model, "protocol": protocol, "layer": layer, "heads": len(of_layer)}
            for name, value_SL in means_SL.items():
                low_L, high_L = intervals[name]
                row |= {name: value_SL[:, layer].mean(), f"{name}_low": low_L[layer], f"{name}_high": high_L[layer]}
            for basis in BASES:
                counts = of_layer[f"class_{basis}"].value_counts()
                row |= {f"{kind}_{basis}": int(counts.get(kind, 0)) for kind in CLASSES}
            yield row


def examples(run: HeadResults, heads: pd.DataFrame) -> Iterator[dict]:
    """For each class that occurs, the head whose entropy is nearest the class's median: its weights in one sentence."""
    for basis, protocol in BASES.items():
        of_protocol = heads[heads["protocol"] == protocol]
        for kind in CLASSES:
            of_class = of_protocol[of_protocol[f"class_{basis}"] == kind]
            if of_class.empty:
                continue
            nearest = (of_class["entropy"] - of_class["entropy"].median()).abs().idxmin()
            layer, head = of_class.loc[nearest, ["layer", "head"]]
            for query, query_token in enumerate(run.example_tokens):
                for key, key_token in enumerate(run.example_tokens[: query + 1]):
                    yield {
                        "model": run.model, "basis": basis, "protocol": protocol, "class": kind,
                        "heads_of_class": len(of_class), "layer": layer, "head": head,
                        "sentence": run.example_sentence, "query_position": query, "key_position": key,
                        "query_token": shown(query_token), "key_token": shown(key_token),
                        "weight": run.example_LHnn[layer, head, query, key],
                    }  # fmt: skip


def shown(token: str) -> str:
    """A token as a label: spaces and line ends made visible."""
    return token.replace(" ", "\u2423").replace("\n", "\u21b5")


def padding_effect(run: HeadResults, section: HeadSettings) -> Iterator[dict]:
    """A row per padding and layer: what real and padding rows have, and what each adds to the mean over all rows.

    Means of rows are over the sentences that have padding. No rows for a model none of whose sentences has.
    """
    padded_S = run.lengths_S < run.positions
    if not padded_S.any():
        return
    draws = Bootstrap(int(padded_S.sum()), section.bootstrap_draws, section.seed)
    for protocol, padding in results.PADDING.items():
        groups = {"real": "real", "padding": f"padding_{padding}"}
        columns: dict[str, np.ndarray] = {}
        for group, prefix in groups.items():
            of_padded_SL = run.statistics[f"{prefix}_entropy"][padded_S].mean(axis=2)
            columns[f"{group}_entropy"] = of_padded_SL.mean(axis=0)
            columns[f"{group}_low"], columns[f"{group}_high"] = interval(draws.means(of_padded_SL))
        parts = results.entropy_parts(run, protocol)
        columns |= {f"{group}_part": part_SL.mean(axis=0) for group, part_SL in parts.items()}
        columns["entropy"] = columns["real_part"] + columns["padding_part"]
        columns["padding_part_share"] = columns["padding_part"] / columns["entropy"]
        shares = {
            "pad_token": shown(run.pad_token),
            "padding_rows_share": run.padding_part_S("entropy").mean(),
            "padded_sentences": int(padded_S.sum()),
        }
        for layer in range(len(columns["entropy"])):
            row = {"model": run.model, "protocol": protocol, "padding": padding, "layer": layer} | shares
            yield row | {name: value_L[layer] for name, value_L in columns.items()}
