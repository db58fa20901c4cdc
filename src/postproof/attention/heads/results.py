"""What was read of one model's heads, put together under each protocol, and intervals over its sentences.

Shapes: S sentences, L layers, H heads, T positions, K quantities, D bootstrap draws.

    as_posted      padded to T positions, padding hidden as keys by the tokenizer's mask; mean over all T rows
    padding_seen   the same without a mask: queries of padding attend to padding too
    real_tokens    only the rows of real tokens
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from postproof.attention.heads.row_statistics import STATISTICS, WITHOUT_ROW_0, uniform
from postproof.core import files
from postproof.core.errors import ArtefactError
from postproof.core.linalg import matmul

PADDING = {"as_posted": "hidden", "padding_seen": "seen"}
PROTOCOLS = (*PADDING, "real_tokens")
KEYS = ("model", "positions", "reach", "lengths", "kinds", "pad_token", "example_tokens", "example_sentence")


@dataclasses.dataclass(frozen=True)
class HeadResults:
    """`statistics` are (S, L, H), float64, by the names that reader.py writes."""

    model: str
    positions: int
    reach: int
    lengths_S: np.ndarray
    pad_token: str
    statistics: dict[str, np.ndarray]
    example_tokens: list[str]
    example_sentence: int
    example_LHnn: np.ndarray

    def padding_part_S(self, statistic: str) -> np.ndarray:
        """Share of padding rows among those that the mean over all rows of a sentence takes."""
        counted = self.positions - (statistic in WITHOUT_ROW_0)
        return (self.positions - self.lengths_S) / counted

    def statistic(self, protocol: str, name: str) -> np.ndarray:
        """(S, L, H) under the protocol."""
        real_SLH = self.statistics[f"real_{name}"]
        if protocol == "real_tokens":
            return real_SLH
        part_S11 = self.padding_part_S(name)[:, None, None]
        return (1 - part_S11) * real_SLH + part_S11 * self.statistics[f"padding_{PADDING[protocol]}_{name}"]

    def uniform(self, protocol: str) -> dict[str, np.ndarray]:
        """What uniform attention gets, and the most that any head can, mean over the protocol's rows, (S,)."""
        rows = uniform(self.lengths_S, self.positions, self.reach, padding_hidden=protocol == "as_posted")
        if protocol != "real_tokens":
            return {name: value_ST.mean(axis=1) for name, value_ST in rows.items()}
        real_ST = np.arange(self.positions) < self.lengths_S[:, None]
        return {name: np.where(real_ST, value, 0).sum(axis=1) / self.lengths_S for name, value in rows.items()}


def entropy_parts(run: HeadResults, protocol: str) -> dict[str, np.ndarray]:
    """What real and padding rows add to the mean entropy over all rows, each (S, L): their sum is that mean."""
    part_S1 = run.padding_part_S("entropy")[:, None]
    padding_SLH = run.statistics[f"padding_{PADDING[protocol]}_entropy"]
    return {
        "real": (1 - part_S1) * run.statistics["real_entropy"].mean(axis=2),
        "padding": part_S1 * padding_SLH.mean(axis=2),
    }


def load(path: Path) -> HeadResults:
    """Raises ArtefactError when the file is damaged or no run of heads."""
    tensors, about = files.load_tensors(path)
    if not isinstance(about, dict) or (missing := [key for key in KEYS if key not in about]):
        lacks = ", ".join(missing) if isinstance(about, dict) else "all"
        raise ArtefactError("file is no run of heads", file=path, lacks=lacks)
    groups = ("real", *(f"padding_{padding}" for padding in PADDING.values()))
    names = [f"{group}_{name}" for group in groups for name in STATISTICS] + ["content_distance"]
    example = tensors.pop("example_LHnn", None)
    shapes = {tuple(tensors[name].shape) for name in names if name in tensors}
    if tensors.keys() != set(names) or example is None or len(shapes) != 1:
        raise ArtefactError("file does not hold every statistic once, all of one shape", file=path)
    S, L, H = shapes.pop()
    n = len(about["example_tokens"])
    if S != len(about["lengths"]) or S != len(about["kinds"]) or tuple(example.shape) != (L, H, n, n):
        raise ArtefactError("statistics are not of the sentences that the file names", file=path)
    return HeadResults(
        model=about["model"], positions=about["positions"], reach=about["reach"], lengths_S=np.array(about["lengths"]),
        pad_token=about["pad_token"],
        statistics={name: tensors[name].double().numpy() for name in names},
        example_tokens=about["example_tokens"], example_sentence=about["example_sentence"],
        example_LHnn=example.double().numpy(),
    )  # fmt: skip


class Bootstrap:
    """Means over sentences drawn with replacement (Efron 1979): the same draws for every quantity of one seed."""

    def __init__(self, sentences: int, draws: int, seed: int):
        counts_DS = np.random.default_rng(seed).multinomial(sentences, np.full(sentences, 1 / sentences), size=draws)
        self.shares_DS = torch.from_numpy(counts_DS / sentences)

    def means(self, values_SK: np.ndarray) -> np.ndarray:
        """(D, K)."""
        return matmul(self.shares_DS, torch.from_numpy(np.ascontiguousarray(values_SK))).numpy()


def interval(draws_D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle 95% of the draws, along the first axis."""
    low, high = np.quantile(draws_D, [0.025, 0.975], axis=0)
    return low, high
