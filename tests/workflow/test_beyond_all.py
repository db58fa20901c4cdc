"""The real DAG with tiny numbers: what is left out of `all`, which `make verify` builds in full size."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from workflow_helpers import Checkout, copied, tracked

TINY = {
    "mixtral.corpus": {"characters": 4000},
    "mixtral.model": dict(d_model=16, heads=2, layers=3, sequence=16, dense_ffn=32, experts=8, expert_ffn=4),
    "mixtral.optimiser": {"batch": 4},
    "mixtral.race": {"seeds": [7, 8]},
    # Three dense steps or five of the MoE, with three checkpoints.
    "mixtral.race.training": dict(budget_flops=1.0e7, checkpoint_flops=3.5e6, val_batches=2),
    "mixtral.router_balance": {"seeds": [11]},
    "mixtral.router_balance.training": dict(steps=4, checkpoint_steps=1, val_batches=2),
    "mixtral.telemetry": {"window_tokens": 64},
    "mixtral.isoflop": {"widths": [16], "budgets": [0.5, 1]},
    "mixtral.full": {"widths": [16, 32], "budgets": [0.5, 1], "characters": 5000},
    "llama2.held_texts": {"characters": 60, "page": "data/texts/sentence.txt"},
    "attention.attention_check": {"shapes": [[1, 2, 5, 5, 4]], "seeds": [0], "posted_seeds": [0, 1, 2]},
    "attention.softmax_scaling": {"rows": 20, "keys": 8},
    "attention.head_runs": {"positions": 16, "example_sentence": 1},
    "attention.heads": {"bootstrap_draws": 20, "local_above": 0.6, "copy_below": 0.8, "broad_above": 1.5},
}
FIGURES = [f"mixtral/figures/race_{chart}.svg" for chart in ("matched_axes", "train_loss", "val_perplexity")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_all_does_not_make(tmp_path):
    """Fast mode, the full tier and models of a reader. One test: two would build the race twice."""
    race = built(tmp_path / "tree", *(f"results/{path}" for path in ("mixtral/metrics/race.csv", *FIGURES)))
    a_gpu_that_is_not_there_is_a_short_message(race)
    fast_mode_leaves_the_recorded_results_alone_and_comes_close_to_them(race)
    the_full_tier_is_not_part_of_all_and_draws_the_gap_at_every_width(race)
    another_models_heads_are_read_by_the_recipe_of_the_readme(race, tmp_path)


def built(folder: Path, *targets: str) -> Checkout:
    """The working tree with tiny params, built by Snakemake. Artefacts of the full-size runs are not copied."""
    checkout = Checkout(copied(tracked(without=("results/", "dvc.lock")), folder))
    checkout.set_params(TINY)
    sentence = "The clock on the wall had stopped."
    checkout.append("data/texts/sentence.txt", f"{sentence}\n")
    (checkout.path / "data/texts/sentences.csv").write_text(f"kind,sentence\nshort,{sentence}\nshort,She went out.\n")
    checkout.snakemake(*targets)
    return checkout


def fast_mode_leaves_the_recorded_results_alone_and_comes_close_to_them(whole: Checkout) -> None:
    before = whole.artefacts()
    wanted = ["mixtral/metrics/race.csv", "mixtral/metrics/router_balance.csv", "llama2/metrics/ablation.csv", *FIGURES]
    whole.snakemake("--config", "mode=fast", "device=auto", "--", *(f"results-fast/{path}" for path in wanted))
    after = whole.artefacts()
    assert before.items() <= after.items()
    assert not [path for path in after.keys() - before.keys() if path.startswith("results/")]
    there = {str(path.relative_to(whole.path / "results-fast")) for path in whole.files("results-fast")}
    assert set(wanted) <= there
    fast, exact = (
        pd.read_csv(whole.path / folder / "mixtral/metrics/race.csv") for folder in ("results-fast", "results")
    )
    np.testing.assert_allclose(fast["val_perplexity"], exact["val_perplexity"], rtol=0.01)
    assert "Nothing to be done" in whole.snakemake("--dry-run", "--", *(f"results/{path}" for path in FIGURES))


def the_full_tier_is_not_part_of_all_and_draws_the_gap_at_every_width(whole: Checkout) -> None:
    before = whole.artefacts()
    assert not [path for path in before if "full" in path]
    whole.snakemake("full", "--config", "mode=fast")
    fast = whole.path / "results-fast/mixtral"
    points = pd.read_csv(fast / "metrics/full.csv")
    assert sorted(points["width"].unique()) == [16, 32] and len(points) == 2 * 2 * 2 * 2
    assert (fast / "figures/full_gap.svg").exists() and len(pd.read_csv(fast / "metrics/full_gap.csv")) == 4
    added = whole.artefacts().keys() - before.keys()
    assert added == {"data/prepared/mixtral_full.safetensors", "data/prepared/mixtral_full.json"}


def a_gpu_that_is_not_there_is_a_short_message(whole: Checkout) -> None:
    if torch.cuda.is_available():
        return
    done = whole.run("snakemake", "--cores", "1", "--config", "mode=fast", "device=cuda", check=False)
    assert done.returncode != 0
    assert "device cuda is not available" in done.stderr and "what to do" in done.stderr
    assert "Traceback" not in done.stderr


def another_models_heads_are_read_by_the_recipe_of_the_readme(whole: Checkout, tmp_path: Path) -> None:
    """A GPT-2 of two layers in a folder, untrained, named in params.yaml: both engines have its jobs."""
    import json

    import transformers

    folder = tmp_path / "tiny gpt2"
    words = {word: index for index, word in enumerate(["<|endoftext|>", *(chr(code) for code in range(33, 127)), "Ġ"])}
    config = transformers.GPT2Config(vocab_size=len(words), n_positions=64, n_embd=16, n_layer=2, n_head=2)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    whole.set_params({"attention": {"hub_models": {"tiny": str(folder)}, "drawn_model": "tiny"}})
    whole.set_params({"attention.head_runs": {"positions": 64}})  # a token is a character here
    run = "results/attention/runs/heads/tiny.safetensors"
    whole.snakemake(run)
    assert (whole.path / run).is_file()
    assert run in whole.snakemake("--dry-run", "results/attention/metrics/heads.csv")
