"""Jobs of rl_intro with small settings, for tests of their tables and of the charts that draw these."""

import json

import figures_helpers
from postproof.rl_intro import worlds

LEARNING = {"world": worlds.DYNA, "step_size": 0.2, "epsilon": 0.1, "discount": 0.9, "longest_episode": 2000,
            "seeds": [0, 1, 2]}  # fmt: skip
SECTIONS = {
    "learning_curves": {"episodes": 8, "planning_steps": [2, 5], "reached_within": 1.5},
    "changing_world": {"change_step_size": 1.0, "adapted_within": 1.5, "checkpoint_steps": 100,
                       "blocking": {"steps": 600, "change_after": 300, "planning_steps": 4, "bonus": 0.001},
                       "shortcut": {"steps": 900, "change_after": 400, "planning_steps": 4, "bonus": 0.001}},
    "limits": {"limit_world": "FrozenLake-v1", "exploring": 0.5, "power": 0.7, "checkpoints": [100, 6000],
               "limit_seeds": [0, 1]},
    "what_is_needed": {"trained_steps": 1500, "optimistic_value": 1.0, "preference_step": 0.5},
    "three_ways": {"transitions": 1500, "labels": [3, 46], "clusters": 3, "passes": 4},
    "world_facts": None,
}  # fmt: skip
OUTS = {
    "learning_curves": {"out": "learning_curves", "out-agents": "agents", "out-learned": "learned_policies",
                        "out-values": "value_and_policy"},
    "changing_world": {"out": "changing_world", "out-adapted": "adaptation"},
    "limits": {"out": "limits"},
    "what_is_needed": {"out": "what_is_needed"},
    "three_ways": {"out": "three_ways", "out-clusters": "clusters"},
    "world_facts": {"out": "world_facts"},
}  # fmt: skip
PRINTED = "data/published/sutton_barto_2018_learning.yaml"


def run(job: str, folder, **changed) -> dict:
    """The tables of a job by name; `changed` are values of section `learning`."""
    section = SECTIONS[job]
    argv = ["--settings", json.dumps(LEARNING | changed), *([json.dumps(section)] if section else [])]
    argv += ["--printed", PRINTED] if job == "learning_curves" else []
    for option, name in OUTS[job].items():
        argv += [f"--{option}", folder / f"{name}.csv"]
    figures_helpers.run(f"rl_intro.{job}", argv)
    return {name: folder / f"{name}.csv" for name in OUTS[job].values()}
