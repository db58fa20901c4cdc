"""FLOP budgets of a sweep, as its commands are handed them: multiples of the race's."""

from __future__ import annotations

import json


def add_arguments_of_budgets(parser) -> None:
    parser.add_argument("--budgets", required=True, help="FLOP budgets in those of the race, as a JSON list")
    parser.add_argument("--race-budget", type=float, required=True, help="FLOPs of the race")


def budgets_flops(args) -> tuple[float, ...]:
    """The budgets that the arguments ask for, ascending."""
    return tuple(sorted(budget * args.race_budget for budget in json.loads(args.budgets)))
