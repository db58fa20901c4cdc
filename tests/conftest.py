"""The whole suite runs in exact mode, as the pipeline does: the pin has to come before NumPy and torch.

Each test carries the mark of the promise that its folder guards: `pytest -m engines` runs those of one promise.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from postproof.core import exact

exact.pin()
# quantecon, a reference of some tests, has numba start its threads when it is imported: as many as there are cores, and
# torch's with them, which share one pool. Sums of a training in this process would change.
os.environ["NUMBA_NUM_THREADS"] = "1"

# The same examples each time: a test that fails once fails again. Without a folder of its own in the root.
settings.register_profile("fixed", derandomize=True, max_examples=100, deadline=None, database=None)
settings.load_profile("fixed")

pytest_plugins = ["reliability"]
MARKS = {"unit": "numbers", "workflow": "engines", "faults": "faults", "smoke": "committed", "pages": "pages"}


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        folder = Path(item.path).relative_to(Path(__file__).parent).parts[0]
        item.add_marker(getattr(pytest.mark, MARKS[folder]))

    # The longest first, so that no worker is left with it at the end: by their limits, then those that run engines.
    def length(item) -> tuple[float, bool]:
        limit = max((mark.args[0] for mark in item.iter_markers("timeout")), default=0)
        return -limit, item.get_closest_marker("numbers") is not None

    items.sort(key=length)
