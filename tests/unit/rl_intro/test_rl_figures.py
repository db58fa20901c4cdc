"""The charts of rl_intro: drawn from small tables and from other worlds, and sentences that change with the table."""

import pytest
from rl_runs import SECTIONS, run

import figures_helpers
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.rl_intro.figures import (
    changing_world,
    learning_curves,
    limits,
    three_ways,
    value_and_policy,
    what_is_needed,
)

CHARTS = ("learning_curves", "changing_world", "value_and_policy", "limits", "what_is_needed", "three_ways")


def made(folder, **changed) -> dict:
    files = {name: path for job in SECTIONS for name, path in run(job, folder, **changed).items()}
    return {name: tables.read(path, f"rl_intro/{name}") for name, path in files.items()}


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return made(tmp_path_factory.mktemp("frames"))


@pytest.fixture
def frame(frames):
    return {name: table.copy() for name, table in frames.items()}


@pytest.mark.parametrize("chart", ["changing_world", "value_and_policy", "three_ways"])
def test_the_same_tables_give_the_same_bytes(chart, frame, tmp_path):
    assert figures_helpers.draw("rl_intro", chart, frame, tmp_path) == figures_helpers.draw(
        "rl_intro", chart, frame, tmp_path
    )


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """One seed in another world, whose rewards are costs."""
    return made(tmp_path_factory.mktemp("elsewhere"), world="CliffWalking-v1", seeds=[2], longest_episode=300)


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_can_be_drawn_of_one_seed_in_another_world(chart, elsewhere, tmp_path):
    svg, _ = figures_helpers.draw("rl_intro", chart, elsewhere, tmp_path)
    if chart not in ("changing_world", "limits"):  # these have worlds of their own
        assert f"World: {elsewhere['world_facts']['world'].iloc[0]}".encode() in svg


@pytest.mark.parametrize(
    "chart, table, column, value",
    [
        ("learning_curves", "learning_curves", "steps", 3),
        ("changing_world", "changing_world", "reward", 5),
        ("value_and_policy", "value_and_policy", "v_exact", 7),
        ("limits", "limits", "between", 9),
        ("what_is_needed", "what_is_needed", "greedy_return", 2),
        ("three_ways", "three_ways", "return", 2),
    ],
)
def test_a_table_that_breaks_an_identity_is_not_drawn(chart, table, column, value, frame, tmp_path):
    """One cell is another one: the first, so that shortest ways, v*, or the sum of 0 rewards are no more."""
    frame[table].loc[frame[table].index[0], column] = value
    with pytest.raises(ArtefactError, match="identity"):
        figures_helpers.draw("rl_intro", chart, frame, tmp_path)


def test_sentences_follow_the_tables(frame):
    agents = frame["agents"].set_index("agent").assign(reached_after=[30.0, None, 7.0, 4.0])
    assert "takes 4 episodes with 5 planned steps for each real one, 30 episodes with none" in learning_curves.says(
        agents
    )
    never = agents.assign(reached_after=[None, None, 7.0, 4.0])
    assert "more episodes than were run with none" in learning_curves.says(never)
    adapted = frame["adaptation"]
    assert "in all 3 runs, Q-learning without a model in all 3 runs" in changing_world.says(adapted.assign(adapted=1))
    assert "in no run" in changing_world.says(adapted.assign(adapted=0))
    needed = what_is_needed.says(frame["what_is_needed"].assign(greedy_return=0.5), 0.5)
    assert needed.count("all 3 runs") == 4
    assert what_is_needed.says(frame["what_is_needed"].assign(greedy_return=0.4), 0.5).count("no run") == 4
    ways = frame["three_ways"].assign(**{"return": 0.5})
    assert (
        "the best policy in all runs; of right actions as labels, 3 are the fewest tried that are"
        in three_ways.says(ways, 0.5)
    )
    assert "the best policy in no run; no number of labels tried is" in three_ways.says(ways, 0.6)
    rising = frame["limits"].assign(to_greedy=[0.1, 0.2] * 4, to_exploring=[0.1, 0.2] * 4)
    assert "does not fall" in limits.says(rising) and "not each ends" in limits.says(rising)
    values = frame["value_and_policy"]
    plain = values[values["agent"] == "q_learning"]
    assert f"1 of {plain['state'].nunique()} states" in value_and_policy.says(plain, plain)
