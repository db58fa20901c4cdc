"""The angle by which each pair of features is turned at each position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.llama2 import rope
from postproof.llama2.settings import RopeAngles


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs="+", required=True, help="JSON of llama2.head and llama2.rope_angles")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per position and pair")


def main(args) -> None:
    table = angles(settings.parse(RopeAngles, *args.settings))
    tables.write(args.out, table, "llama2/rope_angles")


def angles(settings: RopeAngles) -> pd.DataFrame:
    theta_P = rope.frequencies(settings.d_head, settings.base)
    position_N, pair_N = (grid.ravel() for grid in np.indices((settings.positions, len(theta_P))))
    angle_N = position_N * theta_P[pair_N]
    columns = {"position": position_N, "pair": pair_N, "angle_rad": angle_N, "angle_mod_2pi_rad": angle_N % (2 * np.pi)}
    return pd.DataFrame(columns)
