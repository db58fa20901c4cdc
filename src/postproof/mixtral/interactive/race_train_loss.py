"""Twin of the chart race_train_loss."""

from __future__ import annotations

from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Twin
from postproof.mixtral.figures import race_curves
from postproof.mixtral.figures.race_train_loss import TABLES, says
from postproof.mixtral.interactive.race_series import of_reruns, of_runs

AT = "cumulative_flops", "train_loss"


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    race = race_curves.read(args.tables[0]).query("protocol == 'as_posted'")
    reruns = tables.read(args.tables[1], TABLES[1])
    series = [*of_reruns(reruns, TABLES[1], *AT), *of_runs(race, TABLES[0], *AT)]
    panel = Panel(Axis(race_curves.FLOPS_LABEL), Axis("training loss (nats per character)"), tuple(series))
    page.write(args, TABLES, Twin(says(reruns), (panel,)))
