"""What the base does: rate and wavelength of each pair, and how many pairs turn less than once in a context."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from postproof import files, sections
from postproof.llama2 import rope, rope_settings
from postproof.llama2.rope_settings import RopeSettings, check_wholes


@dataclasses.dataclass(frozen=True)
class RopeTheta(RopeSettings):
    position: int  # at which angles are given
    contexts: list[int]

    def __post_init__(self):
        check_wholes(0, position=self.position)
        check_wholes(1, contexts=self.contexts)


def add_arguments(parser) -> None:
    rope_settings.add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per base and pair")
    parser.add_argument("--out-contexts", type=Path, required=True, help="tidy CSV, one row per base and context")


def main(args) -> None:
    settings = sections.parse(RopeTheta, *args.settings)
    pairs = by_pair(settings)
    files.write_csv(args.out, pairs)
    files.write_csv(args.out_contexts, by_context(settings, pairs))


def by_pair(settings: RopeTheta) -> pd.DataFrame:
    """Columns: base, pair, frequency_rad_per_token, wavelength_tokens (2 pi / frequency: one full turn), position,
    angle_rad and turns at that position."""
    parts = []
    for base in settings.bases:
        theta_P = rope.frequencies(settings.d_head, base)
        columns = {"base": base, "pair": np.arange(len(theta_P)), "frequency_rad_per_token": theta_P}
        columns |= {"wavelength_tokens": 2 * np.pi / theta_P, "position": settings.position}
        columns |= {"angle_rad": settings.position * theta_P, "turns": settings.position * theta_P / (2 * np.pi)}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def by_context(settings: RopeTheta, pairs: pd.DataFrame) -> pd.DataFrame:
    """Columns: base, context_tokens, pairs (all), pairs_longer (whose wavelength is longer than the context: within it
    each angle stands for one distance), share_longer, slowest_turns (of the slowest pair over the context)."""
    rows = []
    for base, context in ((base, context) for base in settings.bases for context in settings.contexts):
        wavelengths = pairs.loc[pairs["base"] == base, "wavelength_tokens"]
        longer = int((wavelengths > context).sum())
        row = {"base": base, "context_tokens": context, "pairs": len(wavelengths), "pairs_longer": longer}
        rows.append(row | {"share_longer": longer / len(wavelengths), "slowest_turns": context / wavelengths.max()})
    return pd.DataFrame(rows)
