"""Router-balance runs and their tables: which arms share what, what a resumed run keeps, what the columns mean."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from postproof.core import files
from postproof.core.errors import ArtefactError
from postproof.data.prepare_corpus import Corpus
from postproof.mixtral import router_metrics
from postproof.mixtral.draws import tiling_windows
from postproof.mixtral.settings import ModelSizes, RouterBalanceSettings
from postproof.mixtral.train_router_balance import ARMS, AUXILIARY, RouterBalanceRun, write_routing
from postproof.mixtral.training import Run

SIZES = ModelSizes(d_model=16, heads=2, layers=2, sequence=8, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)
SETTINGS = RouterBalanceSettings(
    batch=4, learning_rate=1e-2, aux_weight=1.0, steps=14, checkpoint_steps=4, val_batches=2
)


OWN = ["paired", "by_layer"]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    ids = torch.randint(10, (1000,), generator=torch.Generator().manual_seed(0))
    return Corpus(ids[:900], ids[900:], [chr(97 + index) for index in range(10)])


def make_run(arm: str, corpus: Corpus, seed: int = 3, **changes) -> RouterBalanceRun:
    settings = dataclasses.replace(SETTINGS, **changes)
    return RouterBalanceRun(arm, seed, SIZES, settings, corpus, torch.device("cpu"), made_of=f"{arm} {seed}")


def same(one: Run, other: Run) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters()))


def test_checkpoints_come_every_so_many_steps_and_at_the_end():
    assert SETTINGS.checkpoints(flops_per_step=1) == [4, 8, 12, 14]
    assert dataclasses.replace(SETTINGS, steps=12).checkpoints(1) == [4, 8, 12]


def test_all_arms_start_from_the_same_weights_and_see_the_same_batches(corpus):
    no_aux, *others = (make_run(arm, corpus) for arm in ARMS)
    for run in others:
        assert same(run, no_aux)
        assert torch.equal(run.draws.train_batches.get_state(), no_aux.draws.train_batches.get_state())


def test_as_posted_one_loss_takes_the_rows_of_all_layers_and_by_layer_each_has_its_own():
    """Two layers that are uneven in opposite ways are even together: only the sum of the layers' losses sees it."""
    one_way = torch.tensor([[9.0, 0.0], [9.0, 0.0]])
    pooled, summed = (AUXILIARY[arm]([one_way, one_way.flip(1)]) for arm in ("with_aux", "with_aux_by_layer"))
    assert pooled == pytest.approx(1) and summed == pytest.approx(4, rel=1e-3)
    alike = [torch.randn(50, 4, generator=torch.Generator().manual_seed(0))] * 3
    assert AUXILIARY["with_aux_by_layer"](alike) == pytest.approx(3 * AUXILIARY["with_aux"](alike).item(), rel=1e-6)


def test_without_weight_the_auxiliary_loss_changes_nothing_and_with_it_balance_improves(corpus, tmp_path):
    runs = {arm: make_run(arm, corpus, aux_weight=1e-30) for arm in ("no_aux", "with_aux")}
    for arm, run in runs.items():
        run.to_end(tmp_path / arm, log=None)
    assert same(*runs.values())
    forced = make_run("with_aux", corpus, steps=60, aux_weight=10.0)
    forced.to_end(tmp_path / "forced", log=None)
    free = make_run("no_aux", corpus, steps=60)
    free.to_end(tmp_path / "free", log=None)
    assert forced.records[-1]["aux_loss_L"].mean() < free.records[-1]["aux_loss_L"].mean()


def test_the_reported_training_loss_is_the_cross_entropy_alone(corpus):
    runs = [make_run(arm, corpus, aux_weight=100.0) for arm in ("no_aux", "with_aux")]
    first, second = (run.train_step() for run in runs)
    assert first == second and not same(*runs)


def test_records_count_every_token_of_the_window_once_per_slot(corpus, tmp_path):
    run = make_run("with_aux", corpus)
    run.to_end(tmp_path / "state", log=None)
    tokens_per_step = SETTINGS.batch * SIZES.sequence
    for record, steps in zip([run.untrained, *run.records], [4, 4, 4, 4, 2]):
        assert (record["choices_LKVE"].sum(dim=(2, 3)) == steps * tokens_per_step).all()
        assert torch.allclose(record["probability_LE"].sum(dim=1), torch.ones(2, dtype=torch.float64))
    # The untrained model has seen the batches that the first window trains on: the same tokens.
    assert torch.equal(run.untrained["choices_LKVE"].sum(dim=3)[0, 0], run.records[0]["choices_LKVE"].sum(dim=3)[0, 0])


class Killed(Exception):
    pass


@pytest.mark.parametrize("arm, checkpoint", list(itertools.product(ARMS, [1, 3])))
def test_a_stopped_run_resumes_to_the_same_weights_rows_and_records(arm, checkpoint, corpus, tmp_path):
    whole = make_run(arm, corpus)
    rows = whole.to_end(tmp_path / "whole", log=None)
    stopped, saves = make_run(arm, corpus), itertools.count(1)
    save = stopped._save

    def save_then_stop(path):
        save(path)
        if next(saves) == checkpoint:
            raise Killed

    stopped._save = save_then_stop
    with pytest.raises(Killed):
        stopped.to_end(tmp_path / "state", log=None)
    resumed = make_run(arm, corpus)
    assert resumed.to_end(tmp_path / "state", log=None) == rows and same(resumed, whole)
    for file, run in [("a", whole), ("b", resumed)]:
        write_routing(tmp_path / file, run)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_served_are_the_routers_choices_for_the_validation_text_in_order(corpus):
    run = make_run("no_aux", corpus)
    served_STLK = run.served()
    inputs = torch.cat([inputs for inputs, _ in tiling_windows(corpus.val, SIZES.sequence, 4)])
    assert served_STLK.shape == (*inputs.shape, SIZES.layers, SIZES.top_k) and served_STLK.dtype == torch.uint8
    routed = []
    for block in run.model.blocks:
        block.ffn.register_forward_pre_hook(lambda ffn, x: routed.append(ffn.route(x[0].reshape(-1, 16))[0]))
    with torch.no_grad():
        run.model(inputs[5:6])
    for layer, ids_NK in enumerate(routed):
        assert torch.equal(served_STLK[5, :, layer].long(), ids_NK)


@pytest.fixture(scope="module")
def tables(corpus, tmp_path_factory):
    """All three tables of two seeds, made by the command."""
    folder = tmp_path_factory.mktemp("router")
    for arm in ARMS:
        for seed in (1, 2):
            run = make_run(arm, corpus, seed=seed)
            files.write_csv(folder / f"{arm}-seed{seed}.csv", pd.DataFrame(run.to_end(folder / "state", log=None)))
            (folder / "state").unlink()
            write_routing(folder / f"{arm}-seed{seed}.routing.safetensors", run)
    losses = {path.stem: router_metrics.read_losses(path) for path in folder.glob("*.csv")}
    routing = {path.name.partition(".")[0]: router_metrics.read_routing(path) for path in folder.glob("*.safetensors")}
    layers = {run: router_metrics.by_layer(*content) for run, content in routing.items()}
    balance = {run: losses[run].merge(router_metrics.pooled(layers[run], *routing[run]), on="step") for run in losses}
    usage = {run: router_metrics.expert_usage(*content) for run, content in routing.items()}
    return {
        "balance": router_metrics.by_protocol(balance, OWN),
        "layers": router_metrics.by_protocol(layers, OWN),
        "usage": router_metrics.by_protocol(usage, OWN),
        "routing": routing,
        "folder": folder,
    }


def test_both_protocols_have_both_arms_and_share_the_runs_without_auxiliary_loss(tables):
    balance = tables["balance"]
    counts = balance.groupby(["arm", "seed", "protocol"]).size()
    assert len(counts) == 2 * 2 * 2 and (counts == 4).all()
    by_protocol = {name: rows.drop(columns="protocol") for name, rows in balance.groupby("protocol")}
    no_aux, with_aux = (
        [rows[rows["arm"] == arm].reset_index(drop=True) for rows in by_protocol.values()]
        for arm in ("no_aux", "with_aux")
    )
    assert no_aux[0].equals(no_aux[1]) and not with_aux[0].equals(with_aux[1])


def test_pooled_statistics_are_those_of_all_choices_together(tables):
    steps, routing = tables["routing"]["with_aux-seed2"]
    choices_E = routing["choices_CLKVE"][2].sum(axis=(0, 1, 2))
    shares = choices_E / choices_E.sum()
    balance = tables["balance"].set_index(["arm", "seed", "protocol", "step"])
    row = balance.loc["with_aux", 2, "paired", steps[2]]
    assert row["entropy"] == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-12)
    assert row["busiest_share"] == pytest.approx(shares.max(), rel=1e-12)


def test_pooling_cannot_lower_the_entropy_below_the_layers_mean(tables):
    # Entropy is concave; all layers have the same number of choices.
    layers = tables["layers"].assign(pooled=lambda table: table["layer"] == "all")
    mean = layers.groupby(["arm", "seed", "protocol", "step", "pooled"])["entropy"].mean().unstack()
    assert (mean[True] >= mean[False] - 1e-12).all()


def test_shares_of_the_experts_sum_to_one_in_each_layer(tables):
    sums = tables["usage"].groupby(["arm", "seed", "protocol", "step", "layer"])["share"].sum()
    np.testing.assert_allclose(sums, 1, atol=1e-12)
    largest = tables["usage"].groupby(["arm", "seed", "protocol", "step", "layer"])["share"].max()
    layers = tables["layers"][tables["layers"]["layer"] != "all"].astype({"layer": int})
    expected = layers.set_index(["arm", "seed", "protocol", "step", "layer"])["busiest_share"]
    pd.testing.assert_series_equal(largest, expected.sort_index(), check_names=False)


def test_files_of_other_runs_are_refused(tables, tmp_path):
    wrong = tmp_path / "no_aux-seed9.routing.safetensors"
    wrong.write_bytes((tables["folder"] / "no_aux-seed1.routing.safetensors").read_bytes())
    with pytest.raises(ArtefactError, match="not the one its name says"):
        router_metrics.read_routing(wrong)
    wrong.write_bytes(wrong.read_bytes()[:-100])
    with pytest.raises(ArtefactError, match="truncated"):
        router_metrics.read_routing(wrong)
