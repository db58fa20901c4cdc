"""Speed: every row of postproof/benchmarks measured side by side in one run, as a table and in build/bench.csv."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from pathlib import Path

from postproof import benchmarks
from postproof.core import files


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure and the largest value it should have. Ratios have the unit "1"."""

    name: str
    value: float
    target: float
    unit: str


def modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "runner")


def add_arguments(parser) -> None:
    parser.add_argument("--out", type=Path, default=Path("build/bench.csv"))
    parser.add_argument("--only", choices=modules(), help="one module of postproof/benchmarks")


def main(args) -> None:
    """A target that is missed is shown, and no error: seconds depend on the machine."""
    import pandas as pd

    print(f"{'name':<36} {'value':>9} {'target':>9}  unit")
    rows = []
    for name in [args.only] if args.only else modules():
        for row in importlib.import_module(f"postproof.benchmarks.{name}").rows():
            rows.append(row)
            met = "" if row.value <= row.target else "  missed"
            print(f"{row.name:<36} {row.value:>9.3g} {'<= ' + format(row.target, 'g'):>9}  {row.unit}{met}", flush=True)
    files.write_csv(args.out, pd.DataFrame([dataclasses.asdict(row) for row in rows]))
