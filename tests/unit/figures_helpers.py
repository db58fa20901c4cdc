"""Commands run in this process, with a parser as their own."""

import argparse
import importlib
from pathlib import Path


def run(command: str, argv: list) -> None:
    """`command` as on the command line, e.g. llama2.figures.rope_decay."""
    module = importlib.import_module(f"postproof.{command}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    module.main(parser.parse_args([str(argument) for argument in argv]))


def draw(post: str, figure: str, tables: list[Path], folder: Path, *more) -> list[bytes]:
    """The SVG and the PNG that a post's figure command makes of the tables."""
    out = [folder / "chart.svg", folder / "chart.png"]
    run(f"{post}.figures.{figure}", ["--tables", *tables, "--out-svg", out[0], "--out-png", out[1], *more])
    return [path.read_bytes() for path in out]
