"""Turn what was read of each model's heads into tables: by head and by layer, early against late, limits, padding.

Shapes: S sentences, L layers, H heads, D bootstrap draws. Layers and heads are counted from 0, as posted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from postproof import files, sections
from postproof.attention import general_layers, head_classes, head_gradient, head_limits, head_results
from postproof.attention.head_classes import CLASSES, HeadSettings
from postproof.attention.head_results import PROTOCOLS, Bootstrap, HeadResults, interval
from postproof.attention.head_statistics import STATISTICS
from postproof.errors import ArtefactError

TABLES = ("heads", "heads_by_layer", "head_examples", "head_gradient", "head_gradient_shares", "padding_effect",
          "layer_generality", "general_layers", "head_limits", "head_limits_by_length")  # fmt: skip
# Which classes the examples are of: by which thresholds, under which protocol.
BASES = {"posted": "as_posted", "reachable": "real_tokens"}


def add_arguments(parser) -> None:
    parser.add_argument(
        "--runs", type=Path, nargs="+", required=True, help="of attention.head_runs; default model first"
    )
    parser.add_argument("--settings", required=True, help="params section attention.heads, as JSON")
    for table in TABLES:
        parser.add_argument(f"--out-{table.replace('_', '-')}", type=Path, required=True, help="tidy CSV")


def main(args) -> None:
    """Raises ArtefactError when a run is damaged, or two are of one model or were made with other settings."""
    settings = sections.parse(HeadSettings, args.settings)
    runs = [head_results.load(path) for path in args.runs]
    if len({run.model for run in runs}) < len(runs):
        raise ArtefactError("two runs are of one model", files=", ".join(map(str, args.runs)),
                            remedy="name each model once")  # fmt: skip
    if len({(run.positions, run.reach, len(run.lengths_S)) for run in runs}) > 1:
        raise ArtefactError("runs were made with different sentences or settings",
                            files=", ".join(map(str, args.runs)))  # fmt: skip
    for name, table in tabulate(runs, settings).items():
        files.write_csv(getattr(args, f"out_{name}"), table)


def tabulate(runs: list[HeadResults], settings: HeadSettings) -> dict[str, pd.DataFrame]:
    """Every table by name. Examples are of the first run."""
    draws = Bootstrap(len(runs[0].lengths_S), settings.bootstrap_draws, settings.seed)
    heads = pd.concat([by_head(run, settings) for run in runs], ignore_index=True)

    def of_all(function) -> pd.DataFrame:
        return pd.DataFrame([row for run in runs for row in function(run)])

    return {
        "heads": heads,
        "heads_by_layer": of_all(lambda run: by_layer(run, heads[heads["model"] == run.model], draws)),
        "head_examples": pd.DataFrame(examples(runs[0], heads[heads["model"] == runs[0].model])),
        "head_gradient": of_all(lambda run: head_gradient.rows(run, settings, draws, in_nats=True)),
        "head_gradient_shares": of_all(lambda run: head_gradient.rows(run, settings, draws, in_nats=False)),
        "padding_effect": of_all(lambda run: padding_effect(run, settings)),
        "layer_generality": of_all(lambda run: layer_generality(run, heads[heads["model"] == run.model], draws)),
        "general_layers": of_all(lambda run: general_layers.rows(run, settings, draws)),
        "head_limits": of_all(lambda run: head_limits.of_model(run, settings)),
        "head_limits_by_length": pd.DataFrame(head_limits.by_length(runs[0].positions, runs[0].reach)),
    }


def by_head(run: HeadResults, settings: HeadSettings) -> pd.DataFrame:
    """Columns: model, protocol, layer, head, the four statistics (means over sentences) and both classes."""
    parts = []
    for protocol in PROTOCOLS:
        mean = {name: run.statistic(protocol, name).mean(axis=0) for name in STATISTICS}
        by_posted = head_classes.posted(settings).classes(mean["diagonal"], mean["entropy"])
        thresholds = head_classes.reachable(settings, run, protocol)
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
        means_SL = {name: run.statistic(protocol, name).mean(axis=2) for name in STATISTICS}
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


def padding_effect(run: HeadResults, settings: HeadSettings) -> Iterator[dict]:
    """A row per padding and layer: what real and padding rows have, and what each adds to the mean over all rows.

    Means of rows are over the sentences that have padding. No rows for a model none of whose sentences has.
    """
    padded_S = run.lengths_S < run.positions
    if not padded_S.any():
        return
    draws = Bootstrap(int(padded_S.sum()), settings.bootstrap_draws, settings.seed)
    for protocol, padding in head_results.PADDING.items():
        groups = {"real": "real", "padding": f"padding_{padding}"}
        columns: dict[str, np.ndarray] = {}
        for group, prefix in groups.items():
            of_padded_SL = run.statistics[f"{prefix}_entropy"][padded_S].mean(axis=2)
            columns[f"{group}_entropy"] = of_padded_SL.mean(axis=0)
            columns[f"{group}_low"], columns[f"{group}_high"] = interval(draws.means(of_padded_SL))
            for name in ("diagonal", "first_token_share"):
                columns[f"{group}_{name}"] = run.statistics[f"{prefix}_{name}"][padded_S].mean(axis=(0, 2))
        parts = head_results.entropy_parts(run, protocol)
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


def layer_generality(run: HeadResults, heads: pd.DataFrame, draws: Bootstrap) -> Iterator[dict]:
    """A row per layer, real tokens only: what might make a reader call it general, and how sharply it is known.

    `rank_content_distance` is 1 for the layer whose attention depends least on the sentence. `ties_with_lowest`: the
    bootstrap interval of its distance from the lowest layer's, sentence by sentence, has 0 in it.
    """
    kinds = np.unique(run.kinds_S)
    share_SL = run.statistic("real_tokens", "entropy_share").mean(axis=2)
    first_SL = run.statistic("real_tokens", "first_token_share").mean(axis=2)
    distance_SL = run.statistics["content_distance"].mean(axis=2)
    by_kind_KL = np.stack([distance_SL[run.kinds_S == kind].mean(axis=0) for kind in kinds])
    distance_L, distance_DL = distance_SL.mean(axis=0), draws.means(distance_SL)
    low_L, high_L = interval(distance_DL)
    lowest = int(distance_L.argmin())
    behind_low_L, _ = interval(distance_DL - distance_DL[:, [lowest]])
    ranks_L = distance_L.argsort(kind="stable").argsort(kind="stable") + 1
    real = heads[heads["protocol"] == "real_tokens"]
    for layer in range(len(distance_L)):
        of_layer = real[real["layer"] == layer]
        counts = of_layer["class_reachable"].value_counts()
        yield {
            "model": run.model, "layer": layer,
            "entropy_share": share_SL[:, layer].mean(), "entropy_share_sd": share_SL[:, layer].std(ddof=1),
            "first_token_share": first_SL[:, layer].mean(),
            "content_distance": distance_L[layer],
            "content_distance_low": low_L[layer], "content_distance_high": high_L[layer],
            "content_distance_lowest_kind": by_kind_KL[:, layer].min(),
            "content_distance_highest_kind": by_kind_KL[:, layer].max(),
            "rank_content_distance": ranks_L[layer],
            "ties_with_lowest": "yes" if behind_low_L[layer] <= 0 else "no",
            "heads_entropy_share_sd": of_layer["entropy_share"].std(ddof=1),
        } | {f"{kind}_reachable": int(counts.get(kind, 0)) for kind in CLASSES}  # fmt: skip
