"""The tables of attention heads: protocols, limits, classes, gradients, intervals and what padding adds.

The model is a stand-in whose attention is random, or as the test says, and causal.
"""

import argparse
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import figures_helpers
from postproof.attention.heads import classes, gradient, limits, reader, results, sources, tabulate
from postproof.attention.settings import HeadRuns, HeadSettings
from postproof.benchmarks.heads import by_loop
from postproof.core import files
from postproof.core import tables as schemas
from postproof.core.errors import ArtefactError

T, LAYERS, HEADS = 64, 9, 3
RUN_SETTINGS = HeadRuns(positions=T, reach=2, example_sentence=2)
SETTINGS = HeadSettings(
    local_above=0.35, copy_below=1.5, broad_above=3.0, layers_at_each_end=4, bootstrap_draws=300, seed=0
)  # fmt: skip
LENGTHS = np.array([5, 9, 12, 3, 40, 64])


def random_scores(layer, shape):
    """Sharper from layer to layer."""
    generator = torch.Generator().manual_seed(layer)
    return (1 + layer) * torch.randn(shape, generator=generator)


def uniform_scores(layer, shape):
    return torch.zeros(shape)


def newest_scores(layer, shape):
    """All attention on the newest key that a query may see."""
    return 1e4 * torch.arange(shape[-1]).float().expand(shape)


def stand_in(score, layers=LAYERS, name="stand_in") -> sources.AttentionModel:
    def attend(ids, real, visit):
        B, positions = ids.shape
        for layer in range(layers):
            hidden = torch.ones(positions, positions, dtype=torch.bool).triu(1)
            hidden = hidden if real is None else hidden | ~real[:, None, None]
            scores = score(layer, (B, HEADS, positions, positions))
            visit(scores.masked_fill(hidden, -math.inf).softmax(-1))

    return sources.AttentionModel(
        name=name, layers=layers, heads=HEADS, context=T, vocabulary=2, pad_id=0, cuts=False,
        encode=lambda text: [1] * len(text.split()), label=lambda index: f" {index}\n", attend=attend,
    )  # fmt: skip


def save_run(path: Path, score=random_scores, lengths=LENGTHS, settings=RUN_SETTINGS, **changes) -> Path:
    sentences = [" ".join(["word"] * n) for n in lengths]
    kinds = [f"kind{index % 2}" for index in range(len(lengths))]
    files.save_tensors(path, *reader.read(stand_in(score, **changes), kinds, sentences, settings))
    return path


def run_command(folder: Path, runs: list[Path], drawn: str = "stand_in") -> dict[str, Path]:
    """Every table that the command makes, by name."""
    parser = argparse.ArgumentParser()
    tabulate.add_arguments(parser)
    names = [action.dest.removeprefix("out_") for action in parser._actions if action.dest.startswith("out_")]
    made = {name: folder / f"{name}.csv" for name in names}
    argv = ["--runs", *runs, "--drawn", drawn, "--settings", json.dumps(dataclasses.asdict(SETTINGS))]
    for name, path in made.items():
        argv += [f"--out-{name.replace('_', '-')}", path]
    figures_helpers.run("attention.heads.tabulate", argv)
    return made


def gradient_of(run: results.HeadResults) -> pd.DataFrame:
    draws = results.Bootstrap(len(run.lengths_S), SETTINGS.bootstrap_draws, SETTINGS.seed)
    return pd.DataFrame(gradient.rows(run, SETTINGS, draws, in_nats=True))


@pytest.fixture(scope="module")
def run_file(tmp_path_factory) -> Path:
    return save_run(tmp_path_factory.mktemp("runs") / "random.safetensors")


@pytest.fixture(scope="module")
def run(run_file) -> results.HeadResults:
    return results.load(run_file)


@pytest.fixture(scope="module")
def tables(run_file) -> dict[str, pd.DataFrame]:
    made = run_command(run_file.parent, [run_file])
    return {name: schemas.read(path, f"attention/{name}") for name, path in made.items()}


def weights_of(score, hidden: bool, layer=0):
    seen = []
    model = stand_in(score)
    tokens = sources.batch(model, [" ".join(["word"] * n) for n in LENGTHS], T)
    sources.attend(model, tokens, hidden, seen.append)
    return seen[layer]


@pytest.mark.parametrize("protocol, hidden", [("as_posted", True), ("padding_seen", False)])
def test_means_over_all_rows_are_those_of_all_rows(run, protocol, hidden):
    """From the weights themselves, without telling real rows from padding."""
    w = weights_of(random_scores, hidden, layer=4).double().numpy()
    entropy = -(w * np.log(np.where(w > 0, w, 1))).sum(-1).mean(-1)
    near = np.abs(np.subtract.outer(np.arange(T), np.arange(T))) <= 2
    np.testing.assert_allclose(run.statistic(protocol, "entropy")[:, 4], entropy, atol=1e-6)
    np.testing.assert_allclose(run.statistic(protocol, "diagonal")[:, 4], (w * near).sum(-1).mean(-1), atol=1e-6)
    np.testing.assert_allclose(run.statistic(protocol, "first_token_share")[:, 4], w[:, :, 1:, 0].mean(-1), atol=1e-6)
    parts = results.entropy_parts(run, protocol)
    np.testing.assert_allclose(parts["real"] + parts["padding"], run.statistic(protocol, "entropy").mean(2), atol=1e-6)


def test_real_tokens_are_the_loop_over_real_rows(run):
    expected = by_loop(weights_of(random_scores, True, layer=2).numpy(), LENGTHS, 2, True)
    for name in ("entropy", "diagonal", "entropy_share", "first_token_share"):
        np.testing.assert_allclose(run.statistic("real_tokens", name)[:, 2], expected[f"real_{name}"], atol=1e-6)


@pytest.mark.parametrize("protocol", results.PROTOCOLS)
def test_limits_are_what_uniform_and_newest_attention_reach(protocol, tmp_path):
    """No head can have more, and these have as much."""
    uniform = results.load(save_run(tmp_path / "a.safetensors", uniform_scores))
    newest = results.load(save_run(tmp_path / "b.safetensors", newest_scores))
    most = {row["protocol"]: row for row in limits.of_model(uniform, SETTINGS)}[protocol]
    assert uniform.statistic(protocol, "entropy").mean() == pytest.approx(most["entropy_limit"], abs=1e-6)
    assert uniform.statistic(protocol, "diagonal").mean() == pytest.approx(most["diagonal_uniform"], abs=1e-6)
    assert newest.statistic(protocol, "diagonal").mean() == pytest.approx(most["diagonal_limit"], abs=1e-6)
    assert newest.statistic(protocol, "entropy").max() == 0
    if protocol != "real_tokens":
        real = results.entropy_parts(uniform, protocol)["real"].mean()
        assert most["entropy_limit_real_part"] == pytest.approx(real, abs=1e-6)
    parts = most["entropy_limit_real_part"] + most["entropy_limit_padding_part"]
    assert parts == pytest.approx(most["entropy_limit"])


@pytest.mark.parametrize("n", [2, 12, T - 1, T])
def test_limits_are_their_formulas(n, tmp_path):
    """ln(n!) from the gamma function."""
    run = results.load(save_run(tmp_path / "a.safetensors", lengths=np.full(3, n)))
    most = {row["protocol"]: row for row in limits.of_model(run, SETTINGS)}
    log_factorial = math.lgamma(n + 1)
    assert most["real_tokens"]["entropy_limit"] == pytest.approx(log_factorial / n)
    assert most["as_posted"]["entropy_limit"] == pytest.approx((log_factorial + (T - n) * math.log(n)) / T)
    assert most["padding_seen"]["entropy_limit"] == pytest.approx(math.lgamma(T + 1) / T)
    for protocol in ("as_posted", "padding_seen"):
        assert most[protocol]["entropy_limit_real_part"] == pytest.approx(log_factorial / T)
    assert most["as_posted"]["diagonal_limit"] == pytest.approx(min(n + 2, T) / T)
    if n == T:
        for name in ("entropy_limit", "diagonal_uniform"):
            assert most["real_tokens"][name] == pytest.approx(most["as_posted"][name])


def test_short_sentences_have_no_local_and_no_broad_heads_as_posted(tmp_path):
    """Whatever the head does: the posted thresholds are then out of reach. Real rows are local even when uniform."""
    lengths = np.full(4, 12)
    newest = results.load(save_run(tmp_path / "a.safetensors", newest_scores, lengths))
    uniform = results.load(save_run(tmp_path / "b.safetensors", uniform_scores, lengths))
    most = {row["protocol"]: row for row in limits.of_model(uniform, SETTINGS)}
    assert most["as_posted"]["local_can_be_reached"] == most["as_posted"]["broad_can_be_reached"] == "no"
    for found_run in (newest, uniform):
        table = tabulate.by_head(found_run, SETTINGS)
        as_posted = table[table["protocol"] == "as_posted"]
        assert not as_posted["class_posted"].isin(["local", "broad"]).any()
    table = tabulate.by_head(uniform, SETTINGS).set_index("protocol")
    assert (table.loc["real_tokens", "class_posted"] == "local").all()
    # Where thresholds are moved to what can be reached, uniform attention is broad and the newest key is local.
    assert (table["class_reachable"] == "broad").all()
    assert (tabulate.by_head(newest, SETTINGS)["class_reachable"] == "local").all()


def test_reachable_thresholds_are_the_posted_ones_in_sentences_of_full_length(tmp_path):
    found_run = results.load(save_run(tmp_path / "full.safetensors", lengths=np.full(4, T)))
    largest = math.lgamma(T + 1) / T
    for protocol in results.PROTOCOLS:
        moved = classes.reachable(SETTINGS, found_run, protocol)
        assert moved.local_above == pytest.approx(SETTINGS.local_above)
        assert moved.copy_below * largest == pytest.approx(SETTINGS.copy_below)
        assert moved.broad_above * largest == pytest.approx(SETTINGS.broad_above)


def test_classes_are_asked_for_in_the_posted_order():
    class_of = classes.posted(SETTINGS).classes
    cases = [(0.4, 0.1, "local"), (0.35, 0.1, "copy"), (0.1, 3.1, "broad"), (0.1, 1.5, "mixed"), (0.1, 3.0, "mixed")]
    diagonal, entropy, expected = (np.array(column) for column in zip(*cases))
    assert list(class_of(diagonal, entropy)) == list(expected)


def test_counts_of_classes_sum_to_the_heads(tables):
    by_layer = tables["heads_by_layer"]
    for basis in tabulate.BASES:
        assert (by_layer[[f"{kind}_{basis}" for kind in classes.CLASSES]].sum(axis=1) == HEADS).all()
    means = tables["heads"].groupby(["protocol", "layer"])["entropy"].mean()
    np.testing.assert_allclose(by_layer.set_index(["protocol", "layer"])["entropy"].loc[means.index], means)


# Gradients and intervals.


def test_a_gradient_is_late_minus_early_and_its_parts_sum(tables):
    table = tables["head_gradient"].set_index(["protocol", "measure", "split"])
    by_layer = tables["heads_by_layer"].set_index(["protocol", "layer"])["entropy"]
    for protocol in ("as_posted", "padding_seen"):
        for split, width in [("thirds", 3), ("as_posted", 4)]:
            row = table.loc[(protocol, "entropy", split)]
            assert row["early"] == pytest.approx(by_layer[protocol].iloc[:width].mean())
            assert row["late"] == pytest.approx(by_layer[protocol].iloc[-width:].mean())
            assert row["difference"] == pytest.approx(row["late"] - row["early"])
            parts = [
                table.loc[(protocol, f"entropy_from_{rows}_rows", split), "difference"] for rows in ("real", "padding")
            ]
            assert sum(parts) == pytest.approx(row["difference"])
            assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    falls = table.loc[("as_posted", "entropy", "thirds")]  # the stand-in's scores grow from layer to layer
    assert (falls["direction"], falls["falling_steps"], falls["steps"]) == ("falls", LAYERS - 1, LAYERS - 1)
    assert falls["rank_correlation"] == pytest.approx(-1) and falls["monotonic_draws_share"] == 1


def test_no_gradient_where_there_is_none(tmp_path):
    """Uniform attention in every layer: padding alone makes no difference between layers."""
    found_run = results.load(save_run(tmp_path / "uniform.safetensors", uniform_scores))
    table = gradient_of(found_run)
    np.testing.assert_allclose(table["difference"], 0, atol=1e-9)
    assert (table["direction"] == "neither").all() and (table["rank_correlation"].abs() < 1).all()


def test_padding_alone_can_make_a_gradient(tmp_path):
    """Real rows are uniform in every layer; rows of padding sharpen with depth. All of the difference is theirs."""
    n = 8

    def score(layer, shape):
        scores = torch.zeros(shape)
        scores[..., n:, 0] = 1.5 * layer
        return scores

    found_run = results.load(save_run(tmp_path / "padding.safetensors", score, np.full(4, n)))
    table = gradient_of(found_run).set_index(["protocol", "measure", "split"])
    posted = table.loc[("as_posted", "entropy", "as_posted")]
    assert posted["difference"] < -0.9 and posted["direction"] == "falls"
    assert table.loc[("as_posted", "entropy_from_real_rows", "as_posted"), "difference"] == pytest.approx(0, abs=1e-6)
    assert table.loc[("real_tokens", "entropy", "as_posted"), "difference"] == pytest.approx(0, abs=1e-6)


def test_few_layers_have_no_split_of_four(tmp_path):
    found_run = results.load(save_run(tmp_path / "small.safetensors", layers=3))
    table = gradient_of(found_run)
    assert set(table["split"]) == {"thirds"}
    assert set(table["early_layers"]) == {"0 to 0"} and set(table["late_layers"]) == {"2 to 2"}


def test_rank_correlation_is_spearmans():
    generator = np.random.default_rng(0)
    for layers in (3, 12, 30):
        values = generator.integers(0, layers, size=layers).astype(float)  # with ties
        if values.std():
            expected = stats.spearmanr(np.arange(layers), values).statistic
            found = gradient.rank_correlation(np.array([values, np.ones(layers), -values]))
            assert found == pytest.approx([expected, 0, -expected])
    assert gradient.rank_correlation(np.ones((2, 5))).tolist() == [0, 0]


def test_the_bootstrap_has_the_spread_of_a_mean():
    """Its standard deviation is the sample's over sqrt(S), known to 1 / sqrt(2 x 4000), 1.1%; 6% is five of these."""
    values = np.random.default_rng(1).normal(size=(100, 2))
    draws = results.Bootstrap(100, 4000, seed=0).means(values)
    np.testing.assert_allclose(draws.std(axis=0), values.std(axis=0) / 10, rtol=0.06)
    np.testing.assert_allclose(draws.mean(axis=0), values.mean(axis=0), atol=5 * 0.1 / math.sqrt(4000))
    assert np.array_equal(draws, results.Bootstrap(100, 4000, seed=0).means(values))
    assert not np.array_equal(draws, results.Bootstrap(100, 4000, seed=1).means(values))


# Padding, generality, examples.


def test_padding_effect_tells_rows_apart(tables, run):
    table = tables["padding_effect"].set_index(["padding", "layer"])
    padded = LENGTHS < T
    w = weights_of(random_scores, True, layer=3).double()
    entropies = torch.special.entr(w).sum(-1).mean(1).numpy()
    real = np.mean([entropies[s, : LENGTHS[s]].mean() for s in np.flatnonzero(padded)])
    padding = np.mean([entropies[s, LENGTHS[s] :].mean() for s in np.flatnonzero(padded)])
    row = table.loc[("hidden", 3)]
    assert row["real_entropy"] == pytest.approx(real, abs=1e-6)
    assert row["padding_entropy"] == pytest.approx(padding, abs=1e-6)
    assert row["padding_rows_share"] == pytest.approx(1 - LENGTHS.mean() / T)
    assert row["padded_sentences"] == padded.sum()
    assert row["padding_part"] == pytest.approx(row["padding_part_share"] * row["entropy"])
    as_posted = tables["heads_by_layer"].set_index(["protocol", "layer"]).loc[("as_posted", 3), "entropy"]
    assert row["entropy"] == pytest.approx(as_posted)
    np.testing.assert_allclose(table.loc["hidden", "real_entropy"], table.loc["seen", "real_entropy"], atol=1e-6)


def test_a_model_without_padding_has_no_padding_effect(tmp_path):
    found_run = results.load(save_run(tmp_path / "full.safetensors", lengths=np.full(4, T)))
    assert list(tabulate.padding_effect(found_run, SETTINGS)) == []


def test_general_layers_are_those_that_each_reading_asks_for(tmp_path):
    """A diffuse and purely positional layer 5 among layers that get sharper."""

    def score(layer, shape):
        return uniform_scores(layer, shape) if layer == 5 else random_scores(layer, shape)

    paths = [
        save_run(tmp_path / "deep.safetensors", score),
        save_run(tmp_path / "flat.safetensors", layers=7, name="flat"),
    ]
    table = schemas.read(run_command(tmp_path, paths)["general_layers"], "attention/general_layers")
    assert set(table["model"]) == {"stand_in"}  # 7 layers have no two ends of 4
    table = table.set_index("reading")
    for reading in ("posted_entropy", "entropy_share"):
        row = table.loc[reading]
        assert row["general_layers"] == "0 1 2 5"
        assert (row["of_the_first"], row["of_the_last"], row["shared_with_posted"]) == (3, 1, 4)
    assert "5" in table.loc["content_distance", "general_layers"].split()
    assert table.loc["posted_entropy", "same_in_draws_share"] > 0.9
    assert table["same_in_draws_share"].between(0, 1).all()


def test_examples_are_heads_of_their_class(tables, run):
    table, by_head = tables["head_examples"], tables["heads"].set_index(["protocol", "layer", "head"])
    assert set(table["sentence"]) == {2} and set(table["query_token"]) == {"\u24231\u21b5"}
    for (basis, kind), rows in table.groupby(["basis", "class"]):
        (place,) = set(rows[["protocol", "layer", "head"]].itertuples(index=False, name=None))
        assert by_head.loc[place, f"class_{basis}"] == kind
        assert len(rows) == LENGTHS[1] * (LENGTHS[1] + 1) // 2
        expected = weights_of(random_scores, True, layer=place[1])[1, place[2]]
        for row in rows.itertuples():
            assert row.weight == pytest.approx(expected[row.query_position, row.key_position].item())
    for basis, protocol in tabulate.BASES.items():
        found = set(table.loc[table["basis"] == basis, "class"])
        assert found == set(by_head.loc[protocol, f"class_{basis}"])


# The command.


def test_the_command_writes_the_same_tables_twice_the_drawn_model_first(tmp_path):
    paths = [save_run(tmp_path / "a.safetensors"), save_run(tmp_path / "b.safetensors", layers=3, name="other")]
    first = {name: path.read_bytes() for name, path in run_command(tmp_path, paths).items()}
    again = {name: path.read_bytes() for name, path in run_command(tmp_path, paths[::-1]).items()}
    assert first == again, "which run comes first in the command is no matter"
    for table in first:
        found = schemas.read(tmp_path / f"{table}.csv", f"attention/{table}")
        of_one = table in ("head_examples", "general_layers")  # of the drawn model; of runs with enough layers
        assert list(found["model"].unique()) == (["stand_in"] if of_one else ["stand_in", "other"])
    run_command(tmp_path, paths, drawn="other")
    for table in ("heads", "head_examples", "padding_effect"):
        assert schemas.read(tmp_path / f"{table}.csv", f"attention/{table}")["model"].iloc[0] == "other"


def test_runs_that_do_not_go_together_are_refused(tmp_path):
    a = save_run(tmp_path / "a.safetensors")
    with pytest.raises(ArtefactError, match="of one model"):
        run_command(tmp_path, [a, a])
    b = save_run(tmp_path / "b.safetensors", name="other", lengths=LENGTHS[:4])
    with pytest.raises(ArtefactError, match="different sentences"):
        run_command(tmp_path, [a, b])
    with pytest.raises(ArtefactError, match="no run is of the model that is drawn") as error:
        run_command(tmp_path, [a], drawn="gpt2")
    assert error.value.context["value"] == "gpt2"
    assert not (tmp_path / "heads.csv").exists()


def test_damaged_runs_are_refused(tmp_path):
    path = save_run(tmp_path / "a.safetensors")
    tensors, about = files.load_tensors(path)
    some = {name: tensor for name, tensor in tensors.items() if name != "real_diagonal"}
    for spoilt, metadata, message in [
        (some, about, "every statistic once"),
        (tensors, about | {"lengths": about["lengths"][1:]}, "not of the sentences"),
        (tensors, {key: value for key, value in about.items() if key != "kinds"}, "no run of heads"),
        (tensors, None, "no run of heads"),
    ]:
        files.save_tensors(path, spoilt, metadata)
        with pytest.raises(ArtefactError, match=message) as error:
            results.load(path)
        assert error.value.context["file"] == path
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ArtefactError, match="truncated"):
        results.load(path)
