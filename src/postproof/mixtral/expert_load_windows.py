"""Per-expert token load over windows of a stream of tokens, and how even it is, beside what chance would show.

The served text is taken as one stream of tokens in order and cut into windows of N tokens; a rest shorter than a window
is dropped. Shapes: W windows, N tokens of a window, L layers, K slots, E experts; every slot counts, so that the loads
of a window and layer sum to N K.

A finite window of an even router is not even. Its level is that of a router which sends each token, independently of
all others, to K different experts drawn uniformly: an expert's load c is then binomial with N draws of p = K/E.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special, stats

from postproof.core import tables
from postproof.core.errors import ParamsError
from postproof.mixtral import served_routing
from postproof.mixtral.routing import busiest_share, entropy_nats

CHANCE = 0.01  # of an even router's windows, so many show a busier expert than the level given for them


def add_arguments(parser) -> None:
    parser.add_argument("--routing", type=Path, nargs="+", required=True, help="routing file of every run")
    parser.add_argument("--window-tokens", type=int, required=True, help="tokens of a window")
    parser.add_argument("--out", type=Path, required=True, help="CSV: a row per run, window, layer and expert")
    parser.add_argument("--out-windows", type=Path, required=True, help="CSV: a row per run, window and layer")


def main(args) -> None:
    N = args.window_tokens
    runs = served_routing.read_all(args.routing)
    tokens = math.prod(runs[0].ids_STLK.shape[:2])
    if N > tokens:
        allowed = f"1 to {tokens}, the tokens of the text"
        raise ParamsError("value is not allowed", key="mixtral.telemetry.window_tokens", value=N, allowed=allowed)
    loads = {(run.arm, run.seed): loads_WLE(run.ids_STLK, run.experts, N) for run in runs}
    load = pd.concat(load_rows(*run, counts) for run, counts in loads.items())
    tables.write(args.out, load, "mixtral/expert_load")
    K = runs[0].ids_STLK.shape[-1]
    windows = pd.concat(window_rows(*run, counts) for run, counts in loads.items())
    windows = windows.assign(**uniform_levels(N, K, runs[0].experts))
    tables.write(args.out_windows, windows, "mixtral/expert_load_windows")


def loads_WLE(ids_STLK: np.ndarray, experts: int, window_tokens: int) -> np.ndarray:
    """Tokens by window, layer and expert."""
    S, T, L, K = ids_STLK.shape
    W, N = S * T // window_tokens, window_tokens
    ids_WNLK = ids_STLK.reshape(S * T, L, K)[: W * N].reshape(W, N, L, K)
    return np.stack([(ids_WNLK == expert).sum(axis=(1, 3)) for expert in range(experts)], axis=-1)


def load_rows(arm: str, seed: int, counts_WLE: np.ndarray) -> pd.DataFrame:
    """A row per window, layer and expert."""
    window, layer, expert = (index.ravel() for index in np.indices(counts_WLE.shape))
    shares_WLE = counts_WLE / counts_WLE.sum(axis=-1, keepdims=True)
    labels = {"arm": arm, "seed": seed, "window": window, "layer": 1 + layer, "expert": expert}
    return pd.DataFrame(labels | {"tokens": counts_WLE.ravel(), "share": shares_WLE.ravel()})


def window_rows(arm: str, seed: int, counts_WLE: np.ndarray) -> pd.DataFrame:
    """A row per window and layer; of equals the first expert is the busiest."""
    window, layer = (index.ravel() for index in np.indices(counts_WLE.shape[:2]))
    measures = {
        "busiest_expert": counts_WLE.argmax(axis=-1).ravel(),
        "busiest_share": busiest_share(counts_WLE).ravel(),
        "entropy_nats": entropy_nats(counts_WLE).ravel(),
    }
    return pd.DataFrame({"arm": arm, "seed": seed, "window": window, "layer": 1 + layer} | measures)


def uniform_levels(tokens: int, slots: int, experts: int) -> dict[str, float]:
    """What N tokens of an even router show: expected busiest share, the share that 1 window in 100 exceeds, entropy.

    The loads are exchangeable with variance N p (1 - p) and a fixed sum, so that for large N (central limit)

        c_e - N p  ~  sqrt(N p (1 - p) E / (E - 1)) (Z_e - mean Z),   Z_1 ... Z_E independent standard normal,
        E[max c] = N p + sqrt(N p (1 - p) E / (E - 1)) m_E,           m_E = E[max Z].

    The level exceeded once in 100 is exact for each expert (binomial tail) and a bound for the busiest of them, by
    Bonferroni's inequality: P(max c > m) <= E P(c > m). Entropy, to the order 1/N; K = 1 is Miller's (1955) correction:

        E[H] = ln E - (E/2) sum_e E[(c_e / N K - 1/E)^2] = ln E - (E - K) / (2 N K)
    """
    N, K, E = tokens, slots, experts
    p = K / E
    if K == E:  # every expert gets every token
        return {"uniform_busiest_share": p / K, "uniform_busiest_share_99": p / K, "uniform_entropy_nats": math.log(E)}
    busiest = N * p + math.sqrt(N * p * (1 - p) * E / (E - 1)) * mean_of_largest_normal(E)
    return {
        "uniform_busiest_share": busiest / (N * K),
        "uniform_busiest_share_99": float(stats.binom.isf(CHANCE / E, N, p)) / (N * K),
        "uniform_entropy_nats": math.log(E) - (E - K) / (2 * N * K),
    }


def mean_of_largest_normal(n: int) -> float:
    """E[max of n independent standard normals] = n integral of x phi(x) Phi(x)^(n-1) dx (David & Nagaraja 2003).

    The trapezium rule is exact to rounding here: the integrand is smooth and has vanished at both ends.
    """
    x = np.linspace(-12, 12, 4801)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return float(np.sum(n * x * density * special.ndtr(x) ** (n - 1)) * (x[1] - x[0]))
