"""Agents that learn action values from rewards alone, in the loop of gymnasium: act, observe, learn.

S states, A actions. `q_SA[s][a]` is the estimate Q(s, a). They are lists of Python's floats: the agents learn one
number at a time.

Source: Sutton and Barto, Reinforcement Learning, 2nd ed.; equations and sections stand beside the lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import gymnasium
import numpy as np

from postproof.rl_intro.settings import Learning


class QLearning:
    """One-step Q-learning (6.8): learns of the greedy policy while it explores with an epsilon-greedy one.

    `rng` decides between greedy and random actions, and between actions of equal value (section 2.2).
    """

    def __init__(self, states: int, actions: int, learning: Learning, rng: np.random.Generator, first_value=0.0):
        self.alpha, self.gamma, self.epsilon = learning.step_size, learning.discount, learning.epsilon
        self.q_SA = [[first_value] * actions for _ in range(states)]
        self.random = rng.random

    def act(self, state: int) -> int:
        q_A = self.q_SA[state]
        if self.random() < self.epsilon:
            return int(self.random() * len(q_A))
        best = max(q_A)
        ties = [action for action, q in enumerate(q_A) if q == best]
        return ties[int(self.random() * len(ties))]

    def observe(self, state: int, action: int, reward: float, next_state: int, ended: bool) -> int:
        """Learns from one step; gives the action in the next state, which is not asked for when the episode ended."""
        self.learn(state, action, reward, next_state, ended)
        return self.act(next_state)

    def cut_off(self) -> None:
        """The episode was cut off: nothing of it is kept that would run on into the next."""

    def learn(self, state: int, action: int, reward: float, next_state: int, ended: bool) -> None:
        target = reward if ended else reward + self.gamma * max(self.q_SA[next_state])  # (6.8)
        self.move(state, action, target)

    def move(self, state: int, action: int, target: float) -> None:
        """NewEstimate <- OldEstimate + StepSize [Target - OldEstimate] (2.4)"""
        self.q_SA[state][action] += self.alpha * (target - self.q_SA[state][action])


class Sarsa(QLearning):
    """Sarsa (6.7): learns of the policy that it follows, exploration included."""

    def observe(self, state: int, action: int, reward: float, next_state: int, ended: bool) -> int:
        next_action = self.act(next_state)
        target = reward if ended else reward + self.gamma * self.q_SA[next_state][next_action]  # (6.7)
        self.move(state, action, target)
        return next_action


class Decreasing:
    """Steps 1 / n^power at the n-th visit of a pair, 1/2 < power <= 1: sum infinite, sum of squares finite (2.7)."""

    def __init__(self, states: int, actions: int, *args, power: float, **options):
        super().__init__(states, actions, *args, **options)
        self.power, self.visits_SA = power, [[0] * actions for _ in range(states)]

    def move(self, state: int, action: int, target: float) -> None:
        self.visits_SA[state][action] += 1
        self.alpha = self.visits_SA[state][action] ** -self.power
        super().move(state, action, target)


class DecreasingQLearning(Decreasing, QLearning):
    pass


class DecreasingSarsa(Decreasing, Sarsa):
    pass


class DynaQ(QLearning):
    """Tabular Dyna-Q (section 8.2): Q-learning, and after each step `planning_steps` more from a model of the world.

    The model holds what the world did last time. Planning draws from a generator of its own, so that agents with
    other numbers of planning steps act alike until planning changes a value.
    """

    def __init__(self, *args, planning_steps: int, planning_rng: np.random.Generator, **options):
        super().__init__(*args, **options)
        self.planning_steps, self.planning_rng = planning_steps, planning_rng
        self.model: dict[tuple[int, int], tuple[float, int, bool]] = {}
        self.tried: dict[int, list[int]] = {}
        self.seen: list[int] = []

    def observe(self, state: int, action: int, reward: float, next_state: int, ended: bool) -> int:
        self.learn(state, action, reward, next_state, ended)  # (d)
        self.remember(state, action, reward, next_state, ended)  # (e)
        self.plan()  # (f)
        return self.act(next_state)

    def remember(self, state: int, action: int, reward: float, next_state: int, ended: bool) -> None:
        if state not in self.tried:
            self.seen.append(state)
            self.tried[state] = []
        if (state, action) not in self.model:
            self.tried[state].append(action)
        self.model[state, action] = reward, next_state, ended

    def plan(self) -> None:
        for of_states, of_actions in self.planning_rng.random((self.planning_steps, 2)).tolist():
            state = self.seen[int(of_states * len(self.seen))]
            action = self.tried[state][int(of_actions * len(self.tried[state]))]
            self.learn(state, action, *self.simulated(state, action))

    def simulated(self, state: int, action: int) -> tuple[float, int, bool]:
        return self.model[state, action]


class DynaQPlus(DynaQ):
    """Dyna-Q+ (section 8.3): planning adds `bonus` times the root of the time since an action was last tried.

    As its footnote has it, actions that were never tried may be planned with; the model has them stay where they are.
    """

    def __init__(self, *args, bonus: float, **options):
        super().__init__(*args, **options)
        self.bonus, self.now = bonus, 0
        self.last_tried: dict[tuple[int, int], int] = {}

    def remember(self, state: int, action: int, reward: float, next_state: int, ended: bool) -> None:
        self.now += 1
        if state not in self.tried:
            for untried in range(len(self.q_SA[state])):
                super().remember(state, untried, 0.0, state, False)
                self.last_tried[state, untried] = 0
        super().remember(state, action, reward, next_state, ended)
        self.last_tried[state, action] = self.now

    def simulated(self, state: int, action: int) -> tuple[float, int, bool]:
        reward, next_state, ended = self.model[state, action]
        return reward + self.bonus * math.sqrt(self.now - self.last_tried[state, action]), next_state, ended


class Reinforce:
    """REINFORCE (13.8) with a preference for each action, as the gradient bandit has (2.11), but in every state.

    It estimates no value and has no model. Left out is the factor gamma^t of (13.8), as is usual: with it the late
    steps of a long episode, which alone are near the reward, would count for nothing.
    """

    NOTHING = 1e-12  # of a return: steps so far from the reward change no preference

    def __init__(self, states: int, actions: int, step_size: float, discount: float, rng: np.random.Generator):
        self.alpha, self.gamma, self.random = step_size, discount, rng.random
        self.preference_SA = [[0.0] * actions for _ in range(states)]
        self.episode: list[tuple[int, int, float]] = []

    def policy(self, state: int) -> list[float]:
        """pi(a | s), the soft-max of the preferences (2.11), (13.2)."""
        most = max(self.preference_SA[state])
        weights = [math.exp(preference - most) for preference in self.preference_SA[state]]
        return [weight / sum(weights) for weight in weights]

    def act(self, state: int) -> int:
        left = self.random()
        for action, probability in enumerate(self.policy(state)):
            left -= probability
            if left < 0:
                return action
        return action

    def observe(self, state: int, action: int, reward: float, next_state: int, ended: bool) -> int:
        self.episode.append((state, action, reward))
        if ended:
            self.learn()
        return self.act(next_state)

    def cut_off(self) -> None:
        """The episode was cut off: its return is not known, and nothing is learned of it."""
        self.episode = []

    def learn(self) -> None:
        """From the end of the episode back: theta <- theta + alpha G grad ln pi (13.8)."""
        return_ = 0.0
        for state, action, reward in reversed(self.episode):
            return_ = reward + self.gamma * return_  # (3.9)
            if abs(return_) < self.NOTHING:
                break
            for other, probability in enumerate(self.policy(state)):
                self.preference_SA[state][other] += self.alpha * return_ * ((other == action) - probability)
        self.episode = []


Agent = QLearning | Reinforce


def steps(env: gymnasium.Env, agent: Agent, seed: int) -> Iterator[tuple[float, bool]]:
    """Reward of each step, and whether the episode ended with it, without end: episode follows episode."""
    state, _ = env.reset(seed=seed)
    action = agent.act(state)
    while True:
        next_state, reward, ended, cut_off, _ = env.step(action)
        action = agent.observe(state, action, reward, next_state, ended)
        state = next_state
        if cut_off and not ended:
            agent.cut_off()
        if ended or cut_off:
            state, _ = env.reset()
            action = agent.act(state)
        yield float(reward), ended or cut_off


def episodes(env: gymnasium.Env, agent: Agent, seed: int) -> Iterator[tuple[int, float]]:
    """Steps and sum of rewards of each episode, without end; one that `env` cuts off is an episode."""
    length, total = 0, 0.0
    for reward, over in steps(env, agent, seed):
        length, total = length + 1, total + reward
        if over:
            yield length, total
            length, total = 0, 0.0


def generators(seed: int, count: int = 2) -> Sequence[np.random.Generator]:
    """Independent streams of one seed: of actions, of planning."""
    return [np.random.Generator(np.random.SFC64([seed, stream])) for stream in range(count)]
