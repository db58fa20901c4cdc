"""The angle by which each pair of features is turned at each position."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from postproof import files, sections
from postproof.llama2 import rope, rope_settings
from postproof.llama2.rope_settings import RopeSettings, check_wholes


@dataclasses.dataclass(frozen=True)
class RopeAngles(RopeSettings):
    positions: int

    def __post_init__(self):
        check_wholes(1, positions=self.positions)


def add_arguments(parser) -> None:
    rope_settings.add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per position and pair")


def main(args) -> None:
    files.write_csv(args.out, angles(sections.parse(RopeAngles, *args.settings)))


def angles(settings: RopeAngles) -> pd.DataFrame:
    """Columns: position, pair, angle_rad (position x theta_pair), angle_mod_2pi_rad (from 0 on, below 2 pi)."""
    theta_P = rope.frequencies(settings.d_head, settings.base)
    position_N, pair_N = (grid.ravel() for grid in np.indices((settings.positions, len(theta_P))))
    angle_N = position_N * theta_P[pair_N]
    columns = {"position": position_N, "pair": pair_N, "angle_rad": angle_N, "angle_mod_2pi_rad": angle_N % (2 * np.pi)}
    return pd.DataFrame(columns)
