"""The agents of the post, one short class each, with their equations (Sutton and Barto, 2nd ed., chapter 2).

An agent is asked step by step: `choose` gives an arm for one uniform number in [0, 1), `learn` takes its reward. They
are here to be read, and to hold the compiled loops of plays.py against: same numbers drawn, same arms, to the last bit.

K arms, T steps. Arms count from 0.
"""

from __future__ import annotations

from postproof.bandits.exponential import exponential

Estimates = list[float]


def random_arm(arms: int, uniform: float) -> int:
    """One of `arms` with equal chances. The product may round up to `arms` itself."""
    return min(int(uniform * arms), arms - 1)


def greatest(scores_K: Estimates, uniform: float) -> int:
    """argmax, ties broken at random."""
    most = max(scores_K)
    ties = [arm for arm, score in enumerate(scores_K) if score == most]
    return ties[random_arm(len(ties), uniform)]


class EpsilonGreedy:
    """Greedy but for a share `epsilon` of the steps; `initial` above all values makes it optimistic.

    `step_size` is a constant alpha (2.5), or None for 1/n, the sample average (2.3). One uniform number decides
    whether to explore, and what is left of it which arm.
    """

    def __init__(self, arms: int, epsilon: float, step_size: float | None = None, initial: float = 0.0):
        self.arms, self.epsilon, self.step_size, self.initial = arms, epsilon, step_size, initial
        self.q_K, self.n_K = [initial] * arms, [0] * arms

    def choose(self, uniform: float) -> int:
        if uniform < self.epsilon:
            return random_arm(self.arms, uniform / self.epsilon)
        return greatest(self.q_K, (uniform - self.epsilon) / (1 - self.epsilon))  # (2.2)

    def learn(self, arm: int, reward: float) -> None:
        self.n_K[arm] += 1
        step_size = 1 / self.n_K[arm] if self.step_size is None else self.step_size
        self.q_K[arm] += step_size * (reward - self.q_K[arm])  # (2.3), (2.5)


class UpperConfidence:
    """The arm with the highest Q + c sqrt(ln t / N), after every arm has been tried once: at N = 0 it comes first.

    `log_T[t]` is ln(t + 1), one table for all implementations.
    """

    def __init__(self, arms: int, c: float, log_T: Estimates, step_size: float | None = None):
        self.arms, self.c, self.log_T, self.step_size = arms, c, log_T, step_size
        self.q_K, self.n_K, self.steps = [0.0] * arms, [0] * arms, 0

    def choose(self, uniform: float) -> int:
        untried = [arm for arm in range(self.arms) if self.n_K[arm] == 0]
        if untried:
            return untried[random_arm(len(untried), uniform)]
        log = self.log_T[self.steps]
        return greatest([q + self.c * (log / n) ** 0.5 for q, n in zip(self.q_K, self.n_K)], uniform)  # (2.10)

    def learn(self, arm: int, reward: float) -> None:
        self.steps += 1
        self.n_K[arm] += 1
        step_size = 1 / self.n_K[arm] if self.step_size is None else self.step_size
        self.q_K[arm] += step_size * (reward - self.q_K[arm])


class Gradient:
    """Preferences in place of values: soft-max over them, moved along the gradient of the expected reward.

    `baseline` is what rewards are compared with: `before`, the mean of all rewards before this one (the first is
    compared with itself); `through`, the mean of all up to this one and with it; `none`, zero.
    """

    def __init__(self, arms: int, step_size: float, baseline: str = "before"):
        self.arms, self.step_size, self.baseline = arms, step_size, baseline
        self.h_K, self.mean, self.steps = [0.0] * arms, 0.0, 0

    def policy(self) -> Estimates:
        """pi_K, (2.11). The greatest preference is taken off all: no power is then above 1, and no share changes."""
        most = max(self.h_K)
        powers_K = [exponential(h - most) for h in self.h_K]
        total = 0.0
        for power in powers_K:
            total += power
        return [power / total for power in powers_K]

    def choose(self, uniform: float) -> int:
        """The first arm at which the running sum of pi_K passes the number."""
        below = 0.0
        for arm, share in enumerate(self.policy()):
            below += share
            if uniform < below:
                return arm
        return self.arms - 1

    def learn(self, arm: int, reward: float) -> None:
        self.steps += 1
        mean_before = reward if self.steps == 1 else self.mean
        self.mean += (reward - self.mean) / self.steps
        against = {"before": mean_before, "through": self.mean, "none": 0.0}[self.baseline]
        gain = self.step_size * (reward - against)
        for other, share in enumerate(self.policy()):  # (2.12)
            self.h_K[other] += gain * ((1.0 if other == arm else 0.0) - share)


class Contextual:
    """One table of estimates for each situation that can be seen (section 2.9)."""

    def __init__(self, situations: int, arms: int, epsilon: float, initial: float = 0.0):
        self.arms, self.epsilon, self.initial = arms, epsilon, initial
        self.agents = [EpsilonGreedy(arms, epsilon, None, initial) for _ in range(situations)]

    def choose(self, uniform: float, situation: int) -> int:
        return self.agents[situation].choose(uniform)

    def learn(self, arm: int, reward: float, situation: int) -> None:
        self.agents[situation].learn(arm, reward)


def step_by_step(agent, values_SK, walk_TK, situation_T, noise_T, uniform_T) -> tuple[list[int], list[float]]:
    """Arms and rewards of an agent on one problem: the loop of the post, a step at a time."""
    values_SK = [[float(value) for value in values_K] for values_K in values_SK]
    arms, rewards = [], []
    for t in range(len(noise_T)):
        s = int(situation_T[t])
        sees = (s,) if isinstance(agent, Contextual) else ()
        arm = agent.choose(float(uniform_T[t]), *sees)
        reward = values_SK[s][arm] + float(noise_T[t])
        agent.learn(arm, reward, *sees)
        arms.append(arm)
        rewards.append(reward)
        if len(walk_TK):
            values_SK = [[value + float(w) for value, w in zip(values_K, walk_TK[t])] for values_K in values_SK]
    return arms, rewards
