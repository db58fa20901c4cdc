"""Join the walks into one table."""

from pathlib import Path

import pandas as pd

from postproof.core import files, tables


def add_arguments(parser) -> None:
    parser.add_argument("--seeded", type=Path, nargs="+", required=True)
    parser.add_argument("--named", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)


def main(args) -> None:
    parts = [files.read_csv(path).assign(kind="seeded") for path in args.seeded]
    parts += [files.read_csv(path).assign(kind="named") for path in args.named]
    tables.write(args.out, pd.concat(parts)[["kind", "seed", "step", "position"]], "toy/walk")
