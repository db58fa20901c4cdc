"""Routing telemetry: counts against plain loops, levels of chance against a simulation, charts of what was counted.

Shapes as in the modules: S sequences, T time, L layers, K slots, E experts, D devices.
"""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from figures_helpers import draw
from postproof import cli
from postproof.core import files
from postproof.core.errors import ArtefactError, ParamsError
from postproof.mixtral import dispatch_volume, expert_load_windows, served_routing

ROOT = Path(__file__).parents[3]
MIXTRAL = ROOT / "data/configurations/mixtral_8x7b.yaml"
E, D_MODEL = 8, 24


def random_ids(seed: int, shape=(13, 12, 3, 2), experts: int = E) -> np.ndarray:
    """K different experts per token and layer, some experts likelier than others."""
    rng = np.random.default_rng(seed)
    keys = rng.random((*shape[:3], experts)) ** (1 + np.arange(experts) % 3)
    return keys.argsort(axis=-1)[..., : shape[3]].astype(np.uint8)


def write(folder: Path, arm: str, seed: int, ids: np.ndarray, changed: dict | None = None) -> Path:
    path = folder / f"{arm}-seed{seed}.routing.safetensors"
    about = {"arm": arm, "seed": seed, "steps": [0, 1], "experts": E, "d_model": D_MODEL} | (changed or {})
    files.save_tensors(path, {"served_STLK": torch.from_numpy(ids)}, about)
    return path


@pytest.fixture
def routing(tmp_path):
    runs = [("with_aux", 11), ("no_aux", 12), ("no_aux", 11), ("with_aux", 12)]
    return [write(tmp_path, arm, seed, random_ids(seed + len(arm))) for arm, seed in runs]


def run_loads(folder: Path, routing, window_tokens: int = 30):
    out, windows = folder / "expert_load.csv", folder / "expert_load_windows.csv"
    arguments = ["--window-tokens", str(window_tokens), "--out", str(out), "--out-windows", str(windows)]
    code = cli.main(["mixtral.expert_load_windows", "--routing", *map(str, routing), *arguments])
    return code, out, windows


def run_dispatch(folder: Path, routing, devices: str = "[2, 4, 8]"):
    out, uniform = folder / "dispatch_volume.csv", folder / "dispatch_volume_uniform.csv"
    arguments = ["--devices", devices, "--bytes-per-value", "2", "--configuration", str(MIXTRAL)]
    arguments += ["--out", str(out), "--out-uniform", str(uniform)]
    code = cli.main(["mixtral.dispatch_volume", "--routing", *map(str, routing), *arguments])
    return code, out, uniform


# Load over windows


def test_loads_are_those_of_a_plain_loop():
    ids = random_ids(1)
    S, T, L, K = ids.shape
    N = 30
    expected = np.zeros((S * T // N, L, E), dtype=int)
    for s, t, layer, slot in np.ndindex(S, T, L, K):
        window = (s * T + t) // N
        if window < len(expected):
            expected[window, layer, ids[s, t, layer, slot]] += 1
    assert S * T % N, "a rest is dropped"
    np.testing.assert_array_equal(expert_load_windows.loads_WLE(ids, E, N), expected)


@pytest.mark.parametrize("window_tokens", [1, 7, 12, 156])
def test_every_window_and_layer_has_all_its_pairs(window_tokens):
    ids = random_ids(2)
    counts_WLE = expert_load_windows.loads_WLE(ids, E, window_tokens)
    assert len(counts_WLE) == 156 // window_tokens
    assert (counts_WLE.sum(axis=-1) == window_tokens * 2).all()


def test_an_expert_that_gets_every_token_has_one_slot_in_k():
    ids = random_ids(3)
    ids[..., 0], ids[..., 1] = 5, np.arange(ids[..., 1].size).reshape(ids[..., 1].shape) % 5
    table = expert_load_windows.window_rows("no_aux", 1, expert_load_windows.loads_WLE(ids, E, 5))
    assert (table["busiest_expert"] == 5).all() and (table["busiest_share"] == 0.5).all()
    shares = [0.5, *[0.1] * 5]
    np.testing.assert_allclose(table["entropy_nats"], -sum(share * math.log(share) for share in shares))


@pytest.mark.parametrize(
    "n, expected",
    [(1, 0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (8, 1.42360), (64, 2.34370)],
)  # closed forms; from 8 on, Harter 1961, "Expected values of normal order statistics"
def test_mean_of_the_largest_of_n_normals(n, expected):
    assert expert_load_windows.mean_of_largest_normal(n) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("experts, slots, tokens", [(8, 2, 768), (8, 1, 300), (4, 3, 200)])
def test_levels_of_an_even_router_are_those_of_a_simulated_one(experts, slots, tokens):
    """1,000 windows of independent tokens. Means are within five standard errors: a false alarm in 1 of 1,000,000
    seeds. At most 1 in 100 is above the last level: more than 27 of them in 1 of 500,000 seeds, none in 1 of 300.
    """
    rng, windows = np.random.default_rng(4), 1000
    busiest, entropy = [], []
    for _ in range(windows):
        ids = rng.random((tokens, experts)).argpartition(slots - 1, axis=1)[:, :slots]
        shares = np.bincount(ids.ravel(), minlength=experts) / (tokens * slots)
        busiest.append(shares.max())
        entropy.append(-(shares * np.log(shares)).sum())
    levels = expert_load_windows.uniform_levels(tokens, slots, experts)
    for simulated, name in [(busiest, "uniform_busiest_share"), (entropy, "uniform_entropy_nats")]:
        assert np.mean(simulated) == pytest.approx(levels[name], abs=5 * np.std(simulated) / math.sqrt(windows))
    assert 1 <= sum(share > levels["uniform_busiest_share_99"] for share in busiest) <= 27


def test_levels_when_every_token_goes_everywhere():
    levels = expert_load_windows.uniform_levels(50, 4, 4)
    assert levels == {
        "uniform_busiest_share": 0.25, "uniform_busiest_share_99": 0.25, "uniform_entropy_nats": math.log(4)
    }  # fmt: skip


def test_load_tables_are_tidy_and_do_not_depend_on_the_order_of_the_files(routing, tmp_path):
    code, out, windows = run_loads(tmp_path, routing)
    assert code == 0
    before = out.read_bytes(), windows.read_bytes()
    run_loads(tmp_path, reversed(routing))
    assert (out.read_bytes(), windows.read_bytes()) == before
    loads = files.read_csv(out)
    assert len(loads) == 4 * 5 * 3 * 8
    assert list(zip(loads["arm"], loads["seed"])) == sorted(zip(loads["arm"], loads["seed"]))
    np.testing.assert_allclose(loads.groupby(["arm", "seed", "window", "layer"])["share"].sum(), 1)


# Volume of dispatch


def received_by_loops(ids: np.ndarray, devices: int) -> dict[str, np.ndarray]:
    """Who receives how many states, (L, D), token by token."""
    S, T, L, K = ids.shape
    device_of = {expert: device for device in range(devices) for expert in range(E) if expert * devices // E == device}
    out = {way: np.zeros((L, devices), dtype=int) for way in dispatch_volume.WAYS}
    for s, t, layer in itertools.product(range(S), range(T), range(L)):
        targets = [device_of[expert] for expert in ids[s, t, layer].tolist() if device_of[expert] != s % devices]
        for target in targets:
            out["every_slot"][layer, target] += 1
        for target in set(targets):
            out["once_per_device"][layer, target] += 1
    return out


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_states_received_are_those_of_a_plain_loop(devices):
    ids = random_ids(5)
    received, expected = dispatch_volume.received(ids, E, devices), received_by_loops(ids, devices)
    for way in dispatch_volume.WAYS:
        np.testing.assert_array_equal(received[way], expected[way])


@pytest.mark.parametrize("experts, slots, devices", [(8, 2, 2), (8, 2, 4), (8, 2, 8), (6, 3, 3), (4, 1, 2), (8, 2, 1)])
def test_even_routing_sends_the_mean_over_all_choices(experts, slots, devices):
    """Every set of experts is equally likely; enumerated, from device 0 (all devices are alike)."""
    choices = [
        {expert * devices // experts for expert in chosen} for chosen in itertools.combinations(range(experts), slots)
    ]
    slots_elsewhere = [
        sum(expert * devices // experts != 0 for expert in chosen)
        for chosen in itertools.combinations(range(experts), slots)
    ]
    expected = dispatch_volume.uniform_crossing(experts, slots, devices)
    assert expected["every_slot"] == pytest.approx(np.mean(slots_elsewhere))
    assert expected["once_per_device"] == pytest.approx(np.mean([len(targets - {0}) for targets in choices]))


def volume(ids: np.ndarray, devices: int, experts: int = E) -> pd.DataFrame:
    run = served_routing.ServedRouting("no_aux", 1, experts, D_MODEL, ids)
    return pd.DataFrame(dispatch_volume.rows(run, devices, 2)).set_index(["way", "layer"])


def test_one_device_sends_nothing():
    table = volume(random_ids(6), 1)
    assert (table[["crossing", "bytes", "uniform_bytes_per_token"]] == 0).all(axis=None)
    assert (table["busiest_device_ratio"] == 1).all()


def test_with_one_expert_per_device_both_ways_send_the_same():
    table = volume(random_ids(7), 8)
    measures = ["crossing", "bytes", "uniform_bytes_per_token", "busiest_device_ratio"]
    pd.testing.assert_frame_equal(table.loc["every_slot", measures], table.loc["once_per_device", measures])


def test_the_way_of_sending_bounds_the_volume_and_layers_sum_to_all():
    table = volume(random_ids(8), 4)
    every, once = table.loc["every_slot"], table.loc["once_per_device"]
    assert (once["crossing"] <= every["crossing"]).all() and (2 * once["crossing"] >= every["crossing"]).all()
    assert (every["crossing"] <= every["pairs"]).all() and (every["pairs"] == [312, 312, 312, 936]).all()
    for column in ["pairs", "crossing", "bytes", "bytes_per_token", "uniform_bytes_per_token"]:
        assert every.loc[[1, 2, 3], column].sum() == pytest.approx(every.loc["all", column])
    np.testing.assert_array_equal(table["bytes"], 2 * D_MODEL * 2 * table["crossing"])


def test_one_expert_taking_all_makes_one_device_receive_all():
    ids = np.full((16, 5, 2, 1), 3, dtype=np.uint8)
    table = volume(ids, 4).loc["every_slot"]
    assert (table["crossing_share"] == 0.75).all(), "a quarter of the sequences is at home there"
    assert (table["busiest_device_ratio"] == 4).all()


def test_round_robin_homes_make_the_volume_of_any_router_even():
    """Homes know nothing of the tokens, so a router may be as uneven as it likes: each slot crosses with 1 - 1/D."""
    rng = np.random.default_rng(9)
    ids = rng.choice(E, p=[0.65, *[0.05] * 7], size=(400, 20, 1, 1)).astype(np.uint8)
    row = volume(ids, 8).loc[("every_slot", "all")]
    error = math.sqrt(0.125 * 0.875 / 8000)
    assert row["crossing_share"] == pytest.approx(row["uniform_crossing_share"], abs=5 * error)  # 1 of 1,000,000 seeds
    assert row["busiest_device_ratio"] > 4


def test_dispatch_tables_and_mixtral_at_its_own_size(routing, tmp_path):
    code, out, uniform = run_dispatch(tmp_path, routing)
    assert code == 0
    table, of_models = files.read_csv(out), files.read_csv(uniform)
    assert len(table) == 4 * 3 * 4 * 2
    mixtral = of_models[of_models["model"] == "mixtral_8x7b"].set_index(["devices", "way"])["bytes_per_token"]
    # 32 layers x 2 slots x 7/8 elsewhere x 4096 values x 2 bytes x there and back
    assert mixtral[8, "every_slot"] == 32 * 2 * 7 / 8 * 4096 * 2 * 2
    # of the 28 pairs of experts 6 are on the first of two devices, so 22 need the second
    assert mixtral[2, "once_per_device"] == pytest.approx(32 * 22 / 28 * 4096 * 2 * 2)
    posted = of_models[of_models["model"] == "posted"].set_index(["devices", "way"])["bytes_per_token"]
    levels = table[table["layer"] == "all"].groupby(["devices", "way"])["uniform_bytes_per_token"].first()
    pd.testing.assert_series_equal(levels.sort_index(), posted.sort_index(), check_names=False)


# Bad input


@pytest.mark.parametrize("devices", ["[2, 3]", "[16]"])
def test_devices_that_cannot_hold_the_experts_are_params_errors(devices, routing, tmp_path, capsys):
    code, out, _ = run_dispatch(tmp_path, routing, devices)
    assert code == ParamsError.exit_code and "telemetry.devices" in capsys.readouterr().err and not out.exists()


def test_windows_that_do_not_fit_into_the_text_are_params_errors(routing, tmp_path, capsys):
    code, out, _ = run_loads(tmp_path, routing, 157)
    assert code == ParamsError.exit_code and "1 to 156" in capsys.readouterr().err and not out.exists()


def same_expert_twice():
    ids = random_ids(1)
    ids[3, 4, 1] = 6
    return ids


@pytest.mark.parametrize(
    "ids, changed, message",
    [
        (random_ids(1), {"arm": "with_aux"}, "not the one its name says"),
        (random_ids(1), {"experts": 7}, "no such expert"),
        (random_ids(1), {"experts": "8"}, "not a routing file"),
        (random_ids(1), {"seed": True}, "not a routing file"),
        (random_ids(1).astype(np.int64), {}, "another form"),
        (random_ids(1)[0], {}, "another form"),
        (random_ids(1)[:0], {}, "another form"),
        (same_expert_twice(), {}, "the same expert in two slots"),
    ],
)
def test_a_routing_file_that_is_not_what_it_should_be_is_named(ids, changed, message, tmp_path):
    path = write(tmp_path, "no_aux", 1, ids, changed)
    with pytest.raises(ArtefactError, match=message) as caught:
        served_routing.read(path)
    assert caught.value.context["file"] == path


def test_a_file_without_choices_or_metadata_is_named(tmp_path):
    path = tmp_path / "no_aux-seed1.routing.safetensors"
    for tensors, about in [
        ({"other": torch.zeros(1)}, {"arm": "no_aux", "seed": 1}),
        ({"served_STLK": torch.zeros(1)}, 3),
    ]:
        files.save_tensors(path, tensors, about)
        with pytest.raises(ArtefactError, match="not a routing file"):
            served_routing.read(path)


def test_runs_given_twice_or_of_different_size_are_refused(routing, tmp_path):
    with pytest.raises(ArtefactError, match="twice"):
        served_routing.read_all([*routing, routing[0]])
    other = write(tmp_path, "no_aux", 13, random_ids(1, (12, 12, 3, 2)))
    with pytest.raises(ArtefactError, match="differ in size"):
        served_routing.read_all([*routing, other])


# Charts


@pytest.fixture
def tables(routing, tmp_path):
    loads, dispatch = run_loads(tmp_path, routing), run_dispatch(tmp_path, routing)
    return {"expert_load_windows": loads[1:], "dispatch_volume": dispatch[1:]}


@pytest.mark.parametrize("stem", ["expert_load_windows", "dispatch_volume"])
def test_a_telemetry_figure_is_the_same_bytes_twice(stem, tables, tmp_path):
    before = draw("mixtral", stem, tables[stem], tmp_path)
    assert draw("mixtral", stem, tables[stem], tmp_path) == before and b"<dc:date>" not in before[0]


@pytest.mark.parametrize(
    "stem, which, column, identity",
    [
        ("expert_load_windows", 0, "tokens", "same load"),
        ("expert_load_windows", 1, "busiest_share", "largest share"),
        ("expert_load_windows", 0, "share", "tokens over the window's"),
        ("expert_load_windows", 1, "entropy_nats", "entropy"),
        ("dispatch_volume", 0, "crossing", "layers sum to all"),
        ("dispatch_volume", 0, "crossing_share", "crossing over pairs"),
        ("dispatch_volume", 0, "bytes_per_token", "bytes over tokens"),
        ("dispatch_volume", 0, "uniform_crossing_share", "1 - 1/D"),
    ],
)
def test_a_telemetry_table_that_breaks_an_identity_is_not_drawn(stem, which, column, identity, tables, tmp_path):
    table = files.read_csv(tables[stem][which])
    # Within the range of its column.
    table.loc[0, column] += (1 - table.loc[0, column]) / 2 if "share" in column else 1
    files.write_csv(tables[stem][which], table)
    with pytest.raises(ArtefactError, match=identity):
        draw("mixtral", stem, tables[stem], tmp_path)
    assert not (tmp_path / "chart.svg").exists()


@pytest.mark.parametrize("column, value", [("share", 1.5), ("share", -0.1), ("tokens", -1)])
def test_a_telemetry_table_with_a_number_out_of_range_is_not_drawn(column, value, tables, tmp_path):
    table = files.read_csv(tables["expert_load_windows"][0]).astype({column: float})
    table.loc[0, column] = value
    files.write_csv(tables["expert_load_windows"][0], table)
    with pytest.raises(ArtefactError, match="out of range"):
        draw("mixtral", "expert_load_windows", tables["expert_load_windows"], tmp_path)


def test_one_window_is_enough_to_draw(routing, tmp_path):
    assert draw("mixtral", "expert_load_windows", run_loads(tmp_path, routing, 156)[1:], tmp_path)


@pytest.mark.parametrize("stem", ["expert_load_windows", "dispatch_volume"])
def test_a_table_with_a_row_twice_is_not_drawn(stem, tables, tmp_path):
    table = files.read_csv(tables[stem][0])
    files.write_csv(tables[stem][0], pd.concat([table, table.iloc[[-1]]]))
    with pytest.raises(ArtefactError) as caught:
        draw("mixtral", stem, tables[stem], tmp_path)
    assert caught.value.context["file"] == tables[stem][0] and not (tmp_path / "chart.svg").exists()


@pytest.mark.parametrize("stem", ["expert_load_windows", "dispatch_volume"])
def test_a_table_without_one_of_the_arms_is_not_drawn(stem, tables, tmp_path):
    for path in tables[stem]:
        table = files.read_csv(path)
        if "arm" in table:
            files.write_csv(path, table[table["arm"] == "no_aux"])
    with pytest.raises(ArtefactError, match="with_aux"):
        draw("mixtral", stem, tables[stem], tmp_path)
    assert not (tmp_path / "chart.svg").exists()
