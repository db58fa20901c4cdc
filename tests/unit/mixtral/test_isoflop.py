"""Points at several FLOP budgets: one run passes through all of them; how many seeds a gap takes to be told."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from postproof.core import files
from postproof.core.errors import ArtefactError
from postproof.data.prepare_corpus import Corpus
from postproof.mixtral import isoflop_metrics
from postproof.mixtral.flops import step_flops
from postproof.mixtral.settings import IsoflopSettings, ModelSizes, RaceSettings
from postproof.mixtral.training import Run

SIZES = ModelSizes(d_model=16, heads=2, layers=1, sequence=8, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)
POSTED = ModelSizes(d_model=192, heads=6, layers=3, sequence=96, dense_ffn=768, experts=8, expert_ffn=96, top_k=2)


def test_widths_are_scaled_in_proportion():
    wide = POSTED.scaled(768)
    assert wide == dataclasses.replace(POSTED, d_model=768, heads=24, dense_ffn=3072, expert_ffn=384)
    assert POSTED.scaled(192) == POSTED
    assert POSTED.width_step == 32 and POSTED.scaled(32) == dataclasses.replace(
        POSTED, d_model=32, heads=1, dense_ffn=128, expert_ffn=16
    )


def test_every_budget_is_a_point_of_one_run_and_the_first_is_the_race_to_it(tmp_path):
    ids = torch.randint(10, (1000,), generator=torch.Generator().manual_seed(0))
    corpus = Corpus(ids[:900], ids[900:], list("abcdefghij"))
    flops = step_flops("moe", SIZES, batch=2)
    settings = IsoflopSettings(2, 1e-2, budgets_flops=[9 * flops, 3.5 * flops])
    rows = Run("moe", 5, SIZES, settings, corpus, torch.device("cpu")).to_end(tmp_path / "a", log=None)
    assert [row["step"] for row in rows] == [4, 9] and "val_loss_as_posted" not in rows[0]
    race = RaceSettings(2, 1e-2, budget_flops=3.5 * flops, checkpoint_flops=flops, val_batches=2)
    last = Run("moe", 5, SIZES, race, corpus, torch.device("cpu")).to_end(tmp_path / "b", log=None)[-1]
    assert rows[0]["val_loss_fixed_windows"] == last["val_loss_fixed_windows"]


@pytest.mark.parametrize(
    "effect, paired, unpaired",
    # Two-sided 5 %, power 80 %: tables of G*Power 3.1 (unpaired effect there is this one times sqrt 2).
    [(0.5, 34, 33), (1.0, 10, 9)],
)
def test_seeds_needed_are_those_of_power_tables(effect, paired, unpaired):
    assert isoflop_metrics.seeds_needed(effect, lambda seeds: seeds - 1) == paired
    assert isoflop_metrics.seeds_needed(-effect, lambda seeds: 2 * seeds - 2) == unpaired


def test_seeds_needed_have_the_power_in_a_simulation():
    effect = 1.5
    n = isoflop_metrics.seeds_needed(effect, lambda seeds: seeds - 1)
    samples = np.random.default_rng(0).normal(effect, 1, size=(2, 20_000, n))

    def power(draws):
        return (stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05).mean()

    # The share of 20,000 draws has a deviation of 0.003; below 0.8 by four of them: once in 30,000.
    assert power(samples[0]) > 0.8 - 0.012
    assert power(samples[1][:, :-1]) < 0.8 + 0.012, "one seed fewer is not enough"


@pytest.mark.parametrize("effect, seeds", [(0, 1000), (1e-6, 1000), (math.inf, 2)])
def test_no_gap_and_no_spread(effect, seeds):
    assert isoflop_metrics.seeds_needed(effect, lambda n: n - 1) == seeds


def write_runs(folder, seeds=(1, 2, 3), gap=0.5):
    paths = []
    for arm, offset in [("dense", gap), ("moe", 0.0)]:
        for seed in seeds:
            loss = [3 + offset + 0.1 * seed, 2 + offset + 0.1 * seed]
            run = pd.DataFrame({"arm": arm, "seed": seed, "step": [5, 20], "cumulative_flops": [1010, 4040]})
            run = run.assign(tokens_seen=run["step"] * 8, train_loss=loss, val_loss_fixed_windows=loss)
            paths.append(folder / f"{arm}_d16-seed{seed}.csv")
            files.write_csv(paths[-1], run)
    return paths


def test_the_gap_is_taken_within_a_seed(tmp_path):
    points = isoflop_metrics.tidy(write_runs(tmp_path), [1000, 4000])
    assert len(points) == 12 and set(points["budget_flops"]) == {1000, 4000} and set(points["width"]) == {16}
    gaps = isoflop_metrics.gaps(points)
    np.testing.assert_allclose(gaps["gap_nats"], 0.5)
    np.testing.assert_allclose(gaps["gap_sd"], 0, atol=1e-12)  # the seeds differ, the gap within a seed does not
    np.testing.assert_allclose(gaps["perplexity_reduction"], 1 - math.exp(-0.5))
    assert (gaps["seeds_needed_paired"] == 2).all() and (gaps["seeds_needed_unpaired"] == 3).all()


def test_one_seed_has_a_gap_without_a_spread(tmp_path):
    gaps = isoflop_metrics.gaps(isoflop_metrics.tidy(write_runs(tmp_path, seeds=[1]), [1000, 4000]))
    assert gaps["gap_nats"].notna().all() and gaps["gap_sd"].isna().all() and gaps["seeds_needed_paired"].isna().all()


def test_a_run_that_ends_early_or_has_another_name_is_refused(tmp_path):
    paths = write_runs(tmp_path)
    with pytest.raises(ArtefactError, match="ends before"):
        isoflop_metrics.tidy(paths, [1000, 5000])
    for name in ("dense_d16-seed4", "moe_d16-seed1", "dense-seed1"):
        copy = tmp_path / f"{name}.csv"
        copy.write_bytes(paths[0].read_bytes())
        with pytest.raises(ArtefactError, match="name says"):
            isoflop_metrics.tidy([copy], [1000])
