"""Speed: every row of postproof/benchmarks measured side by side in one run, as a table and in build/bench.csv."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from postproof import benchmarks
from postproof.core import files


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure, the median of its turns, and the largest value it should have. Ratios have the unit "1".

    `low` and `high` are the quartiles of the turns: where the target lies between them, it is neither met nor missed.
    """

    name: str
    value: float
    low: float
    high: float
    target: float
    unit: str
    turns: int

    @classmethod
    def of(cls, name: str, turns: Sequence[float], target: float, unit: str = "1") -> Row:
        """The row of a figure that was taken once in each turn."""
        low, value, high = statistics.quantiles(turns, n=4, method="inclusive") if len(turns) > 1 else 3 * [turns[0]]
        return cls(name, value, low, high, target, unit, len(turns))

    @property
    def outcome(self) -> str:
        if self.high <= self.target:
            return "met"
        return "missed" if self.low > self.target else "on the line"


def in_turns(ways: dict[str, Callable[[], object]], turns: int, untimed: int = 1) -> dict[str, list[float]]:
    """Seconds of each way in each turn: one after the other, so that a busy neighbour or another clock rate meets all.

    The first `untimed` turns are not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(untimed + turns):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn >= untimed:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(over: Sequence[float], under: Sequence[float], factor: float = 1) -> list[float]:
    """`factor` times one way's seconds by another's, of the same turn."""
    return [factor * a / b for a, b in zip(over, under, strict=True)]


def modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "runner")


def add_arguments(parser) -> None:
    parser.add_argument("--out", type=Path, default=Path("build/bench.csv"))
    parser.add_argument("--only", choices=modules(), help="one module of postproof/benchmarks")


def main(args) -> None:
    """A target that is missed, or lies within the spread, is shown, and no error: seconds depend on the machine."""
    import pandas as pd

    print(f"{'name':<36} {'median':>9} {'quartiles':>17} {'target':>9}  unit")
    rows = []
    for name in [args.only] if args.only else modules():
        for found in importlib.import_module(f"postproof.benchmarks.{name}").rows():
            rows.append(found)
            spread = f"{found.low:.3g} to {found.high:.3g}"
            target = f"<= {found.target:g}"
            said = "" if found.outcome == "met" else f"  {found.outcome}"
            print(f"{found.name:<36} {found.value:>9.3g} {spread:>17} {target:>9}  {found.unit}{said}", flush=True)
    files.write_csv(args.out, pd.DataFrame([dataclasses.asdict(row) for row in rows]))
