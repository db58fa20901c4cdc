"""The colours of all charts, and what a post says of the variants that it compares.

Colours are Okabe and Ito's (2008), told apart by colour-blind readers; they also differ in lightness, so in grey. A
post has one table of looks, postproof/{post}/looks.py: within a post a look means one thing, and a thing has one look.
Other colours stand nowhere.
"""

from __future__ import annotations

import dataclasses

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
# For what is not compared: frames and notes, second things, areas.
DARK_GREY = "#555555"
GREY = "#808080"
LIGHT_GREY = "#C4C4C4"
PALE_GREY = "#E8E8E8"
WHITE = "#FFFFFF"


@dataclasses.dataclass(frozen=True)
class Look:
    """How a variant is named and drawn. `stem` is what tables call it."""

    stem: str
    short: str
    long: str
    colour: str
    marker: str = "o"
    line: str = "-"
    hatch: str = ""


# What the post itself shows, in every chart of every post that has it.
POSTED = Look("posted", "posted", "the post", PURPLE, "x", "")


def looks(*entries: Look) -> dict[str, Look]:
    """The looks of a post by stem. Raises ValueError when two could not be told apart, or a stem stands twice."""
    for one_of in ("stem", "drawn"):
        seen: dict[object, str] = {}
        for look in entries:
            key = look.stem if one_of == "stem" else (look.colour, look.marker, look.line, look.hatch)
            if key in seen:
                raise ValueError(f"{look.stem} and {seen[key]} have one {one_of}: {key}")
            seen[key] = look.stem
    return {look.stem: look for look in entries}
