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
    """Raises ArtefactError when the file is no SVG of ours: with a size in points, a title and a description."""
    try:
        root = ElementTree.parse(path).getroot()
        width, height = (round(float(root.attrib[side].removesuffix("pt")) * PIXELS_PER_POINT)
                         for side in ("width", "height"))  # fmt: skip
        says, what = (root.find(f"{SVG}{name}").text.strip() for name in ("title", "desc"))
    except (OSError, ElementTree.ParseError, KeyError, ValueError, AttributeError) as error:
        raise ArtefactError("not a chart: no size, title or description", file=path) from error
    return Drawing(says, SOURCE.sub("", what), width, height)
