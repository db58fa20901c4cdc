"""A sweep of value iteration compiled by numba, for MDPs so large that NumPy's temporary arrays cost more than the sum.

The same sums in the same order as SciPy's product with a CSR matrix, so the same numbers; nothing is kept on disk, and
the first use in a process compiles for about a second.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def sweep_of(transitions_XS: Any, rewards_SA: NDArray, gamma: float) -> Callable[[NDArray], NDArray]:
    """v -> max over a of r(s, a) + gamma sum over s' of p(s' | s, a) v(s') (eq. 4.10), one pass over the matrix."""
    sweep = _compiled()
    starts, columns, values = transitions_XS.indptr, transitions_XS.indices, transitions_XS.data

    def swept(v_S: NDArray) -> NDArray:
        after_S = np.empty_like(v_S)
        sweep(starts, columns, values, rewards_SA, gamma, v_S, after_S)
        return after_S

    return swept


@functools.cache
def _compiled() -> Callable:
    import numba

    @numba.njit
    def sweep(starts, columns, values, rewards_SA, gamma, v_S, after_S):
        S, A = rewards_SA.shape
        for s in range(S):
            best = -np.inf
            for a in range(A):
                x = s * A + a
                expected = 0.0
                for i in range(starts[x], starts[x + 1]):
                    expected += values[i] * v_S[columns[i]]
                value = gamma * expected + rewards_SA[s, a]
                if value > best:
                    best = value
            after_S[s] = best

    return sweep
