"""What the base does: rate and wavelength of each pair, and how many pairs turn less than once in a context."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.llama2 import rope
from postproof.llama2.settings import RopeTheta


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs="+", required=True, help="JSON of llama2.head and llama2.rope_theta")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per base and pair")
    parser.add_argument("--out-contexts", type=Path, required=True, help="tidy CSV, one row per base and context")


def main(args) -> None:
    theta = settings.parse(RopeTheta, *args.settings)
    pairs = by_pair(theta)
    tables.write(args.out, pairs, "llama2/rope_theta")
    tables.write(args.out_contexts, by_context(theta, pairs), "llama2/rope_theta_contexts")


def by_pair(settings: RopeTheta) -> pd.DataFrame:
    """Of both bases: each pair's rate and wavelength, 2 pi / rate, and how far it has turned at the position."""
    parts = []
    for base in settings.bases:
        theta_P = rope.frequencies(settings.d_head, base)
        columns = {"base": base, "pair": np.arange(len(theta_P)), "frequency_rad_per_token": theta_P}
        columns |= {"wavelength_tokens": 2 * np.pi / theta_P, "position": settings.position}
        columns |= {"angle_rad": settings.position * theta_P, "turns": settings.position * theta_P / (2 * np.pi)}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def by_context(settings: RopeTheta, pairs: pd.DataFrame) -> pd.DataFrame:
    """Of both bases: the pairs whose wavelength is longer than a context, in which each of their angles stands for one
    distance."""
    rows = []
    for base, context in ((base, context) for base in settings.bases for context in settings.contexts):
        wavelengths = pairs.loc[pairs["base"] == base, "wavelength_tokens"]
        longer = int((wavelengths > context).sum())
        row = {"base": base, "context_tokens": context, "pairs": len(wavelengths), "pairs_longer": longer}
        rows.append(row | {"share_longer": longer / len(wavelengths), "slowest_turns": context / wavelengths.max()})
    return pd.DataFrame(rows)
