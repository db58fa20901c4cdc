"""Values with a unit and named axes, and the arithmetic that respects both.

A quantity has up to two axes: `seed`, one entry per run, and after it `checkpoint` or `row`: the checkpoints of a run,
or the rows of a table that has none, in order. Two quantities meet axis by axis: a value per seed with one per seed and
checkpoint is compared at every checkpoint. Numbers are held in base units: what is read in GB is held in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from postproof.core.errors import ClaimError
from postproof.core.units import ONE, Unit

SEED, CHECKPOINT, ROW = "seed", "checkpoint", "row"
AXES = (SEED, CHECKPOINT, ROW)


class MissingRun(ClaimError):
    """A claim speaks of a run that the params leave out: no fault of the claim, and nothing to judge it by."""


@dataclass(frozen=True)
class Quantity:
    """`data` has one dimension per name in `axes`, in the order of AXES; dtype float64, or bool with unit 1.

    `unit` is a base unit; `measured` and `in_unit` are the way in and out for others.
    """

    data: np.ndarray
    unit: Unit = ONE
    axes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()  # labels of the seed axis, empty without one

    def __post_init__(self) -> None:
        if not np.all(np.isfinite(self.data)):
            raise ClaimError("not a finite number", value="NaN or infinite", unit=self.unit)

    @classmethod
    def measured(
        cls, data: np.ndarray, unit: Unit, axes: tuple[str, ...] = (), seeds: tuple[int, ...] = ()
    ) -> Quantity:
        """From numbers of any unit. Raises ClaimError when one is not finite."""
        return cls(unit.in_base(np.asarray(data, dtype=np.float64)), unit.base, axes, seeds)

    def in_unit(self, unit: Unit) -> Quantity:
        """The numbers as they are in `unit`: to show them, or to compare them with a posted number.

        Raises ClaimError when it is a unit of something else.
        """
        if not self.number().unit.same_dimension(unit):
            raise ClaimError("what we get has another unit than the claim", value=self.unit, allowed=unit.base)
        return replace(self, data=np.asarray(unit.from_base(self.data)), unit=unit)

    @property
    def boolean(self) -> bool:
        return self.data.dtype == bool

    @property
    def shape(self) -> str:
        """The axes in words."""
        sizes = [f"{size} {axis}s" for axis, size in zip(self.axes, self.data.shape, strict=True)]
        return " by ".join(sizes) or "one value"

    def number(self) -> Quantity:
        """Itself. Raises ClaimError when it is true or false."""
        if self.boolean:
            raise ClaimError("a number is needed here", value="a comparison, true or false")
        return self

    def truth(self) -> Quantity:
        """Itself. Raises ClaimError when it is a number."""
        if not self.boolean:
            raise ClaimError("a comparison is needed here", value=f"a number of unit {self.unit}")
        return self

    def pick(self, axis: str, index: int) -> Quantity:
        """The entry at `index` of `axis`, without that axis. Raises ClaimError when there is no such axis."""
        if axis not in self.axes:
            raise ClaimError(f"there is no {axis} to choose", value=self.shape, allowed=f"a value with {axis}s")
        data = np.take(self.data, index, axis=self.axes.index(axis))
        axes = tuple(name for name in self.axes if name != axis)
        return replace(self, data=data, axes=axes, seeds=() if axis == SEED else self.seeds)

    def pick_in_order(self, index: int) -> Quantity:
        """The entry at `index` of the checkpoints or rows. Raises ClaimError when there are none."""
        if self.axes[-1:] not in ((CHECKPOINT,), (ROW,)):
            raise ClaimError("there is no checkpoint or row to choose", value=self.shape,
                             allowed="a value with checkpoints or rows")  # fmt: skip
        return self.pick(self.axes[-1], index)

    def at_seed(self, seed: int) -> Quantity:
        """The run of that seed. Raises MissingRun when there is none."""
        if SEED in self.axes and seed not in self.seeds:
            raise MissingRun("no run of this seed", value=seed, allowed=", ".join(map(str, self.seeds)))
        return self.pick(SEED, self.seeds.index(seed) if self.seeds else 0)

    def reduce(self, function: Callable[..., np.ndarray], unit: Unit | None = None) -> Quantity:
        """`function` over the last axis: over checkpoints or rows where there are any, else over the seeds."""
        if not self.axes:
            raise ClaimError("one value has nothing to be reduced over", value=self.shape, allowed="a vector")
        data = np.asarray(function(self.data, axis=-1))
        axes = self.axes[:-1]
        return Quantity(data, unit or self.unit, axes, self.seeds if SEED in axes else ())


def scalar(value: float, unit: Unit = ONE) -> Quantity:
    return Quantity.measured(np.asarray(value), unit)


def align(*quantities: Quantity) -> tuple[list[np.ndarray], tuple[str, ...], tuple[int, ...]]:
    """The data spread over the union of the axes, that union, and its seeds.

    Raises ClaimError when the seeds or the numbers of checkpoints or rows differ, or when checkpoints meet rows.
    """
    axes = tuple(axis for axis in AXES if any(axis in quantity.axes for quantity in quantities))
    seeds = {quantity.seeds for quantity in quantities if SEED in quantity.axes}
    in_order = {(quantity.axes[-1], quantity.data.shape[-1]) for quantity in quantities if set(quantity.axes) - {SEED}}
    if len(seeds) > 1 or len(in_order) > 1:
        differing = "; ".join(f"{quantity.shape} {quantity.seeds or ''}".strip() for quantity in quantities)
        raise ClaimError("values of different seeds, checkpoints or rows cannot meet", value=differing)
    expanded = [
        quantity.data.reshape(
            [quantity.data.shape[quantity.axes.index(axis)] if axis in quantity.axes else 1 for axis in axes]
        )
        for quantity in quantities
    ]
    return [array.copy() for array in np.broadcast_arrays(*expanded)], axes, seeds.pop() if seeds else ()


def combine(function: Callable, left: Quantity, right: Quantity, unit: Unit) -> Quantity:
    """`function` of the aligned data, in `unit`. Raises ClaimError when the result is not finite."""
    (first, second), axes, seeds = align(left, right)
    with np.errstate(all="ignore"):  # what goes wrong shows as NaN or infinity, and Quantity refuses both
        return Quantity(np.asarray(function(first, second)), unit, axes, seeds)


def same_unit(left: Quantity, right: Quantity) -> Unit:
    """The unit of both. Raises ClaimError when they differ: nothing can be added to, or compared with, another unit."""
    if left.number().unit != right.number().unit:
        raise ClaimError("units differ", value=f"{left.unit} and {right.unit}", allowed="equal units")
    return left.unit


def power(base: Quantity, exponent: Quantity) -> Quantity:
    """Raises ClaimError unless the exponent is one plain number, and a whole one where the base has a unit."""
    if exponent.number().axes or exponent.unit != ONE:
        raise ClaimError("an exponent is one number without unit", value=f"{exponent.shape}, unit {exponent.unit}")
    if base.number().unit != ONE and float(exponent.data) % 1:
        raise ClaimError("a unit has whole powers only", value=float(exponent.data))
    unit = base.unit if base.unit == ONE else base.unit ** int(exponent.data)
    return combine(np.power, base, exponent, unit)


def square_root(value: Quantity) -> Quantity:
    unit = value.number().unit ** Fraction(1, 2)
    if any(exponent.denominator != 1 for exponent in unit.powers.values()):
        raise ClaimError("no square root of this unit", value=value.unit, allowed="even powers")
    return elementwise(np.sqrt, value, unit)


def elementwise(function: Callable, value: Quantity, unit: Unit) -> Quantity:
    with np.errstate(all="ignore"):
        return replace(value, data=np.asarray(function(value.data)), unit=unit)


def plain(data: Any) -> Any:
    """JSON-ready: whole numbers in full, others to nine significant digits (see files.FLOAT_FORMAT), lists nested."""
    if isinstance(data, np.ndarray) and data.ndim:
        return [plain(entry) for entry in data]
    if isinstance(data, (bool, np.bool_)) or (isinstance(data, np.ndarray) and data.dtype == np.bool_):
        return bool(data)
    number = float(data)
    return int(number) if number.is_integer() and abs(number) < 2**53 else float(f"{number:.9g}")
