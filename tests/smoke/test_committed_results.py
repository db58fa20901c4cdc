"""The committed tables agree with one another where they tell of the same thing."""

from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parents[2] / "results"
METRICS = RESULTS / "mixtral/metrics"
LLAMA2 = RESULTS / "llama2/metrics"


def test_the_first_budget_of_the_sweep_is_the_end_of_the_race():
    """Other jobs, the same batches and weights: the same loss to the last digit."""
    race = pd.read_csv(METRICS / "race.csv").query("protocol == 'fixed_windows'").groupby(["arm", "seed"]).last()
    points = pd.read_csv(METRICS / "isoflop.csv").query("width == 192")
    first = points.sort_values("budget_flops").groupby(["arm", "seed"]).first()
    pd.testing.assert_frame_equal(race[["step", "train_loss", "val_loss"]], first[["step", "train_loss", "val_loss"]])


def test_without_auxiliary_loss_the_first_seed_of_the_balance_runs_is_the_last_of_the_race():
    """Seed 11 is in both: the MoE of the race after 25 steps is the balance run at its first checkpoint."""
    race = pd.read_csv(METRICS / "race.csv").query("arm == 'moe' and seed == 11 and protocol == 'fixed_windows'")
    balance = pd.read_csv(METRICS / "router_balance.csv").query("arm == 'no_aux' and seed == 11 and step == 25")
    assert race["step"].iloc[-1] == 25
    assert race["val_perplexity"].iloc[-1] == balance["val_perplexity_fixed_windows"].iloc[0]


def test_parameters_and_flops_of_both_arms_are_those_of_the_race():
    flops = pd.read_csv(METRICS / "flop_breakdown.csv").query("accounting == 'posted'").groupby("arm")["flops"].sum()
    race = pd.read_csv(METRICS / "race.csv")
    np.testing.assert_array_equal(race["cumulative_flops"], race["step"] * race["arm"].map(flops))


def test_caches_and_weights_of_a_model_are_the_same_in_every_table():
    of_one = pd.read_csv(LLAMA2 / "kv_cache_memory.csv").query("sequence == 4096").set_index("model")["formula_bytes"]
    most = pd.read_csv(LLAMA2 / "kv_max_batch.csv").query("sequence == 4096").set_index("model")["sequence_bytes"]
    loads = pd.read_csv(LLAMA2 / "serving_loads.csv").query("users == 10 and context == 4096").set_index("model")
    steps = pd.read_csv(LLAMA2 / "decode_bytes.csv").query("batch == 10 and context == 4096")
    steps = steps.set_index(["model", "attention"])["cache_bytes"]
    public = pd.read_csv(LLAMA2 / "public_models.csv").set_index("model")
    for model, attention in {"llama2_70b": "gqa", "llama2_70b_mha": "mha", "llama2_7b": "mha"}.items():
        of_ten = 10 * of_one[model]
        assert (10 * most[model] == of_ten).all()
        assert loads.loc[model, "cache_bytes"] == steps[model.removesuffix("_mha"), attention] == of_ten
    for model in ("llama2_70b", "llama2_7b", "llama1_65b"):
        assert loads.loc[model, "weight_bytes"] == public.loc[model, "weight_bytes"]
        assert loads.loc[model, "cache_bytes"] == 40960 * public.loc[model, "kv_bytes_per_token"]


def test_angles_of_the_map_are_those_of_the_rates():
    rates = pd.read_csv(LLAMA2 / "rope_theta.csv").query("base == 10000").set_index("pair")["frequency_rad_per_token"]
    angles = pd.read_csv(LLAMA2 / "rope_angles.csv")
    np.testing.assert_allclose(angles["angle_rad"], angles["position"] * angles["pair"].map(rates), rtol=1e-7)
