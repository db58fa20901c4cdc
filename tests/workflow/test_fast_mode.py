"""Fast mode: the same DAG into results-fast/, on any device, without touching what is recorded."""

import numpy as np
import pandas as pd
import pytest
import torch


def test_fast_mode_leaves_the_recorded_results_alone_and_comes_close_to_them(checkout):
    before = checkout.artefacts()
    figures = [path.removeprefix("results/") for path in before if path.startswith("results/mixtral/figures/")]
    wanted = ["mixtral/claims.json", "llama2/metrics/ablation.csv", *figures]
    checkout.snakemake("--config", "mode=fast", "device=auto", "--", *(f"results-fast/{path}" for path in wanted))
    assert checkout.artefacts() == before
    there = {str(path.relative_to(checkout.path / "results-fast")) for path in checkout.files("results-fast")}
    mixtral = {path.removeprefix("results/") for path in before if path.startswith("results/mixtral/")}
    assert there == mixtral | {"llama2/metrics/ablation.csv"}
    fast, exact = (
        pd.read_csv(checkout.path / folder / "mixtral/metrics/race.csv") for folder in ("results-fast", "results")
    )
    np.testing.assert_allclose(fast["val_perplexity"], exact["val_perplexity"], rtol=0.01)
    assert checkout.plan() == {"snakemake": set(), "dvc": set()}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_gpu_that_is_not_there_is_a_short_message(checkout):
    done = checkout.run("snakemake", "--cores", "1", "--config", "mode=fast", "device=cuda", check=False)
    assert done.returncode != 0
    assert "device cuda is not available" in done.stderr and "what to do" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_full_tier_is_not_part_of_all_and_draws_the_gap_at_every_width(checkout):
    before = checkout.artefacts()
    assert not [path for path in before if "full" in path]
    checkout.snakemake("full", "--config", "mode=fast")
    fast = checkout.path / "results-fast/mixtral"
    points = pd.read_csv(fast / "metrics/full.csv")
    assert sorted(points["width"].unique()) == [16, 32] and len(points) == 2 * 2 * 2 * 2
    assert (fast / "figures/full_gap.svg").exists() and len(pd.read_csv(fast / "metrics/full_gap.csv")) == 4
    added = checkout.artefacts().keys() - before.keys()
    assert added == {"data/prepared/mixtral_full.safetensors", "data/prepared/mixtral_full.json"}
