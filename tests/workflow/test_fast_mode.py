"""Fast mode: the same DAG into results-fast/, on any device, without touching what is recorded."""

import numpy as np
import pandas as pd
import pytest
import torch


def test_fast_mode_leaves_the_recorded_results_alone_and_comes_close_to_them(checkout):
    before = checkout.artefacts()
    checkout.snakemake("--config", "mode=fast", "device=auto")
    assert checkout.artefacts() == before
    there = {path.relative_to(checkout.path / "results-fast") for path in (checkout.path / "results-fast").rglob("*.*")}
    assert there == {path.relative_to(checkout.path / "results") for path in (checkout.path / "results").rglob("*.*")}
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
