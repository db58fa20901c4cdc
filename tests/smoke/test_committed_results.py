"""The committed tables agree with one another where they tell of the same thing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from postproof.core import files
from postproof.core.errors import EngineError, UsageError
from postproof.engines import held, params
from postproof.engines import history as of_git

ROOT = Path(__file__).parents[2]
PARAMS = params.load(ROOT / "params.yaml")
OF_MIXTRAL, OF_LLAMA2, OF_ATTENTION = PARAMS["mixtral"], PARAMS["llama2"], PARAMS["attention"]
RESULTS = ROOT / "results"
METRICS = RESULTS / "mixtral/metrics"
LLAMA2 = RESULTS / "llama2/metrics"


def test_the_first_budget_of_the_sweep_is_the_end_of_the_race():
    """Other jobs, the same batches and weights: the same loss to the last digit."""
    race = pd.read_csv(METRICS / "race.csv").query("protocol == 'fixed_windows'").groupby(["arm", "seed"]).last()
    width, budget = OF_MIXTRAL["model"]["d_model"], OF_MIXTRAL["race"]["training"]["budget_flops"]
    points = pd.read_csv(METRICS / "isoflop.csv").query(f"width == {width} and budget_flops == {budget}")
    first = points.set_index(["arm", "seed"]).sort_index()
    pd.testing.assert_frame_equal(race[["step", "val_loss"]], first[["step", "val_loss"]])


def test_without_auxiliary_loss_a_balance_run_is_the_race_at_its_first_checkpoint():
    """Seeds that both have: the MoE of the race ends where the balance run has its first checkpoint."""
    seeds = sorted({*OF_MIXTRAL["race"]["seeds"]} & {*OF_MIXTRAL["router_balance"]["seeds"]})
    step = OF_MIXTRAL["router_balance"]["training"]["checkpoint_steps"]
    race = pd.read_csv(METRICS / "race.csv").query("arm == 'moe' and protocol == 'fixed_windows'")
    race = race.groupby("seed").last().loc[seeds]
    balance = pd.read_csv(METRICS / "router_balance.csv").query(f"arm == 'no_aux' and step == {step}")
    balance = balance.groupby("seed")["val_perplexity_fixed_windows"].first().loc[seeds]
    assert seeds and (race["step"] == step).all()
    assert (race["val_perplexity"] == balance).all()


def test_parameters_and_flops_of_both_arms_are_those_of_the_race():
    flops = pd.read_csv(METRICS / "flop_breakdown.csv").query("accounting == 'posted'").groupby("arm")["flops"].sum()
    race = pd.read_csv(METRICS / "race.csv")
    np.testing.assert_array_equal(race["cumulative_flops"], race["step"] * race["arm"].map(flops))


def test_caches_and_weights_of_a_model_are_the_same_in_every_table():
    users, context = OF_LLAMA2["serving_budget"]["loads"][0]
    here = f"sequence == {context}"
    of_one = pd.read_csv(LLAMA2 / "kv_cache_memory.csv").query(here).set_index("model")["formula_bytes"]
    most = pd.read_csv(LLAMA2 / "kv_max_batch.csv").query(here).set_index("model")["sequence_bytes"]
    loads = pd.read_csv(LLAMA2 / "serving_loads.csv").query(f"users == {users} and context == {context}")
    loads = loads.set_index("model")
    steps = pd.read_csv(LLAMA2 / "decode_bytes.csv").query(f"batch == {users} and context == {context}")
    steps = steps.set_index(["model", "attention"])["cache_bytes"]
    public = pd.read_csv(LLAMA2 / "public_models.csv").set_index("model")
    for model, attention in {"llama2_70b": "gqa", "llama2_70b_mha": "mha", "llama2_7b": "mha"}.items():
        of_all = users * of_one[model]
        assert (users * most[model] == of_all).all()
        assert loads.loc[model, "cache_bytes"] == steps[model.removesuffix("_mha"), attention] == of_all
    for model in ("llama2_70b", "llama2_7b", "llama1_65b"):
        assert loads.loc[model, "weight_bytes"] == 2 * public.loc[model, "parameters"]  # at 16 bits
        assert loads.loc[model, "cache_bytes"] == users * context * public.loc[model, "kv_bytes_per_token"]


def test_angles_of_the_map_are_those_of_the_rates():
    base = OF_LLAMA2["head"]["base"]
    rates = pd.read_csv(LLAMA2 / "rope_theta.csv").query(f"base == {base}").set_index("pair")["frequency_rad_per_token"]
    angles = pd.read_csv(LLAMA2 / "rope_angles.csv")
    np.testing.assert_allclose(angles["angle_rad"], angles["position"] * angles["pair"].map(rates), rtol=1e-7)


# --- attention -------------------------------------------------------------------------------------------------------

ATTENTION = RESULTS / "attention/metrics"
STATISTICS = ["entropy", "entropy_share"]


def test_layers_are_the_means_of_their_heads_and_the_gradient_that_of_its_layers():
    heads = pd.read_csv(ATTENTION / "heads.csv").groupby(["model", "protocol", "layer"])[STATISTICS].mean()
    layers = pd.read_csv(ATTENTION / "heads_by_layer.csv").set_index(["model", "protocol", "layer"]).sort_index()
    pd.testing.assert_frame_equal(heads, layers[STATISTICS], rtol=1e-7)
    gradient = pd.read_csv(ATTENTION / "head_gradient.csv").query("measure == 'entropy'")
    for end in ("early", "late"):
        ranges = gradient[f"{end}_layers"].str.split(" to ")
        means = [
            layers.loc[(model, protocol), "entropy"].loc[int(first_last[0]) : int(first_last[-1])].mean()
            for model, protocol, first_last in zip(gradient["model"], gradient["protocol"], ranges, strict=True)
        ]
        np.testing.assert_allclose(gradient[end], means, rtol=1e-7)


def test_real_and_padding_rows_add_up_to_what_the_protocols_have():
    keys = ["model", "protocol", "layer"]
    parts = pd.read_csv(ATTENTION / "padding_effect.csv").set_index(keys)
    layers = pd.read_csv(ATTENTION / "heads_by_layer.csv").set_index(keys)["entropy"]
    np.testing.assert_allclose(parts["real_part"] + parts["padding_part"], layers.loc[parts.index], rtol=1e-7)


def test_no_head_exceeds_what_the_lengths_of_the_sentences_allow():
    limits = pd.read_csv(ATTENTION / "head_limits.csv").set_index(["model", "protocol"])
    heads = pd.read_csv(ATTENTION / "heads.csv").join(limits, on=["model", "protocol"])
    assert (heads["entropy"] <= heads["entropy_limit"] * (1 + 1e-8)).all()
    assert (heads["diagonal"] <= heads["diagonal_limit"] * (1 + 1e-8)).all()
    for kind in ("local", "broad"):
        assert not (heads["class_posted"].eq(kind) & heads[f"{kind}_can_be_reached"].eq("no")).any()


def test_what_pads_changes_nothing_in_real_rows():
    """The same model padded with other tokens: identical to the last bit, since no real row sees padding."""
    real = pd.read_csv(ATTENTION / "heads.csv").query("protocol == 'real_tokens'").set_index("model")
    own = real.loc["smollm2_135m"].reset_index(drop=True)
    for padding in OF_ATTENTION["other_padding"]:
        model = f"smollm2_135m_pad_{padding}"
        pd.testing.assert_frame_equal(real.loc[model].reset_index(drop=True), own, check_exact=True)


def test_both_posts_have_the_same_cache_and_the_same_public_models():
    users, context = OF_LLAMA2["serving_budget"]["loads"][0]
    here = f"users == {users} and context == {context}"
    loads = pd.read_csv(ATTENTION / "kv_cache_loads.csv").query(f"model == 'llama2_70b' and {here}")
    theirs = pd.read_csv(LLAMA2 / "serving_loads.csv").query(here).set_index("model")["cache_bytes"]
    assert set(loads["attention"]) == {"gqa", "mha"}
    for row in loads.itertuples():
        assert row.cache_bytes == theirs[{"gqa": "llama2_70b", "mha": "llama2_70b_mha"}[row.attention]]
    both = [model for model in OF_ATTENTION["public_models"]["models"] if model in OF_LLAMA2["public_models"]["models"]]
    public, other = (pd.read_csv(folder / "public_models.csv").set_index("model") for folder in (ATTENTION, LLAMA2))
    assert both
    pd.testing.assert_frame_equal(public.loc[both], other.loc[both])


def test_the_heatmap_has_the_wavelengths_of_its_table():
    rates = pd.read_csv(ATTENTION / "sinusoidal_wavelengths.csv").set_index("pair")["rate_rad_per_position"]
    encoding = pd.read_csv(ATTENTION / "sinusoidal_encoding.csv")
    angle = encoding["position"] * (encoding["dimension"] // 2).map(rates)
    expected = np.where(encoding["dimension"] % 2, np.cos(angle), np.sin(angle))
    np.testing.assert_allclose(encoding["value"], expected, atol=1e-6)


def test_parts_of_the_memory_add_up_and_scores_are_those_of_the_formula():
    memory = pd.read_csv(ATTENTION / "score_memory.csv")
    cases = memory.groupby(["attention", "sequence"])
    assert (cases["part_bytes"].sum() == cases["peak_bytes"].first()).all()
    assert (memory["scores_formula_bytes"] == memory["heads"] * memory["sequence"] ** 2 * 4).all()
    scores = memory.query("attention == 'plain' and part == 'scores'")
    assert (scores["part_bytes"] == scores["scores_formula_bytes"]).all()


def test_the_posted_race_comes_out_again_to_the_sixth_digit():
    reruns = pd.read_csv(METRICS / "race_reruns.csv")
    assert len(reruns) == 20
    for counted in ("cumulative_flops", "tokens_seen"):
        assert (reruns[f"{counted}_posted"] == reruns[f"{counted}_rerun"]).all()
    assert (reruns[["train_loss_difference", "val_perplexity_difference"]].abs() < 1e-6).all(axis=None)


def test_the_posted_balance_runs_come_out_again_until_two_experts_are_level():
    reruns = pd.read_csv(METRICS / "router_balance_reruns.csv")
    assert len(reruns) == 24
    losses = ["train_loss_difference", "val_perplexity_difference"]
    first = reruns[reruns["step"] <= 25]
    assert (first[losses].abs() < 1e-6).all(axis=None)
    for printed in ("aux_loss", "entropy", "top1_share"):  # with six decimals
        assert ((first[f"{printed}_rerun"] - first[f"{printed}_posted"]).abs() < 5.1e-7).all()
    assert (reruns[losses].abs() < 1e-3).all(axis=None)


def test_recorded_runs_are_of_the_inputs_that_are_described():
    for record in (ROOT / "data/recorded").glob("*/record.json"):
        about = json.loads(record.read_text())
        known = {item.path: item.sha256 for item in held.read_all(ROOT)}
        assert {path: content["sha256"] for path, content in about["inputs"].items()}.items() <= known.items()
        assert not about["uncommitted_changes"]
        runs = {path.relative_to(record.parents[1]).with_suffix("").as_posix()
                for path in record.parent.glob("*/*.csv")}  # fmt: skip
        assert about["weights_sha256"].keys() <= runs


def test_the_record_of_history_is_what_git_says():
    try:
        of_git.whole(ROOT)
        commit = of_git.named(ROOT, of_git.looked_at(ROOT))
    except (EngineError, UsageError) as error:
        pytest.skip(f"the history is not here: {error}")
    for path, text in of_git.tables(ROOT, commit).items():
        assert (ROOT / path).read_text() == text, path


def test_each_measured_table_has_the_provenance_that_was_written_for_it():
    tables = sorted((ROOT / "data/measured").glob("*/*.csv"))
    about = {table: files.read_json(table.with_suffix(".json")) for table in tables}
    assert tables and all(about[table]["table_sha256"] == files.sha256(table) for table in tables)
