"""The rope tables: exact expectations against draws and quadrature, identities, and settings that make no sense."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

import figures_helpers
from postproof.core import files
from postproof.core.errors import ParamsError
from postproof.llama2 import rope, rope_check_as_run, rope_decay, rope_decay_readings, rope_diagram, rope_theta
from postproof.llama2.settings import RopeCheckAsRun, RopeDecay, RopeDiagram, RopeTheta
from postproof.llama2.sinusoidal import encoding

HEAD = {"d_head": 128, "base": 10_000, "larger_base": 500_000}
DECAY = HEAD | {"draws": 20, "distances": 30, "seeds": [0, 1]}
DIAGRAM = HEAD | {"d_head": 16, "seed": 0, "pairs": [0, 7], "positions": 4, "query_position": 3}
DIAGRAM |= {"key_position": 1, "shift": 2, "tokens": 6}
CHECK = HEAD | {"seeds": [0, 1], "triples": 20, "positions_below": 40, "shifts_below": 100}
CHECK |= {"far_shift": 1_000_000}
AS_RUN = CHECK | {"positions": 15, "vectors_seed": 42, "triples_seed": 7}
COMMANDS = {
    "rope_check": (CHECK, {"--out": "rope_check"}),
    "rope_check_as_run": (AS_RUN, {"--out": "rope_check_as_run"}),
    "rope_angles": (HEAD | {"d_head": 16, "positions": 12}, {"--out": "rope_angles"}),
    "rope_decay": (DECAY, {"--out": "rope_decay"}),
    "rope_decay_readings": (DECAY, {"--out": "rope_decay_readings"}),
    "rope_theta": (
        HEAD | {"position": 42, "contexts": [2048, 131072]},
        {"--out": "rope_theta", "--out-contexts": "rope_theta_contexts"},
    ),
    "rope_diagram": (DIAGRAM, {"--out": "rope_diagram", "--out-scores": "rope_scores"}),
}


def run(command: str, settings: dict, folder: Path) -> dict[str, Path]:
    """Runs the command; the paths of its tables, by name."""
    paths = {name: folder / f"{name}.csv" for name in COMMANDS[command][1].values()}
    sections = [
        {key: value for key, value in settings.items() if (key in HEAD) == in_head} for in_head in (True, False)
    ]
    argv = ["--settings", *map(json.dumps, sections)]
    for option, name in COMMANDS[command][1].items():
        argv += [option, str(paths[name])]
    figures_helpers.run(f"llama2.{command}", argv)
    return paths


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    return {
        name: path
        for command, (settings, _) in COMMANDS.items()
        for name, path in run(command, settings, folder).items()
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_bytes_repeat(command, tables, tmp_path):
    for name, path in run(command, COMMANDS[command][0], tmp_path).items():
        assert path.read_bytes() == tables[name].read_bytes()


def test_errors_are_of_the_size_of_rounding(tables):
    errors = files.read_csv(tables["rope_check"]).groupby("check")["max_error"].max()
    # Scores of 128 products of about 1, angles of up to 300 rad; further on angles are 1e6 rad, rounded to 2^-34.
    assert errors["relative_distance"] < 1e-12
    assert 1e-12 < errors["far_distance"] < 128 * 2**-34
    assert (
        errors["extended"] < 40 * 2**-52 * 5
    )  # an angle of 40 rad is off by a few 2^-53 of itself, entries are below 5
    assert errors["norm"] < 1e-15 and errors["position_0"] == 0
    # Multiplied as RoPE is written, by separately rounded products of the same cosines, nothing is left to differ.
    assert errors["complex_python"] == 0 and errors["complex_numpy"] < 1e-15


def test_the_posted_check_comes_out_again(tables):
    errors = files.read_csv(tables["rope_check_as_run"]).set_index("check")["max_error"]
    assert errors["complex_python"] == 0  # the posted figure
    assert 0 < errors["complex_numpy"] < 2**-53  # fused multiply-adds, features below 0.5
    assert 0 < errors["relative_distance"] < 10 * 2**-53  # scores below 1, sums of 128 rounded products


def test_the_posted_check_draws_as_its_script_did():
    as_run = RopeCheckAsRun(**AS_RUN | {"seeds": (0, 1), "base": 10_000.0, "larger_base": 500_000.0})
    rng = np.random.default_rng(42)
    q, k = (np.stack([rng.standard_normal(128) for _ in range(15)]) for _ in range(2))
    for drawn, made in zip((q, k), rope_check_as_run.unit_vectors(as_run), strict=True):
        np.testing.assert_allclose(made, [row / np.sqrt(row @ row) for row in drawn], rtol=1e-14)
    triples = rope_check_as_run.triples(as_run)
    assert triples.shape == (20, 3) and (triples >= [0, 0, 1]).all() and (triples < [40, 40, 100]).all()
    rng = np.random.default_rng(7)
    assert [rng.integers(0, 40), rng.integers(0, 40), rng.integers(1, 100)] == triples[0].tolist()


def test_angles_are_position_times_rate_and_the_remainder_has_the_same_direction(tables):
    table = files.read_csv(tables["rope_angles"])
    assert len(table) == 12 * 8 and table["angle_mod_2pi_rad"].between(0, 2 * np.pi, inclusive="left").all()
    np.testing.assert_allclose(table["angle_rad"], table["position"] / 10_000 ** (table["pair"] / 8), rtol=1e-8)
    np.testing.assert_allclose(np.cos(table["angle_mod_2pi_rad"]), np.cos(table["angle_rad"]), atol=1e-7)
    np.testing.assert_allclose(np.sin(table["angle_mod_2pi_rad"]), np.sin(table["angle_rad"]), atol=1e-7)


@pytest.mark.parametrize("d", [16, 128])
def test_moments_of_a_coordinate_are_those_of_quadrature(d):
    settings = RopeDecay(**DECAY | {"d_head": d, "distances": 2})
    mean_T, sd_T = rope_decay.expectation("rope_independent", settings)
    density = lambda u: (1 - u**2) ** ((d - 3) / 2)  # noqa: E731
    whole = integrate.quad(density, 0, 1)[0]
    mean = integrate.quad(lambda u: u * density(u), 0, 1)[0] / whole
    assert mean_T == pytest.approx([mean, mean], rel=1e-10)
    assert sd_T**2 + mean_T**2 == pytest.approx([1 / d, 1 / d], rel=1e-10)


@pytest.mark.parametrize("curve", rope_decay.CURVES)
def test_expectations_are_what_many_draws_give(curve):
    """4 seeds x 5,000 draws, 4 distances: 16 z values per curve, each beyond 5.2 in one of 5 million. The deviation
    of 20,000 draws strays by 0.5 % if they are normal, by less than 2 % with the heaviest tails here: 8 % is far."""
    settings = RopeDecay(**DECAY | {"draws": 5000, "distances": 4, "base": 100, "seeds": [0, 1, 2, 3]})
    mean_T, sd_T = rope_decay.expectation(curve, settings)
    scores_SNT = np.stack([rope_decay.all_scores(settings, seed)[curve] for seed in settings.seeds])
    errors_ST = scores_SNT.mean(axis=1) - mean_T
    assert (np.abs(errors_ST) <= 5.2 * sd_T / np.sqrt(settings.draws) + 1e-12).all()
    np.testing.assert_allclose(scores_SNT.reshape(-1, 4).std(axis=0)[1:], sd_T[1:], rtol=0.08)


def test_the_expected_score_of_independent_vectors_is_the_same_at_every_distance(tables):
    table = files.read_csv(tables["rope_decay"])
    expected = table.pivot_table(index="distance", columns="curve", values="expected")
    assert expected["rope_independent"].nunique() == 1
    assert expected["rope_independent"][0] == pytest.approx(np.sqrt(2 / (np.pi * 128)), rel=0.01)  # large d
    np.testing.assert_allclose(expected["sinusoidal_added"], 64 * expected["rope_same"], rtol=1e-8)
    ratio = expected["sinusoidal_renormalised"] / expected["rope_same"]
    np.testing.assert_allclose(ratio, 64 / 65, rtol=1e-3)  # 1 / (1 + 1/P) to first order


def test_encodings_have_one_norm_and_their_products_depend_on_distance():
    pe_TD = encoding(50, 128)
    np.testing.assert_allclose((pe_TD**2).sum(axis=-1), 64, rtol=1e-13)
    gram_TT = pe_TD @ pe_TD.T
    np.testing.assert_allclose(gram_TT[1:, 1:], gram_TT[:-1, :-1], atol=1e-11)
    assert pe_TD[0].tolist() == [0, 1] * 64


def test_a_sinusoidal_score_that_may_be_negative_has_no_formula():
    with pytest.raises(ParamsError, match="may be negative"):
        rope_decay.expectation("sinusoidal_added", RopeDecay(**DECAY | {"d_head": 8}))


def test_a_curves_summary_is_its_ends_rises_and_rank_correlation():
    curve_T = np.random.default_rng(0).normal(size=40)
    summary = rope_decay_readings.summary(curve_T)
    assert (summary["first"], summary["last"]) == (curve_T[0], curve_T[-1])
    assert summary["rises"] == sum(b > a for a, b in zip(curve_T, curve_T[1:]))
    assert summary["rank_correlation"] == pytest.approx(stats.spearmanr(range(40), curve_T).statistic, abs=1e-12)
    ties = rope_decay_readings.summary(np.array([2.0, 1.0, 1.0, 0.0]))["rank_correlation"]
    assert ties == pytest.approx(-3 / np.sqrt(10))  # tied values share the mean of their ranks
    falling = rope_decay_readings.summary(np.arange(9.0, 0.0, -1.0))
    assert (falling["rises"], falling["rank_correlation"]) == (0, pytest.approx(-1))


def test_the_papers_bound_is_the_mean_of_partial_sums():
    settings = RopeDecay(**DECAY | {"d_head": 8, "distances": 5})
    theta = rope.frequencies(8)
    for t, bound in enumerate(rope_decay_readings.roformer_bound(settings)):
        partial_sums = [abs(sum(np.exp(1j * t * theta[k]) for k in range(j))) for j in (1, 2, 3, 4)]
        assert bound == pytest.approx(np.mean(partial_sums), rel=1e-12)


def test_wavelengths_and_the_pairs_longer_than_a_context(tables):
    pairs = files.read_csv(tables["rope_theta"])
    at_10k = pairs[pairs["base"] == 10_000].set_index("pair")
    assert at_10k["angle_rad"][0] == 42 and at_10k["turns"][0] == pytest.approx(42 / (2 * np.pi), rel=1e-8)
    assert at_10k["angle_rad"][63] == pytest.approx(42 * 10_000 ** (-126 / 128), rel=1e-8)
    # A base 50 times as large slows pair k by 50^(2k/d): the fastest not at all.
    slower = (
        at_10k["frequency_rad_per_token"].to_numpy() / pairs.loc[pairs["base"] == 500_000, "frequency_rad_per_token"]
    )
    np.testing.assert_allclose(slower, 50 ** (np.arange(64) / 64), rtol=1e-7)
    for row in files.read_csv(tables["rope_theta_contexts"]).itertuples():
        turned_less = sum(row.context_tokens * row.base ** (-k / 64) < 2 * np.pi for k in range(64))
        assert row.pairs_longer == turned_less and row.share_longer == turned_less / 64


def test_a_context_as_long_as_a_wavelength_is_not_shorter():
    settings = RopeTheta(**HEAD | {"d_head": 2, "position": 0, "contexts": [6, 7]})
    contexts = rope_theta.by_context(settings, rope_theta.by_pair(settings))
    assert contexts["pairs_longer"].tolist() == [1, 0, 1, 0]  # 6.28 tokens, whatever the base


def test_scores_by_position_are_scores_by_distance():
    settings = RopeDiagram(**DIAGRAM)
    scores = rope_diagram.scores(settings)
    assert len(scores) == 6 * 7 / 2
    np.testing.assert_allclose(scores["rope"], scores["by_distance"], atol=1e-12)
    assert scores.groupby("distance")["rope"].agg(np.ptp).max() < 1e-12
    assert scores.groupby("distance")["sinusoidal"].agg(np.ptp)[1:5].min() > 0.01
    rest = scores["sinusoidal"] - scores["sinusoidal_cross_terms"]  # q.k + PE_m.PE_n: distance alone
    assert rest.groupby(scores["distance"]).agg(np.ptp).max() < 1e-12


def test_arrows_turn_and_keep_their_length_and_their_angle_to_each_other():
    table = rope_diagram.arrows(RopeDiagram(**DIAGRAM))
    z = table["x"] + 1j * table["y"]
    turning = z[(table["part"] == "turning") & (table["pair"] == 0)].to_numpy()
    np.testing.assert_allclose(turning[1:] / turning[:-1], np.exp(1j), rtol=1e-13)
    q_here, q_shifted, k_here, k_shifted = z[table["part"] != "turning"]
    assert q_here * np.conj(k_here) == pytest.approx(q_shifted * np.conj(k_shifted), rel=1e-13)
