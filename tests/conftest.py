"""The whole suite runs in exact mode, as the pipeline does: the pin has to come before NumPy and torch."""

from postproof import exact

exact.pin()
