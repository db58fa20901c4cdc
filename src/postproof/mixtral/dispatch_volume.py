"""Bytes that cross devices when the experts are split over them: what one forward pass sends, and who receives most.

Shapes: S sequences, T time, L layers, K slots, E experts, D devices. Expert e lives on device floor(e D / E), blocks of
E/D neighbours; sequence s lives on device s mod D (round-robin, data parallel). A token's state, d_model values, goes
to each chosen expert on another device, and as many values come back. Two ways to send it:

    every_slot        once for each slot whose expert is elsewhere
    once_per_device   once to each other device that has any of its experts; the device sums before it answers

Training's backward pass sends as much again. Weights, routing indices and padding are not counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import tables
from postproof.core.errors import ParamsError
from postproof.mixtral import served_routing
from postproof.mixtral.served_routing import ServedRouting
from postproof.published import configurations

WAYS = ("every_slot", "once_per_device")


def add_arguments(parser) -> None:
    parser.add_argument("--routing", type=Path, nargs="+", required=True, help="routing file of every run")
    parser.add_argument("--devices", required=True, help="numbers of devices, as a JSON list")
    parser.add_argument("--bytes-per-value", type=int, required=True, help="2 for bfloat16")
    parser.add_argument("--configuration", type=Path, required=True, help="YAML of a published model to compare with")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV of the runs")
    parser.add_argument("--out-uniform", type=Path, required=True, help="tidy CSV of both models under even routing")


def main(args) -> None:
    published = configurations.read(args.configuration)
    runs = served_routing.read_all(args.routing)
    run, (_, _, L, K) = runs[0], runs[0].ids_STLK.shape
    devices = sorted(json.loads(args.devices))
    check_blocks(devices, [run.experts, published.experts])
    of_runs = [row for run in runs for D in devices for row in rows(run, D, args.bytes_per_value)]
    tables.write(args.out, pd.DataFrame(of_runs), "mixtral/dispatch_volume")
    uniform = [
        uniform_row(model, *sizes, D, way, args.bytes_per_value)
        for model, sizes in {
            "posted": (L, run.d_model, run.experts, K),
            published.name: (published.layers, published.hidden_size, published.experts, published.top_k),
        }.items()
        for D in devices
        for way in WAYS
    ]
    tables.write(args.out_uniform, pd.DataFrame(uniform), "mixtral/dispatch_volume_uniform")


def check_blocks(devices: Sequence[int], experts: Sequence[int]) -> None:
    """Raises ParamsError when a number of devices cannot hold equal blocks of each model's experts."""
    for D in devices:
        if any(E % D for E in experts):
            allowed = f"a number that divides the experts of both models ({', '.join(map(str, experts))})"
            raise ParamsError("value is not allowed", key="mixtral.telemetry.devices", value=D, allowed=allowed)


def rows(run: ServedRouting, devices: int, bytes_per_value: int) -> list[dict]:
    """A row per way and layer, and with layer `all` for the layers together.

    `crossing` counts states sent one way; bytes are there and back. `busiest_device_ratio` is what the device with most
    receives over the mean device; layers wait for one another, so for `all` it is the sum of the layers' largest over
    the sum of their means. It is pooled over the text: single batches are more uneven.
    """
    S, T, L, K = run.ids_STLK.shape
    tokens, bytes_per_crossing = S * T, 2 * run.d_model * bytes_per_value
    out = []
    for way, received_LD in received(run.ids_STLK, run.experts, devices).items():
        expected = uniform_crossing(run.experts, K, devices)[way]
        for layer, of_layer_LD in [*enumerate(received_LD[:, None], start=1), ("all", received_LD)]:
            layers, crossing = len(of_layer_LD), int(of_layer_LD.sum())
            busiest, mean = of_layer_LD.max(axis=1).sum(), of_layer_LD.mean(axis=1).sum()
            labels = {"arm": run.arm, "seed": run.seed, "devices": devices, "layer": layer, "way": way}
            counts = {"tokens": tokens, "pairs": tokens * K * layers, "crossing": crossing}
            measures = {
                "crossing_share": crossing / counts["pairs"],
                "uniform_crossing_share": expected / K,
                "bytes": crossing * bytes_per_crossing,
                "bytes_per_token": crossing * bytes_per_crossing / tokens,
                "uniform_bytes_per_token": expected * layers * bytes_per_crossing,
                "busiest_device_ratio": busiest / mean if crossing else 1.0,
            }
            out.append(labels | counts | measures)
    return out


def received(ids_STLK: np.ndarray, experts: int, devices: int) -> dict[str, np.ndarray]:
    """States that each device receives from others, (L, D), by way of sending."""
    home_S = np.arange(len(ids_STLK)) % devices
    device_STLK = ids_STLK.astype(np.int64) // (experts // devices)
    out = {way: [] for way in WAYS}
    for device in range(devices):
        here_STLK = (device_STLK == device) & (home_S != device)[:, None, None, None]
        out["every_slot"].append(here_STLK.sum(axis=(0, 1, 3)))
        out["once_per_device"].append(here_STLK.any(axis=3).sum(axis=(0, 1)))
    return {way: np.stack(columns, axis=-1) for way, columns in out.items()}


def uniform_crossing(experts: int, slots: int, devices: int) -> dict[str, float]:
    """States that a token and layer send, one way, if its K experts are any K different ones with equal probability.

    Each slot's expert is on each device with probability 1/D. A device is needed unless all K experts are among the
    E - E/D elsewhere.
    """
    E, K, D = experts, slots, devices
    needed = 1 - math.comb(E - E // D, K) / math.comb(E, K)
    return {"every_slot": K * (1 - 1 / D), "once_per_device": (D - 1) * needed}


def uniform_row(
    model: str, layers: int, d_model: int, experts: int, top_k: int, devices: int, way: str, bytes_per_value: int
) -> dict:
    """What a model of these sizes sends per token, through all layers, if its routing is even."""
    crossing = layers * uniform_crossing(experts, top_k, devices)[way]
    return {
        "model": model,
        "devices": devices,
        "way": way,
        "layers": layers,
        "d_model": d_model,
        "experts": experts,
        "top_k": top_k,
        "bytes_per_token": crossing * 2 * d_model * bytes_per_value,
    }
