"""The allocator with frees, worked by hand; the ledger against real tensors; the layer's peak against its formula."""

import argparse
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from postproof.attention import score_memory
from postproof.attention.layer_variants import D_MODEL, HEADS, VARIANTS, make
from postproof.attention.score_memory import PARTS, AsOnCuda, Ledger, forward_pass, least_squares
from postproof.core import files
from postproof.published.caching_allocator import MIB, CachingAllocator, allocate

SETTINGS = {"sequences": [64, 128, 256, 512, 1024, 8192], "fit_longest": 1024}


def run(folder: Path, **changes) -> tuple[Path, Path]:
    out = folder / "score_memory.csv", folder / "score_memory_fit.csv"
    parser = argparse.ArgumentParser()
    score_memory.add_arguments(parser)
    argv = ["--settings", json.dumps(SETTINGS | changes), "--out", str(out[0]), "--out-fit", str(out[1])]
    score_memory.main(parser.parse_args(argv))
    return out


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return run(tmp_path_factory.mktemp("tables"))


# --- allocator ---


def test_a_freed_block_serves_the_next_request():
    cache = CachingAllocator()
    first = cache.allocate(3 * MIB)
    cache.free(first)
    assert (cache.allocated, cache.reserved) == (0, 20 * MIB)
    again = cache.allocate(3 * MIB)
    assert (again.segment, again.offset, again.size) == (0, 0, 3 * MIB)
    assert (cache.allocated, cache.reserved, cache.peak_allocated) == (3 * MIB, 20 * MIB, 3 * MIB)


def test_the_smallest_block_that_is_large_enough_is_taken():
    cache = CachingAllocator()
    sizes = [6, 2, 3, 2, 4]  # MiB, and 3 are left
    blocks = [cache.allocate(size * MIB) for size in sizes]
    for index in (0, 2, 4):
        cache.free(blocks[index])  # the last joins the rest: 6, 3 and 7 are free
    assert cache.allocate(2 * MIB + 512).offset == 8 * MIB  # in the 3: a rest below 1 MiB stays with it
    assert cache.allocated == (2 + 2 + 3) * MIB
    assert cache.allocate(5 * MIB).size == 6 * MIB  # a rest of exactly 1 MiB is not split off either
    assert cache.reserved == 20 * MIB


def test_free_neighbours_join_and_blocks_in_use_keep_them_apart():
    cache = CachingAllocator()
    one, two, three = (cache.allocate(6 * MIB) for _ in range(3))
    cache.free(one)
    cache.free(three)  # with the rest of 2: 8 free behind, 6 in front
    assert cache.allocate(9 * MIB).segment == 1
    cache.free(two)
    assert cache.allocate(19 * MIB + 512).size == 20 * MIB and cache.reserved == 40 * MIB


def test_small_requests_have_segments_of_their_own():
    cache = CachingAllocator()
    large = cache.allocate(3 * MIB)
    cache.free(large)
    cache.allocate(1)
    assert cache.reserved == 22 * MIB and cache.allocated == 512


def test_peaks_and_their_reset():
    cache = CachingAllocator()
    kept, gone = cache.allocate(2 * MIB), cache.allocate(30 * MIB)
    cache.free(gone)
    assert (cache.allocated, cache.peak_allocated, cache.peak_reserved) == (2 * MIB, 32 * MIB, 50 * MIB)
    cache.reset_peak()
    assert (cache.peak_allocated, cache.peak_reserved) == (2 * MIB, 50 * MIB)
    assert kept.held and cache.allocate(0) is None and cache.allocated == 2 * MIB
    cache.free(None)
    with pytest.raises(ValueError, match="twice"):
        cache.free(gone)


@pytest.mark.parametrize("seed", range(10))
def test_the_allocator_keeps_its_invariants_whatever_comes_and_goes(seed):
    """False alarms: none, the properties hold for every order of requests."""
    rng = np.random.default_rng(seed)
    cache, held = CachingAllocator(), []
    for _ in range(400):
        if held and rng.random() < 0.45:
            cache.free(held.pop(rng.integers(len(held))))
        else:
            held.append(cache.allocate(int(2 ** rng.uniform(5, 26))))
        assert cache.allocated == sum(block.size for block in held) <= cache.reserved
        spans = sorted((block.segment, block.offset, block.size) for block in held)
        assert all(a[0] < b[0] or a[1] + a[2] <= b[1] for a, b in zip(spans, spans[1:])), "blocks overlap"
        free = [block for pool in cache._free.values() for block in pool]
        assert cache.allocated + sum(block.size for block in free) == cache.reserved
        assert not any(each is not None and not each.held for block in free for each in (block.before, block.after))
    for block in held:
        cache.free(block)
    assert cache.allocated == 0
    assert all(block.before is block.after is None for pool in cache._free.values() for block in pool)


def test_without_frees_it_is_the_function_of_before():
    requests = [1, 512, MIB, MIB + 1, 9 * MIB, 11 * MIB, 11 * MIB - 512, 3 * MIB // 2]
    cache = CachingAllocator()
    for request in requests:
        cache.allocate(request)
    assert allocate(requests) == (cache.allocated, cache.reserved)


# --- ledger ---


def test_the_ledger_follows_storages_not_names():
    with Ledger() as ledger:
        x = torch.empty(1024, 256, dtype=torch.float32)  # 1 MiB
        assert ledger.allocator.allocated == MIB
        view = x.view(256, 1024).T[:3]
        x.add_(1)
        assert ledger.allocator.allocated == MIB, "views and changes in place take nothing"
        y = x + 1
        assert ledger.allocator.allocated == 2 * MIB
        del x
        assert ledger.allocator.allocated == 2 * MIB, "the view still holds it"
        del view
        assert ledger.allocator.allocated == MIB
        del y
    assert ledger.allocator.allocated == 0 and not ledger.alive


def test_meta_and_real_tensors_give_one_ledger():
    """The plain layer on the CPU, where numbers are computed, allocates what it does on meta."""
    peaks = []
    for device in ("cpu", "meta"):
        with torch.no_grad(), Ledger() as ledger, AsOnCuda():
            ledger.run(make("plain", 96, torch.device(device)))
        peaks.append((ledger.held_bytes, ledger.peak_bytes, ledger.after_bytes, dict(ledger.peak_parts)))
    assert peaks[0] == peaks[1]


def test_dropout_takes_cudas_form():
    """CUDA's dropout gives its result and a boolean; without training or with p = 0 it gives its input."""
    x = torch.ones(4, 100, 100)
    with AsOnCuda():
        y = F.dropout(x, 0.25)
        assert F.dropout(x, 0.25, training=False) is x
    torch.testing.assert_close(y.unique(), torch.tensor([0, 4 / 3]))
    assert abs((y == 0).float().mean() - 0.25) < 0.02  # 40,000 draws: 0.02 is nine deviations
    with AsOnCuda(), Ledger() as ledger:
        y = F.dropout(x.clone(), 0.25)
    assert sorted(part for part, _ in ledger.alive.values()) == ["weights"]  # its mask was let go of


# --- layer ---


@pytest.mark.parametrize("length", [1024, 4096, 8192])
@pytest.mark.parametrize("attention, score_matrices", [("plain", 1), ("plain_all_kept", 3)])
def test_peak_is_the_sum_of_named_tensors(attention, score_matrices, length):
    """The peak is at dropout: softmax's input (and what came before it), its result, and that after dropout."""
    ledger = forward_pass(attention, length)
    matrix = HEADS * length**2 * 4
    assert ledger.peak_parts == {
        "parameters": 4 * D_MODEL**2 * 4,
        "activations": 4 * length * D_MODEL * 4,  # input, q, k, v
        "mask": length**2,
        "scores": score_matrices * matrix,
        "weights": 2 * matrix,
        "dropout_mask": matrix // 4,
    }
    assert ledger.peak_bytes == sum(ledger.peak_parts.values())


@pytest.mark.parametrize("attention", VARIANTS)
def test_held_before_and_after(attention):
    ledger = forward_pass(attention, 256)
    mask = 0 if attention == "sdpa" else 256**2
    assert ledger.held_bytes == 4 * D_MODEL**2 * 4 + 256 * D_MODEL * 4 + mask
    assert ledger.after_bytes == ledger.held_bytes + 256 * D_MODEL * 4
    assert ledger.held_bytes <= ledger.after_bytes <= ledger.peak_bytes


def test_a_second_pass_has_the_same_peak():
    """The measurement is of a warm call, whose blocks come out of the cache."""
    for attention in VARIANTS:
        with torch.no_grad(), Ledger() as ledger, AsOnCuda():
            call = make(attention, 512, torch.device("meta"))
            ledger.run(call)
            first = ledger.peak_bytes, ledger.after_bytes
            ledger.run(call)
        assert (ledger.peak_bytes, ledger.after_bytes) == first


def test_sdpa_is_linear_and_the_others_quadratic(tables):
    fits = files.read_csv(tables[1]).set_index(["attention", "degree"])
    assert fits.loc[("sdpa", 1), "max_error_bytes"] == 0 == fits.loc[("sdpa", 1), "longest_relative_error"]
    assert fits.loc[("sdpa", 2), "bytes_per_token2"] == 0
    for attention, matrices in (("plain", 3.25), ("plain_all_kept", 5.25)):
        fit = fits.loc[(attention, 2)]
        # The causal mask adds n^2, a 32nd of a matrix; below 256 tokens the peak is elsewhere.
        assert fit["score_matrices"] == pytest.approx(matrices + 1 / 32, abs=0.05)
        assert fit["max_relative_error"] < 0.01 and abs(fit["longest_relative_error"]) < 0.01
        assert fits.loc[(attention, 1), "longest_relative_error"] < -0.8


def test_parts_add_up(tables):
    table = files.read_csv(tables[0])
    groups = table.groupby(["attention", "sequence"])
    assert (groups["part_bytes"].sum() == groups["peak_bytes"].first()).all()
    assert set(table["part"]) == set(PARTS) and set(table["attention"]) == set(VARIANTS)
    assert (table["scores_formula_bytes"] == 32 * table["sequence"] ** 2).all()
    assert (
        table.loc[(table["attention"] == "sdpa") & table["part"].isin(["scores", "weights"]), "part_bytes"] == 0
    ).all()


def test_bytes_repeat(tables, tmp_path):
    assert [path.read_bytes() for path in run(tmp_path)] == [path.read_bytes() for path in tables]


@pytest.mark.parametrize("degree", [1, 2])
def test_least_squares_are_numpys(degree):
    xs, ys = [64, 128, 256, 512, 1024], [5, 9, 12, 70, 200]
    expected = np.polynomial.Polynomial.fit(xs, ys, degree).convert().coef
    np.testing.assert_allclose([float(term) for term in least_squares(xs, ys, degree)], expected, rtol=1e-9)
    exact = least_squares(xs, [7 + 3 * x + x * x for x in xs], 2)
    assert exact == [Fraction(7), Fraction(3), Fraction(1)]
