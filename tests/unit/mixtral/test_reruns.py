"""The posted rows beside reruns, and one run in two precisions."""

import pandas as pd
import pytest
import torch

from postproof.core.errors import ArtefactError
from postproof.data.prepare_corpus import Corpus
from postproof.mixtral import precision_metrics, race_metrics, reruns
from postproof.mixtral.draws import BalanceAsRun
from postproof.mixtral.settings import ModelSizes, RouterBalanceSettings
from postproof.mixtral.train_router_balance import RouterBalanceRun
from postproof.mixtral.train_two_precisions import differing, side_by_side

COLUMNS = {"tokens_seen": "tokens_seen", "aux_loss": "aux_loss_last_step"}


def ours(steps=(25, 50)) -> pd.DataFrame:
    rows = [[arm, seed, step, step * 10, 1 + seed / 100] for arm in ("a", "b") for seed in (1, 2) for step in steps]
    return pd.DataFrame(rows, columns=["arm", "seed", "step", "tokens_seen", "aux_loss_last_step"])


def posted() -> pd.DataFrame:
    rows = [["b", 25, 250, 2.0], ["b", 50, 500, 1.02], ["a", 25, 250, 1.02], ["a", 50, 500, 1.02]]
    return pd.DataFrame(rows, columns=["arm", "step", "tokens_seen", "aux_loss"])


def test_each_posted_checkpoint_stands_beside_the_rerun_of_its_seed():
    both = reruns.side_by_side(posted(), ours(), 2, COLUMNS).set_index(["arm", "step"])
    assert (both["tokens_seen_posted"] == both["tokens_seen_rerun"]).all()
    assert both.loc[("a", 50), "aux_loss_difference"] == 0
    assert both.loc[("b", 25), "aux_loss_difference"] == pytest.approx(1.02 / 2 - 1)
    assert "tokens_seen_difference" not in both


def test_other_checkpoints_than_the_posts_are_refused():
    with pytest.raises(ArtefactError, match="not the same"):
        reruns.side_by_side(posted(), ours(steps=(25, 60)), 2, COLUMNS)


def test_the_first_choice_that_differs_is_the_lowest_layer_and_token():
    single = torch.zeros(2, 5, 4, dtype=torch.float64)
    single[..., 0], single[..., 1] = 3.0, 2.0
    double = single.clone()
    assert differing(single, double, 2)["differing"] == 0
    double[1, 2, 3] = 2.5  # takes the second place
    double[1, 4, 1] = 3.5  # the same two, in the other order
    found = differing(single, double, 2)
    assert (found["differing"], found["layer"], found["token"], found["choices"]) == (1, 2, 2, 10)
    assert (found["margin_float32"], found["margin_float64"]) == (2.0, 0.5)


def test_both_precisions_start_from_the_same_weights_and_see_the_same_batches():
    sizes = ModelSizes(d_model=16, heads=2, layers=2, sequence=8, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)
    settings = RouterBalanceSettings(4, 1e-2, aux_weight=1.0, steps=14, checkpoint_steps=4, val_batches=2)
    ids = torch.randint(10, (1000,), generator=torch.Generator().manual_seed(0))
    corpus = Corpus(ids[:900], ids[900:], [chr(97 + index) for index in range(10)])
    single, double = (
        RouterBalanceRun("with_aux", 3, sizes, settings, corpus, torch.device("cpu"), None, BalanceAsRun)
        for _ in range(2)
    )
    double.model.double()
    rows = pd.DataFrame(side_by_side(single, double, 5))
    assert rows["step"].tolist() == [1, 2, 3, 4, 5] and (rows["choices"] == 64).all()
    assert rows["train_loss_float32"].to_numpy() == pytest.approx(rows["train_loss_float64"].to_numpy(), rel=1e-4)
    assert (rows["train_loss_float32"] != rows["train_loss_float64"]).any()
    assert next(double.model.parameters()).dtype == torch.float64


def test_the_first_differing_choice_of_each_run_is_kept():
    rows = [["a", 1, 1, 0, None, None], ["a", 1, 2, 3, 2, 7], ["a", 1, 3, 5, 1, 1], ["b", 1, 1, 0, None, None]]
    table = pd.DataFrame(rows, columns=["arm", "seed", "step", "differing", "layer", "token"])
    first = precision_metrics.first_differing(table.assign(margin_float32=0.5, margin_float64=0.25))
    assert first.to_dict("records") == [
        {"arm": "a", "seed": 1, "step": 2, "layer": 2, "token": 7, "margin_float32": 0.5, "margin_float64": 0.25}
    ]


def test_equal_flops_are_checkpoints_of_either_arm_within_the_range_of_both():
    rows = [["dense", 10, 50.0], ["dense", 20, 40.0], ["dense", 30, 30.0]]
    rows += [["moe", 5, 60.0], ["moe", 15, 35.0], ["moe", 25, 25.0]]
    both = race_metrics.at_equal_flops(pd.DataFrame(rows, columns=["arm", "cumulative_flops", "val_perplexity"]))
    assert both.to_numpy().tolist() == [[10, 50, 47.5], [15, 45, 35], [20, 40, 30], [25, 35, 25]]
