"""The section `bandits` of params.yaml: what may stand there."""

from __future__ import annotations

from postproof.core.settings import Count, Seeds, Settings


class Testbed(Settings):
    seeds: Seeds
    draws: Count  # of each seed


class Params(Settings):
    """The whole section."""

    testbed: Testbed
