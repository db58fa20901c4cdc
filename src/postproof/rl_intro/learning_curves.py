"""Q-learning, Sarsa and Dyna-Q in one world, episode by episode, and what they have learned at the end.

Agents of a seed draw the same numbers for their actions, so as long as nothing has been learned they do the same.

Source: Sutton and Barto, Reinforcement Learning, 2nd ed., example 8.1 and figure 8.2: 50 episodes, 30 repetitions,
step size 0.1, epsilon 0.1, discount 0.95.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from postproof.core import settings, strict_yaml, tables
from postproof.core.errors import DataError
from postproof.mdp import finite, solve
from postproof.mdp.finite import FiniteMDP
from postproof.rl_intro import exact, learners, worlds
from postproof.rl_intro.settings import LearningCurves

MANY, FEW = "dyna_many", "dyna_few"


def add_arguments(parser) -> None:
    parser.add_argument(
        "--settings", required=True, nargs=2, help="params sections rl_intro.learning, .learning_curves"
    )
    parser.add_argument("--printed", type=Path, required=True, help="figures of the book")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per agent, seed and episode")
    parser.add_argument("--out-agents", type=Path, required=True, help="tidy CSV, a row per agent")
    parser.add_argument("--out-learned", type=Path, required=True, help="tidy CSV, a row per agent and seed")
    parser.add_argument("--out-values", type=Path, required=True, help="tidy CSV, a row per agent, state and action")


def main(args) -> None:
    wanted = settings.parse(LearningCurves, *args.settings)
    env = worlds.make(wanted.world, max_episode_steps=wanted.longest_episode)
    mdp = finite.from_gymnasium(env)
    runs = {(agent, seed): run(env, agent, seed, wanted) for agent in planning(wanted) for seed in wanted.seeds}
    curves = pd.concat([curve.assign(agent=agent, seed=seed) for (agent, seed), (curve, _) in runs.items()])
    curves = curves[["agent", "seed", "episode", "steps", "reward"]]
    q_learned = {key: np.array(agent.q_SA) for key, (_, agent) in runs.items()}
    _, q_SA = solve.optimal(mdp, wanted.discount)
    exploring = exact.expected_steps(mdp, exact.epsilon_greedy(q_SA, wanted.epsilon))[worlds.starts(env)].mean()
    figures = strict_yaml.load(args.printed, DataError, remedy="mend the file")["figures"]
    printed = figures if wanted.world == worlds.DYNA else {}  # the book's agents were in this world
    of_agents = agents(curves, planning(wanted), wanted.reached_within * exploring, printed)
    tables.write(args.out, curves, "rl_intro/learning_curves")
    tables.write(args.out_agents, of_agents, "rl_intro/agents")
    tables.write(args.out_learned, learned(q_learned, q_SA, mdp, env, wanted), "rl_intro/learned_policies")
    tables.write(args.out_values, values(q_learned, q_SA, mdp, env, wanted), "rl_intro/value_and_policy")


def planning(settings: LearningCurves) -> dict[str, int]:
    """Planning steps of each agent, by its name in the tables."""
    names = (FEW, MANY)[-len(settings.planning_steps) :]
    return {"q_learning": 0, "sarsa": 0, **dict(zip(names, settings.planning_steps))}


def make_agent(agent: str, seed: int, env: gymnasium.Env, settings: LearningCurves) -> learners.QLearning:
    acting, for_planning = learners.generators(seed)
    size = int(env.observation_space.n), int(env.action_space.n)
    if agent == "q_learning":
        return learners.QLearning(*size, settings, acting)
    if agent == "sarsa":
        return learners.Sarsa(*size, settings, acting)
    return learners.DynaQ(*size, settings, acting, planning_steps=planning(settings)[agent], planning_rng=for_planning)


def run(env: gymnasium.Env, name: str, seed: int, settings: LearningCurves) -> tuple[pd.DataFrame, learners.QLearning]:
    """Steps and rewards of each episode, and the agent after the last."""
    agent = make_agent(name, seed, env, settings)
    rows = list(itertools.islice(learners.episodes(env, agent, seed), settings.episodes))
    curve = pd.DataFrame(rows, columns=["steps", "reward"])
    return curve.assign(episode=np.arange(1, len(curve) + 1)), agent


def agents(curves: pd.DataFrame, planning_steps: dict[str, int], near: float, printed: dict) -> pd.DataFrame:
    """Of each agent the first episode that takes, on average over the seeds, at most `near` steps; beside it the one
    after which the book has it (epsilon-)optimal.
    """
    rows = []
    for agent, of_agent in curves.groupby("agent", sort=False):
        reached = of_agent.groupby("episode")["steps"].mean() <= near
        book = printed.get(f"episodes_with_{planning_steps[agent]}") if agent != "sarsa" else None
        rows.append({"agent": agent, "planning_steps": planning_steps[agent],
                     "reached_after": reached.idxmax() if reached.any() else np.nan,
                     "printed_after": book["value"] if book else np.nan})  # fmt: skip
    return pd.DataFrame(rows)


def learned(
    q_learned: dict, q_SA: NDArray, mdp: FiniteMDP, env: gymnasium.Env, settings: LearningCurves
) -> pd.DataFrame:
    """What the greedy policy of each agent is worth at the end, and in how many states it is right."""
    starts = worlds.starts(env)
    acting, best_SA = exact.acting_states(mdp, starts), solve.greedy(q_SA)
    rows = []
    for (agent, seed), own_SA in q_learned.items():
        policy_SA = exact.greedy_policy(exact.on_states(own_SA, mdp))
        rows.append({"agent": agent, "seed": seed,
                     "greedy_return": exact.expected_return(mdp, policy_SA, settings.discount, starts),
                     "right_states": (policy_SA * best_SA)[acting].sum(axis=1).mean(),
                     "start_value": own_SA[starts].max(axis=1).mean()})  # fmt: skip
    return pd.DataFrame(rows)


def values(
    q_learned: dict, q_SA: NDArray, mdp: FiniteMDP, env: gymnasium.Env, settings: LearningCurves
) -> pd.DataFrame:
    """q* and means of what the seeds of each agent have learned, for every state in which one may come to act."""
    rows, columns = worlds.grid(env)
    likeliest_SA = mdp.transitions_XS.toarray().argmax(axis=1).reshape(q_SA.shape)
    rewards_SA, best_SA = mdp.expected_rewards_SA(), solve.greedy(q_SA)
    parts = []
    for agent, planned in planning(settings).items():
        q_NSA = np.array([q for (name, _), q in q_learned.items() if name == agent])
        is_best_NSA = q_NSA == q_NSA.max(axis=2, keepdims=True)
        share_SA = (is_best_NSA / is_best_NSA.sum(axis=2, keepdims=True)).mean(axis=0)
        v_S = q_NSA.max(axis=2).mean(axis=0)
        for s, a in itertools.product(exact.acting_states(mdp, worlds.starts(env)), range(q_SA.shape[1])):
            after = min(likeliest_SA[s, a], rows * columns - 1)
            parts.append({
                "world": settings.world, "agent": agent, "planning_steps": planned, "state": s, "row": s // columns,
                "column": s % columns, "action": a, "row_after": after // columns, "column_after": after % columns,
                "reward": rewards_SA[s, a], "q_exact": q_SA[s, a], "v_exact": q_SA[s].max(), "v_learned": v_S[s],
                "optimal": int(best_SA[s, a]), "greedy_share": share_SA[s, a],
            })  # fmt: skip
    return pd.DataFrame(parts)
