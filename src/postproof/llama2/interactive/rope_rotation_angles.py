"""Twin of the chart rope_rotation_angles."""

from __future__ import annotations

from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Series, Twin
from postproof.llama2.figures.rope_rotation_angles import TABLES, TURN, beside_ours, read, says
from postproof.llama2.looks import LOOKS


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    posted = beside_ours(tables.read(args.tables[1], TABLES[1]), table)
    keys = ["position", "pair"]
    table = table.merge(posted[[*keys, "angle_rad_posted"]], how="left", on=keys, validate="1:1")
    angle = Axis("angle (rad, modulo 2π)")
    series = Series("angles", LOOKS["base"], TABLES[0], table, "position", "pair", shade="angle_mod_2pi_rad",
                    beside="angle_rad_posted", told={"angle_rad": "whole angle (rad)"})  # fmt: skip
    axes = Axis("position (tokens)", "ordinal"), Axis("pair of features (0 is the fastest)", "ordinal", reverse=True)
    panel = Panel(*axes, (series,), shade=angle, cmap="twilight", range=(0, TURN))
    page.write(args, TABLES, Twin(says(table, posted), (panel,)))
