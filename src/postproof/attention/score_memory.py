"""Peak bytes of one attention layer over the sequence, by what torch dispatches and the CUDA allocator's rules.

The layer is that of layer_variants.py in each variant, run on torch's meta device: shapes without numbers. Each storage
that an operation makes is noted when it comes and when Python lets go of it, and goes through the rules of
published/caching_allocator.py. As in the measurement, parameters, input and mask are there beforehand, and the peak is
that of one forward pass with its output alive. Two operations are put in CUDA's form:

    dropout    one kernel that gives its result and a boolean of what it kept (native_dropout); elsewhere it is composed
    sdpa       the memory-efficient kernel, which torch chooses in float32: the scores never leave the chip, so what it
               allocates is the output and a logsumexp per query and head (needed for gradients, let go of at once
               without them); both grow with n

Parts of the bytes at the peak (block sizes, so they add up to it):

    parameters      4 D^2 x 4                     W_Q, W_K, W_V, W_O
    activations     a multiple of n D x 4         input, q, k, v and output
    mask            n^2                           the boolean (n, n) causal mask
    scores          a multiple of H n^2 x 4       q k^T, the same divided by sqrt(d_k), the same masked: those alive
    weights         a multiple of H n^2 x 4       softmax of them; after dropout
    dropout_mask    H n^2                         a byte a weight

`scores_formula_bytes` is H n^2 x 4, one score matrix of each head. Left out: cuBLAS's workspace (8 MiB or so from the
same allocator, at the first product) and the CUDA context (hundreds of MB outside it, which memory_allocated() does not
see): a constant each. The second table has least-squares polynomials through the peaks up to `fit_longest`, in exact
fractions.

Held against the post: its peaks up to 512 tokens are those of plain_all_kept plus one constant, nearly to within their
rounding; that at 1,024 lies above this by about one more score matrix, so no polynomial of second degree passes through
all five, whatever the constant. Its theoretical column is the formula times 20 at every length, 160 matrices in place
of 8: no reading of one layer, one sequence, 8 heads and float32 gives that, and it exceeds the post's own peaks.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from postproof.attention.layer_variants import D_MODEL, HEADS, VARIANTS, make
from postproof.attention.settings import ScoreMemory
from postproof.core import settings, tables
from postproof.published.caching_allocator import CachingAllocator

PARTS = ("parameters", "activations", "mask", "scores", "weights", "dropout_mask")
BYTES_PER_SCORE = 4  # float32
DEGREES = (1, 2)
aten = torch.ops.aten


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section attention.score_memory, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per attention, sequence and part")
    parser.add_argument("--out-fit", type=Path, required=True, help="tidy CSV, one row per attention and degree")


def main(args) -> None:
    section = settings.parse(ScoreMemory, args.settings)
    table = pd.DataFrame(
        row for attention in VARIANTS for length in section.sequences for row in by_part(attention, length)
    )
    tables.write(args.out, table, "attention/score_memory")
    tables.write(args.out_fit, pd.DataFrame(fits(table, section.fit_longest)), "attention/score_memory_fit")


def by_part(attention: str, length: int) -> Iterator[dict]:
    """A row per part of the bytes at the peak, each with the totals."""
    ledger = forward_pass(attention, length)
    labels = {"attention": attention, "sequence": length, "d_model": D_MODEL, "heads": HEADS, "batch": 1}
    totals = {
        "held_bytes": ledger.held_bytes,
        "peak_bytes": ledger.peak_bytes,
        "after_bytes": ledger.after_bytes,
        "reserved_bytes": ledger.allocator.peak_reserved,
        "scores_formula_bytes": HEADS * length**2 * BYTES_PER_SCORE,
    }
    for part in PARTS:
        yield labels | {"part": part, "part_bytes": ledger.peak_parts[part]} | totals


@torch.no_grad()
def forward_pass(attention: str, length: int) -> Ledger:
    """What one forward pass of the measured layer has allocated."""
    ledger = Ledger()
    with ledger, AsOnCuda():
        call = make(attention, length, torch.device("meta"))
        ledger.run(call)
    return ledger


class Ledger(TorchDispatchMode):
    """Notes each storage that torch's operations make, and its part, until nothing refers to it any more."""

    def __init__(self):
        super().__init__()
        self.allocator = CachingAllocator()
        self.alive: dict[int, tuple[str, int]] = {}  # part and block's bytes, by storage
        self.held_bytes = self.peak_bytes = self.after_bytes = 0
        self.peak_parts: Counter[str] = Counter()

    def run(self, call: Callable[[], Tensor]) -> None:
        """One call, from what is there now to its result, which is let go of afterwards."""
        self.held_bytes, self.peak_bytes = self.allocator.allocated, 0
        self.allocator.reset_peak()
        self._look()
        result = call()
        self.after_bytes = self.allocator.allocated
        del result

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for index, tensor in enumerate(results if isinstance(results, tuple) else (results,)):
            # A generator's seed and offset, which have no dimension, stay in the host's memory.
            if isinstance(tensor, Tensor) and tensor.ndim:
                self._note(tensor, self._part(func.overloadpacket, index, tensor))
        return results

    def _part(self, operation, index: int, tensor: Tensor) -> str:
        if operation is aten.native_dropout:
            return ("weights", "dropout_mask")[index]
        if tensor.dtype == torch.bool:
            return "mask"
        if operation is aten._softmax:
            return "weights"
        # q k^T comes before the softmax, the product of weights and values after it.
        before_softmax = not any(part == "weights" for part, _ in self.alive.values())
        if operation in (aten.div, aten.masked_fill) or (operation is aten.bmm and before_softmax):
            return "scores"
        return "parameters" if operation is aten.empty else "activations"

    def _note(self, tensor: Tensor, part: str) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.alive or storage.nbytes() == 0:
            return  # a view, or a change in place
        block = self.allocator.allocate(storage.nbytes())
        self.alive[key] = part, block.size

        def let_go():
            del self.alive[key]
            self.allocator.free(block)

        weakref.finalize(storage, let_go)
        self._look()

    def _look(self) -> None:
        if self.allocator.allocated > self.peak_bytes:
            self.peak_bytes = self.allocator.allocated
            self.peak_parts = Counter()
            for part, size in self.alive.values():
                self.peak_parts[part] += size


class AsOnCuda(TorchFunctionMode):
    """The two functions that take another form on other devices, as the kernels that CUDA takes for them."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.dropout and kwargs["training"] and kwargs["p"] > 0:
            return torch.native_dropout(*args, kwargs["p"], True)[0]
        if func is F.scaled_dot_product_attention:
            call = aten._scaled_dot_product_efficient_attention
            return call(*args, None, True, kwargs["dropout_p"], kwargs["is_causal"])[0]
        return func(*args, **kwargs)


def fits(table: pd.DataFrame, longest: int) -> Iterator[dict]:
    """A row per attention and degree."""
    totals = table.drop_duplicates(["attention", "sequence"])
    for attention, rows in totals.groupby("attention", sort=False):
        peaks = dict(zip(rows["sequence"].tolist(), rows["peak_bytes"].tolist()))
        fitted = {length: peak for length, peak in peaks.items() if length <= longest}
        for degree in DEGREES:
            terms = least_squares(list(fitted), list(fitted.values()), degree)
            errors = {n: value(terms, n) - peak for n, peak in peaks.items()}
            last = max(peaks)
            yield {
                "attention": attention,
                "degree": degree,
                "points": len(fitted),
                "fit_longest_tokens": max(fitted),
                "constant_bytes": float(terms[0]),
                "bytes_per_token": float(terms[1]),
                "bytes_per_token2": float(terms[2]) if degree > 1 else 0.0,
                "score_matrices": float(terms[2] / (HEADS * BYTES_PER_SCORE)) if degree > 1 else 0.0,
                "max_error_bytes": float(max(abs(errors[n]) for n in fitted)),
                "max_relative_error": float(max(abs(errors[n]) / peaks[n] for n in fitted)),
                "longest_tokens": last,
                "longest_relative_error": float(errors[last] / peaks[last]),
            }


def least_squares(xs: list[int], ys: list[int], degree: int) -> list[Fraction]:
    """Coefficients from the constant on that make sum (y - p(x))^2 least: the normal equations, solved exactly.

    In floats, a polynomial that passes through every peak would miss them by a rounding error that differs from
    processor to processor; the table holds that distance, which is 0.
    """
    size = degree + 1
    matrix = [
        [Fraction(sum(x ** (i + j) for x in xs)) for j in range(size)]
        + [Fraction(sum(y * x**i for x, y in zip(xs, ys)))]
        for i in range(size)
    ]
    for column in range(size):  # positive definite, so no pivot is 0
        pivot = matrix[column] = [entry / matrix[column][column] for entry in matrix[column]]
        for other in range(size):
            if other != column:
                factor = matrix[other][column]
                matrix[other] = [entry - factor * above for entry, above in zip(matrix[other], pivot)]
    return [row[-1] for row in matrix]


def value(terms: list[Fraction], x: int) -> Fraction:
    return sum((term * x**power for power, term in enumerate(terms)), Fraction(0))
