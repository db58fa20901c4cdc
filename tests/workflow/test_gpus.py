"""Jobs that ask for a GPU get different ones, as many at once as there are."""

import uuid

import pytest

from gpus_helpers import events, let_walks_use_gpus, logged

FAST = ("--config", "mode=fast", "device=auto", "--", "results-fast/toy/metrics/walk.csv")


@pytest.mark.slow
@pytest.mark.parametrize("limit, third_waits_for", [((), "its turn"), (("--resources", "gpu=3"), "a device")])
def test_two_jobs_at_once_get_two_gpus_and_a_third_waits(checkout, limit, third_waits_for):
    let_walks_use_gpus(checkout)
    checkout.set_params({"toy.walk": {"seeds": [7, 8, 9]}})
    first, second = (f"GPU-{uuid.uuid4()}" for _ in range(2))  # beside another test, too
    output = checkout.snakemake(*limit, *FAST, cores=3, CUDA_VISIBLE_DEVICES=f"{first},{second}")
    assert ("waits for a GPU" in output) == (third_waits_for == "a device")

    in_use, most = [], 0
    for device, done in events(checkout):
        (in_use.append if done == "taken" else in_use.remove)(device)
        most = max(most, len(in_use))
        assert len(set(in_use)) == len(in_use) and set(in_use) <= {first, second}
    assert most == 2
    assert {tuple(logged(checkout, seed)) for seed in (7, 8, 9)} == {(first,), (second,)}


def test_what_a_rule_says_to_run_does_not_change_with_gpus_in_exact_mode(checkout):
    text = (checkout.path / "workflow/rules/common.smk").read_text()
    assert "--gpus" in text
    done = checkout.run("snakemake", "--cores", "1", "--dry-run", "--forceall", "--printshellcmds")
    assert "postproof --mode exact" in done.stdout and "--gpus" not in done.stdout
