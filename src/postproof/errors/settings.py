"""The section `errors` of params.yaml: what may stand there."""

from __future__ import annotations

from typing import Annotated

from postproof.core.settings import Count, Settings, at_least, at_most


class Handlers(Settings):
    user_id: Count  # that the route answers with


class Results(Settings):
    user_id: Count  # that the example answers with


class Propagation(Settings):
    retries: Annotated[int, at_least(1), at_most(10)]  # of a call that may fail for a moment


class Params(Settings):
    """The whole section."""

    handlers: Handlers
    results_as_values: Results
    error_propagation: Propagation
