"""What a drawn chart says of itself: its sentence, the grey line under it, what it was drawn from, and its size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from postproof.core.errors import ArtefactError

SVG = "{http://www.w3.org/2000/svg}"
SOURCE = re.compile(r"\s*Source: (.*?)\.?\s*$", re.DOTALL)
PIXELS_PER_POINT = 4 / 3  # of CSS


@dataclass(frozen=True)
class Drawing:
    """`width` and `height` in CSS pixels."""

    says: str
    what: str
    width: int
    height: int


def read(path: Path) -> Drawing:
    """Title and description are empty where it has none. Raises ArtefactError for no SVG with a size in points."""
    try:
        root = ElementTree.parse(path).getroot()
        width, height = (round(float(root.attrib[side].removesuffix("pt")) * PIXELS_PER_POINT)
                         for side in ("width", "height"))  # fmt: skip
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as error:
        raise ArtefactError("not a chart: no SVG, or none with a size in points", file=path) from error
    says, what = ((root.findtext(f"{SVG}{name}") or "").strip() for name in ("title", "desc"))
    return Drawing(says, SOURCE.sub("", what), width, height)
