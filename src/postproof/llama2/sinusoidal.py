"""The encoding of the first transformer: one vector per position, added to the token's (Vaswani et al. 2017, 3.5)."""

from __future__ import annotations

import numpy as np

from postproof.llama2.rope import frequencies


def encoding(length: int, d: int, base: float = 10_000.0) -> np.ndarray:
    """PE_TD: PE[t, 2k] = sin(t theta_k), PE[t, 2k+1] = cos(t theta_k), theta_k = base^(-2k/d); each row's norm is
    sqrt(d/2).

    Raises ParamsError for a d that is no even number above 0, or a base that is not above 0.
    """
    angles_TP = np.arange(length)[:, None] * frequencies(d, base)
    return np.stack([np.sin(angles_TP), np.cos(angles_TP)], axis=-1).reshape(length, d)
