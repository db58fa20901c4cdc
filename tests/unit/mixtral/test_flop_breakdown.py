"""The posted formula and torch's counter agree product by product, and differ only in what each leaves out."""

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from figures_helpers import draw, run
from postproof.core import exact, files, linalg, tables
from postproof.core.errors import ArtefactError
from postproof.mixtral import flop_breakdown
from postproof.mixtral.flop_breakdown import PASSES, causal, counted, posted
from postproof.mixtral.flops import step_flops
from postproof.mixtral.model import ARMS
from postproof.mixtral.settings import ModelSizes

ROOT = Path(__file__).parents[3]
POSTED = ModelSizes(d_model=192, heads=6, layers=3, sequence=96, dense_ffn=768, experts=8, expert_ffn=96, top_k=2)
ODD = ModelSizes(d_model=20, heads=4, layers=2, sequence=7, dense_ffn=33, experts=5, expert_ffn=6, top_k=3)
CASES = [(POSTED, 2, 64), (ODD, 3, 11), (dataclasses.replace(ODD, experts=1, top_k=1), 1, 2)]
PRODUCTS = ("attention_projections", "attention_scores", "ffn", "router_product")


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("sizes, batch, vocabulary", CASES)
def test_the_parts_of_the_formula_sum_to_the_formula(arm, sizes, batch, vocabulary):
    assert sum(posted(arm, sizes, batch).values()) == step_flops(arm, sizes, batch)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("sizes, batch, vocabulary", CASES)
def test_torch_counts_each_product_as_posted_forward_and_twice_that_backward(arm, sizes, batch, vocabulary):
    ours, torchs = posted(arm, sizes, batch), counted(arm, sizes, batch, vocabulary)
    for part in PRODUCTS:
        assert torchs[part, "forward"] == ours[part, "forward"]
        assert torchs[part, "forward"] + torchs[part, "backward"] == 3 * ours[part, "forward"]
    head, arithmetic = (sum(flops[part, which] for which in PASSES for flops in (ours, torchs))
                        for part in ("head", "router_arithmetic"))  # fmt: skip
    tokens = batch * sizes.sequence
    assert head == 3 * 2 * tokens * sizes.d_model * vocabulary
    assert arithmetic == (3 * sizes.layers * 5 * tokens * sizes.experts if arm == "moe" else 0)
    assert sum(torchs.values()) - sum(ours.values()) == head - arithmetic


@pytest.mark.parametrize("arm", ARMS)
def test_no_product_is_outside_of_the_parts(arm):
    model, ids_BT, targets_BT = flop_breakdown.step_inputs(arm, ODD, 3, 11)
    with linalg.through_torch(), FlopCounterMode(display=False) as counter:
        model.loss(ids_BT, targets_BT).backward()
    assert sum(counted(arm, ODD, 3, 11).values()) == counter.get_total_flops() > 0


def test_counts_do_not_depend_on_the_routes(monkeypatch):
    """An expert without a token costs nothing, and the others do its share."""
    usual = counted("moe", ODD, 3, 11)
    step_inputs = flop_breakdown.step_inputs

    def all_tokens_to_the_first_experts(*arguments):
        model, ids_BT, targets_BT = step_inputs(*arguments)
        for block in model.blocks:
            block.ffn.router.bias.data = -100 * torch.arange(5.0)
        return model, ids_BT, targets_BT

    monkeypatch.setattr(flop_breakdown, "step_inputs", all_tokens_to_the_first_experts)
    assert counted("moe", ODD, 3, 11) == usual


def test_two_of_eight_experts_of_an_eighth_are_a_quarter_of_the_ffn_and_less_than_half_of_the_step():
    dense, moe = posted("dense", POSTED, 16), posted("moe", POSTED, 16)
    for which in PASSES:
        assert 4 * moe["ffn", which] == dense["ffn", which]
    assert sum(moe.values()) / sum(dense.values()) == pytest.approx(0.473, abs=5e-4)


@pytest.mark.parametrize("arm", ARMS)
def test_the_causal_mask_leaves_the_pairs_of_a_position_with_itself_and_the_past(arm):
    sizes, batch = ODD, 3
    pairs = sum(1 for query in range(sizes.sequence) for key in range(sizes.sequence) if key <= query)
    # Each pair: one product of width d_model for the score, one for its use, summed over the heads.
    forward = sizes.layers * batch * pairs * 2 * (2 * sizes.d_model)
    whole, masked = posted(arm, sizes, batch), causal(arm, sizes, batch)
    assert [masked["attention_scores", which] for which in PASSES] == [forward, 2 * forward]
    assert all(masked[key] == whole[key] for key in whole if key[0] != "attention_scores")


def test_through_torch_shows_products_to_the_counter_and_ends_with_its_block():
    assert exact.pinned(), "outside of exact mode every product is torch's"
    torch.manual_seed(0)
    a, b = torch.randn(5, 7, requires_grad=True), torch.randn(7, 3, requires_grad=True)

    def flops_of_a_product() -> int:
        with FlopCounterMode(display=False) as counter:
            linalg.matmul(a, b).sum().backward()
        return counter.get_total_flops()

    pinned = linalg.matmul(a, b)
    assert flops_of_a_product() == 0
    with linalg.through_torch():
        assert flops_of_a_product() == 3 * 2 * 5 * 7 * 3
        with linalg.through_torch():
            pass
        torch.testing.assert_close(linalg.matmul(a, b), pinned)
        assert flops_of_a_product() > 0, "an inner block does not end the outer one"
    with pytest.raises(ZeroDivisionError), linalg.through_torch():
        _ = 1 / 0
    assert flops_of_a_product() == 0
    assert torch.equal(linalg.matmul(a, b), pinned)


def make_tables(folder: Path, batch: int = 2) -> tuple[Path, Path]:
    (folder / "info.json").write_text('{"vocabulary_size": 64}')
    common = ["--model", json.dumps(dataclasses.asdict(POSTED)), "--corpus-info", str(folder / "info.json"), "--out"]
    made = folder / "flop_breakdown.csv", folder / "parameters.csv"
    run("mixtral.flop_breakdown", ["--batch", batch, *common, made[0]])
    configuration = ROOT / "data/configurations/mixtral_8x7b.yaml"
    run("mixtral.parameters", ["--configuration", configuration, *common, made[1]])
    return made


def test_the_table_has_every_part_and_the_same_bytes_twice(tmp_path):
    path, _ = make_tables(tmp_path)
    first = path.read_bytes()
    assert first == make_tables(tmp_path)[0].read_bytes()
    table = tables.read(path, "mixtral/flop_breakdown")
    assert len(table) == 2 * 3 * 6 * 2 and not table.duplicated(["arm", "accounting", "part", "pass"]).any()


def test_the_chart_is_the_same_bytes_twice(tmp_path):
    made = make_tables(tmp_path)
    assert draw("mixtral", "flop_breakdown", made, tmp_path) == draw("mixtral", "flop_breakdown", made, tmp_path)


def add(table: pd.DataFrame, part: str, accountings: set[str], forward: int, backward: int) -> pd.DataFrame:
    rows = (table["part"] == part) & table["accounting"].isin(accountings) & (table["arm"] == "moe")
    table.loc[rows, "flops"] += table.loc[rows, "pass"].map({"forward": forward, "backward": backward})
    return table


BREAKS = {
    "counted as posted": lambda table: add(table, "ffn", {"counted"}, 1, 2),
    "counted - posted": lambda table: add(table, "router_arithmetic", {"counted"}, 1, 2),
    "backward is twice": lambda table: add(table, "ffn", {"posted", "counted"}, 1, 1),
    "lacks an arm, accounting, part or pass": lambda table: table[table["part"] != "head"],
    "a row twice": lambda table: pd.concat([table, table[:1]]),
    "a cell that is not a finite number": lambda table: table.replace({"flops": {0: None}}),
}


@pytest.mark.parametrize("message", BREAKS)
def test_a_table_that_breaks_an_identity_is_not_drawn(message, tmp_path):
    made = make_tables(tmp_path)
    files.write_csv(made[0], BREAKS[message](files.read_csv(made[0])))
    with pytest.raises(ArtefactError, match=message):
        draw("mixtral", "flop_breakdown", made, tmp_path)
    assert not (tmp_path / "chart.svg").exists()


def test_one_missing_row_is_noticed(tmp_path):
    made = make_tables(tmp_path)
    files.write_csv(made[0], files.read_csv(made[0])[1:])
    with pytest.raises(ArtefactError):
        draw("mixtral", "flop_breakdown", made, tmp_path)
