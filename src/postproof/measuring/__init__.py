"""Measurements: what a clock or a memory counter says. Run by `postproof measure`; see there."""
