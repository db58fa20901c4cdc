"""Twin of the chart router_entropy."""

from __future__ import annotations

from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Twin
from postproof.mixtral.figures import router_tables
from postproof.mixtral.figures.router_entropy import TABLES, says
from postproof.mixtral.interactive.race_series import of_reruns, of_runs

AT = "step", "entropy"


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    balance_file, _, usage_file, reruns_file = args.tables
    balance = router_tables.read_balance(balance_file)
    experts = router_tables.read_usage(usage_file)["expert"].nunique()
    reruns = tables.read(reruns_file, TABLES[3])
    series = [*of_reruns(reruns, TABLES[3], *AT), *of_runs(balance, TABLES[0], *AT)]
    panel = Panel(Axis(router_tables.STEPS_LABEL), Axis("entropy of expert choices (nats)"), tuple(series))
    page.write(args, TABLES, Twin(says(reruns, experts), (panel,)))
