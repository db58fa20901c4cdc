"""The sentences above the charts say what the tables have, and another sentence when these change."""

import pandas as pd

from postproof.llama2 import rope_angles, rope_decay
from postproof.llama2.figures import (
    ablation,
    decode_bytes,
    kv_cache_memory,
    kv_max_batch,
    norm_speed,
    rope_diagram,
    rope_rotation_angles,
    rope_theta,
    serving_budget,
)
from postproof.llama2.figures import rope_decay as rope_decay_chart
from postproof.llama2.settings import RopeAngles, RopeDecay

HEAD = {"d_head": 16, "base": 10_000, "larger_base": 500_000}
GIB = 2**30


def test_turns_are_counted():
    some = rope_rotation_angles.says(rope_angles.angles(RopeAngles(**HEAD, positions=30)))
    assert "Of 8 pairs of features 2 make a full turn within 30 positions" in some
    assert "none makes" in rope_rotation_angles.says(rope_angles.angles(RopeAngles(**HEAD, positions=4)))
    one = rope_angles.angles(RopeAngles(**HEAD, positions=10))
    assert " 1 makes " in rope_rotation_angles.says(one)
    assert "All 1 pairs" in rope_rotation_angles.says(one[one["pair"] == 0])


def test_a_curve_that_rises_does_not_fall():
    table = rope_decay.curves(RopeDecay(**HEAD | {"d_head": 128}, draws=10, distances=12, seeds=[0]))
    assert "sinusoids falls, from" in rope_decay_chart.says(table)
    assert "does not fall" in rope_decay_chart.says(table.assign(expected=table["distance"] + 1.0))


def test_the_cache_of_the_70b_or_the_largest():
    def table(**models: float) -> pd.DataFrame:
        rows = [{"model": model, "sequence": 4096, "kv_heads": 8, "formula_bytes": gib * GIB, "allocated_ratio": 1.0}
                for model, gib in models.items()]  # fmt: skip
        return pd.DataFrame(rows)

    both = table(llama2_70b=1.25, llama2_70b_mha=10)
    assert "1.25 GiB" in kv_cache_memory.says(both) and "8 times less than the 10 GiB" in kv_cache_memory.says(both)
    assert "no less than" in kv_cache_memory.says(table(llama2_70b=10, llama2_70b_mha=10))
    assert "2 GiB with Llama 2 7B" in kv_cache_memory.says(table(llama2_7b=2.0, gpt2_xl=1.0))
    assert "adds nothing" in kv_cache_memory.allocator(both)
    assert "9.1 %" in kv_cache_memory.allocator(both.assign(allocated_ratio=[1.0, 1.091]))


def test_batches_by_both_readings():
    def table(**models: tuple[int, int]) -> pd.DataFrame:
        rows = [{"model": model, "budget": 20.0, "max_batch_gb": gb, "max_batch_gib": gib}
                for model, (gb, gib) in models.items()]  # fmt: skip
        return pd.DataFrame(rows)

    said = kv_max_batch.says(table(llama2_70b=(14, 16), llama2_70b_mha=(1, 2)))
    assert said == "Llama 2 70B serves 16 sequences in 20 GiB and 14 in 20 GB; as MHA it would be 2 and 1"
    assert "16 sequences in 20 GB or GiB" in kv_max_batch.says(table(llama2_70b=(16, 16), llama2_70b_mha=(2, 2)))
    assert "hold 10 sequences with 7B, 20 GB 9" in kv_max_batch.says(table(llama2_7b=(9, 10), gpt2_xl=(15, 15)))


def test_a_step_at_the_load_or_at_the_last_row():
    row = {"model": "llama2_70b", "attention": "gqa", "batch": 10, "mha_cache_ratio": 8.0}
    steps = {4096: 1.75, 8192: 7.9}
    table = pd.DataFrame([row | {"context": context, "mha_step_ratio": step} for context, step in steps.items()])
    load = pd.DataFrame([{"model": "llama2_70b", "users": 10, "context": 4096}])
    at_load = decode_bytes.says(table, load, "llama2_70b")
    assert "8 times smaller, but a decode step of 10 sequences of 4,096 tokens reads 1.75 times" in at_load
    assert "and a decode step of 10 sequences of 8,192" in decode_bytes.says(table, load.assign(users=3), "llama2_70b")


def test_users_of_the_70b_or_the_most():
    rows = pd.DataFrame(
        [{"model": model, "reading": reading, "context": 4096, "devices": 2, "users": users}
         for model, reading, users in (("llama2_70b", "GB", 16), ("llama2_70b", "GiB", 25),
                                       ("llama2_70b_mha", "GB", 0), ("llama2_70b_mha", "GiB", 0))]
    )  # fmt: skip
    loads = pd.DataFrame([{"users": 10, "context": 4096}])
    said = serving_budget.says(rows, loads)
    assert said.endswith("16 to 25 users of 4,096 tokens on 2 devices; as MHA it would be 0")
    assert "2 devices serve 25 users" in serving_budget.says(rows[rows["model"] == "llama2_70b"], loads)


def test_pairs_short_of_a_turn():
    def table(*counts: int) -> pd.DataFrame:
        bases = [10_000.0, 500_000.0]
        return pd.DataFrame({"base": bases, "context_tokens": 4096, "pairs": 64, "pairs_longer": counts})

    assert rope_theta.says(table(18, 32)).startswith("A base of 500,000 leaves 32 of 64 pairs short of one turn")
    assert rope_theta.says(table(0, 3)).endswith("it is none") and "as many of" in rope_theta.says(table(4, 4))


def test_scores_of_one_distance():
    scores = pd.DataFrame({"distance": [0, 0, 1], "rope": [1.0, 1.0, 2.0], "sinusoidal": [10.0, 14.0, 20.0]})
    said = rope_diagram.says(scores)
    assert "one score for each distance" in said and "up to 4 apart" in said
    assert "up to 1 apart at one" in rope_diagram.says(scores.assign(rope=[1.0, 2.0, 2.0]))


def test_what_is_lost_without_a_technique():
    def ratios(norm_off: float | None) -> pd.Series:
        cells = {("rope", "off", "a"): 5.0, ("rope", "off", "b"): 8.5, ("norm", "off", "a"): norm_off,
                 ("norm", "off", "b"): norm_off, ("kv_heads", "mean", "a"): 300.0,
                 ("kv_heads", "mean", "b"): 300.0}  # fmt: skip
        return pd.Series(cells, dtype=float).sort_index()

    assert "is 5 to 8.5 times" in ablation.says(ratios(None)) and "states overflow" in ablation.says(ratios(None))
    assert "without norms it is 40 times" in ablation.says(ratios(40.0))
    assert "it is 300 times" in ablation.says(ratios(40.0))


def test_norms_without_ratios_or_shares():
    nothing = pd.DataFrame(columns=["code", "norm", "what", "width", "ratio", "share"])
    assert norm_speed.says([(None, nothing, nothing)]) == "RMSNorm relative to LayerNorm, not compiled"
    row = {"code": "compiled", "norm": "rms_module", "what": "forward", "width": 64, "ratio": 0.5}
    shares = pd.DataFrame({"share": [0.004]})
    said = norm_speed.says([(None, pd.DataFrame([row]), shares)])
    assert said.startswith("Compiled, RMSNorm takes 0.50 times LayerNorm's time forward; the two norms")
    assert "at most 0.4 %" in said
