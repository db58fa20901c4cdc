"""The sinusoidal encoding by position and dimension, and how long each of its waves is.

Vaswani et al. 2017, section 3.5: dimensions 2k and 2k + 1 are sin and cos of position x theta_k, with
theta_k = base^(-2k/d). A wave is 2 pi / theta_k positions long: 2 pi in dimensions 0 and 1, a little over six positions
and not a whole number of them; 2 pi base^((d - 2)/d) in the last two. The paper gives the limits for large d,
"from 2 pi to 10000 x 2 pi".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.attention.settings import SinusoidalEncoding
from postproof.core import settings, tables
from postproof.llama2.rope import frequencies
from postproof.llama2.sinusoidal import encoding


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section attention.sinusoidal_encoding, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per position and dimension")
    parser.add_argument("--out-wavelengths", type=Path, required=True, help="tidy CSV, one row per pair of dimensions")


def main(args) -> None:
    section = settings.parse(SinusoidalEncoding, args.settings)
    tables.write(args.out, values(section), "attention/sinusoidal_encoding")
    tables.write(args.out_wavelengths, wavelengths(section), "attention/sinusoidal_wavelengths")


def values(section: SinusoidalEncoding) -> pd.DataFrame:
    """A row per position and dimension."""
    pe_TD = encoding(section.positions, section.d_model, section.base)
    position, dimension = (grid.ravel() for grid in np.indices(pe_TD.shape))
    return pd.DataFrame({"position": position, "dimension": dimension, "value": pe_TD.ravel()})


def wavelengths(section: SinusoidalEncoding) -> pd.DataFrame:
    """A row per pair of dimensions, the fastest first."""
    theta_P = frequencies(section.d_model, section.base)
    pair_P = np.arange(len(theta_P))
    return pd.DataFrame(
        {
            "pair": pair_P,
            "sine_dimension": 2 * pair_P,
            "cosine_dimension": 2 * pair_P + 1,
            "rate_rad_per_position": theta_P,
            "wavelength_positions": 2 * np.pi / theta_P,
            "turns_in_base": section.base * theta_P / (2 * np.pi),
        }
    )
