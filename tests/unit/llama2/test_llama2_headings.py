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
    def says(angles: pd.DataFrame) -> str:
        return rope_rotation_angles.says(angles, pd.DataFrame())

    some = says(rope_angles.angles(RopeAngles(**HEAD, positions=30)))
    assert "Of 8 pairs of features 2 make a full turn within 30 positions" in some
    assert "none makes" in says(rope_angles.angles(RopeAngles(**HEAD, positions=4)))
    one = rope_angles.angles(RopeAngles(**HEAD, positions=10))
    assert " 1 makes " in says(one)
    assert "All 1 pairs" in says(one[one["pair"] == 0])


def test_the_posts_angles_are_held_against_the_formula():
    table = rope_angles.angles(RopeAngles(**HEAD, positions=10))
    posted = pd.DataFrame({"position": [9, 42], "pair": [0, 0], "angle_rad": [9.18, 42.0]})
    both = rope_rotation_angles.beside_ours(posted, table)
    assert len(both) == 1, "position 42 is not among these"
    assert rope_rotation_angles.says(table, both).endswith("; the post's angles are off by 2.0 % at most")


def test_a_curve_that_rises_does_not_fall():
    table = rope_decay.curves(RopeDecay(**HEAD | {"d_head": 128}, draws=10, distances=12, seeds=[0]))
    posted = pd.DataFrame({"curve": "rope_independent", "distance": [11, 0], "score": [0.01, 0.07]})
    said = rope_decay_chart.says(table, posted)
    assert "sinusoids falls, from" in said and ", where the post has 0.07 falling to 0.01;" in said
    rising = rope_decay_chart.says(table.assign(expected=table["distance"] + 1.0), posted[:1])
    assert "does not fall" in rising and "the post" not in rising


def test_the_cache_of_the_70b_or_the_largest():
    def table(**models: float) -> pd.DataFrame:
        rows = [{"model": model, "sequence": 4096, "kv_heads": 8, "formula_bytes": gib * GIB, "allocated_ratio": 1.0}
                for model, gib in models.items()]  # fmt: skip
        return pd.DataFrame(rows)

    both = table(llama2_70b=1.25, llama2_70b_mha=10)
    posted = kv_cache_memory.beside_ours(both[["model", "sequence"]].assign(cache_gib=[1.25, 10.0004]), both)
    said = kv_cache_memory.says(both, posted)
    assert "1.25 GiB" in said and "8 times less than the 10 GiB" in said and said.endswith("the post's 2 sizes agree")
    of_others = kv_cache_memory.says(both, posted.assign(cache_gib=[1.25, 10.001]))
    assert of_others.endswith("of the post's 2 sizes 1 agrees")
    assert "no less than" in kv_cache_memory.of_70b(table(llama2_70b=10, llama2_70b_mha=10))
    assert "2 GiB with Llama 2 7B" in kv_cache_memory.of_70b(table(llama2_7b=2.0, gpt2_xl=1.0))
    assert "adds nothing" in kv_cache_memory.allocator(both)
    assert "9.1 %" in kv_cache_memory.allocator(both.assign(allocated_ratio=[1.0, 1.091]))


def test_batches_by_both_readings():
    def table(**models: tuple[int, int]) -> pd.DataFrame:
        rows = [{"model": model, "sequence": 4096, "budget": 20.0, "max_batch_gb": gb, "max_batch_gib": gib}
                for model, (gb, gib) in models.items()]  # fmt: skip
        return pd.DataFrame(rows)

    ours = table(llama2_70b=(14, 16), llama2_70b_mha=(1, 2))
    posted = ours[["model", "sequence"]].assign(relation="is", max_batch=[16, 2])
    said = kv_max_batch.says(ours, posted)
    assert said.startswith("Llama 2 70B serves 16 sequences in 20 GiB and 14 in 20 GB; as MHA it would be 2 and 1; ")
    assert said.endswith("all 2 of the post's batches are those in GiB")
    assert "the post's 2 batches 1 is as in GB" in kv_max_batch.says(ours, posted.assign(max_batch=[14, 3]))
    bound = posted.assign(relation=["is", "more_than"], max_batch=[14, 3])
    assert "all 1 of the post's batches are those in GB" in kv_max_batch.says(ours, bound)
    assert "16 sequences in 20 GB or GiB" in kv_max_batch.of_70b(table(llama2_70b=(16, 16), llama2_70b_mha=(2, 2)))
    assert "hold 10 sequences with 7B, 20 GB 9" in kv_max_batch.of_70b(table(llama2_7b=(9, 10), gpt2_xl=(15, 15)))


def test_a_step_at_the_load_or_at_the_last_row():
    row = {"model": "llama2_70b", "attention": "gqa", "batch": 10, "mha_cache_ratio": 8.0}
    steps = {4096: 1.75, 8192: 7.9}
    table = pd.DataFrame([row | {"context": context, "mha_step_ratio": step} for context, step in steps.items()])
    load = pd.DataFrame([{"model": "llama2_70b", "users": 10, "context": 4096}])
    posted = pd.DataFrame([{"model": "llama2_70b", "batch": 10, "context": 4096, "mha_step_ratio": 8}])
    at_load = decode_bytes.says(table, load, posted, "llama2_70b")
    assert "8 times smaller, but a decode step of 10 sequences of 4,096 tokens reads 1.75 times" in at_load
    assert at_load.endswith(", not the post's 8")
    at_last = decode_bytes.says(table, load.assign(users=3), posted, "llama2_70b")
    assert "and a decode step of 10 sequences of 8,192" in at_last and "the post" not in at_last
    as_posted = decode_bytes.says(table, load.assign(users=3), posted.assign(context=8192), "llama2_70b")
    assert as_posted.endswith(", as the post's 8")


def test_a_model_that_was_never_built_is_named_so():
    gqa = pd.DataFrame([{"model": "llama2_7b", "kv_heads": 4}])
    loads = pd.DataFrame([{"model": "llama2_7b", "attention": "mha"}, {"model": "llama2_70b", "attention": "gqa"}])
    assert decode_bytes.named(gqa, loads) == "Llama 2 7B if it had 4 KV heads\n(never built)"
    released = decode_bytes.named(gqa.assign(model="llama2_70b", kv_heads=8), loads)
    assert released == "Llama 2 70B with its 8 KV heads\n(as released)"


def test_users_of_the_70b_or_the_most():
    rows = pd.DataFrame(
        [{"model": model, "reading": reading, "context": 4096, "devices": 2, "users": users}
         for model, reading, users in (("llama2_70b", "GB", 16), ("llama2_70b", "GiB", 25),
                                       ("llama2_70b_mha", "GB", 0), ("llama2_70b_mha", "GiB", 0))]
    )  # fmt: skip
    loads = pd.DataFrame([{"users": 10, "context": 4096}])
    said = serving_budget.says(rows, loads)
    assert said.endswith("16 to 25 users of 4,096 tokens on 2 devices, the post's 10 within; as MHA it would be 0")
    assert "the post's 20 within by GiB alone" in serving_budget.says(rows, loads.assign(users=20))
    assert "the post's 100 beyond" in serving_budget.says(rows, loads.assign(users=100))
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
    saved = pd.DataFrame({"least": 0.07, "most": 0.09}, index=["all", "transformers"])
    assert norm_speed.says([(None, nothing, nothing)], saved) == "RMSNorm relative to LayerNorm, not compiled"
    row = {"code": "compiled", "norm": "rms_module", "what": "forward", "width": 64, "ratio": 0.5}
    shares = pd.DataFrame({"share": [0.004]})
    said = norm_speed.says([(None, pd.DataFrame([row]), shares)], saved)
    assert said.startswith("Compiled, RMSNorm takes 0.50 times LayerNorm's time forward; a block's two norms")
    assert said.endswith("at most 0.4 % of its time, less than the post's gain of 7 to 9 %")
    assert "beside the post's" in norm_speed.says([(None, nothing, pd.DataFrame({"share": [0.08]}))], saved)
