"""A finite Markov decision process as a table: p(s', r | s, a), one row for each outcome that can happen.

Equations are those of Sutton and Barto, Reinforcement Learning, 2nd ed., chapter 3. Shapes, in names:

    S   states            A   actions           O   outcomes: rows (s, a, s', r) with their probability
    X   state-action pairs, state by state: pair s * A + a

A terminal state is absorbing and gives no reward (section 3.4): it has no rows, and its value is 0. A state may lack an
action; one that is not terminal has at least one.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from postproof.core import strict_yaml
from postproof.core.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Cell = tuple[int, int]  # row and column of a gridworld, from the top left

SUM_TOLERANCE = 1e-9  # of the probabilities of a pair: thirds and tenths have no exact double
DENSE_LIMIT = 50_000_000  # cells of an array (S, A, S): 400 MB
YAML_LIMIT = 1_000_000  # bytes: some 12,000 states in 7 s; YAML of a million takes minutes and gigabytes to read
MOVES = {"north": (-1, 0), "south": (1, 0), "east": (0, 1), "west": (0, -1)}
END = "end"


@dataclasses.dataclass(frozen=True)
class FiniteMDP:
    """p(s', r | s, a) = Pr{S_t = s', R_t = r | S_t-1 = s, A_t-1 = a} (eq. 3.2), one row per outcome.

    `state`, `action`, `next_state`, `reward` and `probability` are (O,), in any order; rows with the same (s, a, s', r)
    add up. `terminal` is (S,). Raises DataError, on construction, that names state, action and value.
    """

    states: tuple[str, ...]
    actions: tuple[str, ...]
    state: NDArray[np.int64]
    action: NDArray[np.int64]
    next_state: NDArray[np.int64]
    reward: NDArray[np.float64]
    probability: NDArray[np.float64]
    terminal: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name, kind in (("state", np.int64), ("action", np.int64), ("next_state", np.int64),
                           ("reward", np.float64), ("probability", np.float64), ("terminal", np.bool_)):  # fmt: skip
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=kind))
        _Checked(self).all()

    @property
    def pair_O(self) -> NDArray[np.int64]:
        """The state-action pair of each outcome, s * A + a."""
        return self.state * len(self.actions) + self.action

    @functools.cached_property
    def available_SA(self) -> NDArray[np.bool_]:
        """Which actions a state has; none where it is terminal."""
        available_X = np.zeros(len(self.states) * len(self.actions), dtype=bool)
        available_X[self.pair_O] = True
        return available_X.reshape(len(self.states), -1)

    @functools.cached_property
    def transitions_XS(self) -> csr_array:
        """p(s' | s, a) = sum_r p(s', r | s, a) (eq. 3.4), sparse, a row per pair; empty rows of what there is not."""
        from scipy.sparse import coo_array

        shape = (len(self.states) * len(self.actions), len(self.states))
        kind = np.int32 if shape[0] < 2**31 else np.int64  # half the memory to read in a product
        where = self.pair_O.astype(kind), self.next_state.astype(kind)
        matrix = coo_array((self.probability, where), shape=shape).tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return matrix

    def transitions_SAS(self) -> NDArray[np.float64]:
        """p(s' | s, a) (eq. 3.4). Raises DataError where the array would be too large: see `transitions_XS`."""
        return self._dense(self.transitions_XS.toarray)

    @functools.cached_property
    def _rewards_SA(self) -> NDArray[np.float64]:
        sums_X = np.bincount(self.pair_O, self.probability * self.reward, self.available_SA.size)
        return sums_X.reshape(self.available_SA.shape)

    def expected_rewards_SA(self) -> NDArray[np.float64]:
        """r(s, a) = sum_r r sum_s' p(s', r | s, a) (eq. 3.5); 0 where there is no such pair."""
        return self._rewards_SA.copy()

    def expected_rewards_SAS(self) -> NDArray[np.float64]:
        """r(s, a, s') = sum_r r p(s', r | s, a) / p(s' | s, a) (eq. 3.6); NaN where s' cannot follow: 0 / 0.

        Raises DataError where the array would be too large.
        """
        probability_SAS = self.transitions_SAS()
        weighted_SAS = np.zeros_like(probability_SAS)
        np.add.at(weighted_SAS, (self.state, self.action, self.next_state), self.probability * self.reward)
        with np.errstate(invalid="ignore"):
            return weighted_SAS / probability_SAS

    def _dense(self, make: Any) -> NDArray[np.float64]:
        S, A = self.available_SA.shape
        if S * A * S > DENSE_LIMIT:
            raise DataError("array over states, actions and next states is too large", value=f"{S} x {A} x {S}",
                            allowed=f"at most {DENSE_LIMIT:,} cells", remedy="take transitions_XS")  # fmt: skip
        return make().reshape(S, A, S)


class _Checked:
    """What must be true of a table, each with an error that says where it is not."""

    def __init__(self, mdp: FiniteMDP):
        self.mdp = mdp

    def all(self) -> None:
        self.shapes()
        self.names()
        self.indices()
        self.numbers()
        self.sums()

    def shapes(self) -> None:
        mdp = self.mdp
        lengths = {len(column) for column in (mdp.state, mdp.action, mdp.next_state, mdp.reward, mdp.probability)}
        if len(lengths) > 1 or mdp.terminal.shape != (len(mdp.states),):
            raise _error("columns are not of one length", lengths=sorted(lengths), states=len(mdp.states),
                         flags=len(mdp.terminal), allowed="a flag per state, five columns of one length")  # fmt: skip

    def names(self) -> None:
        for what, names in (("state", self.mdp.states), ("action", self.mdp.actions)):
            if not names:
                raise _error(f"there is no {what}", allowed="at least one")
            if len(set(names)) < len(names):
                twice = next(name for i, name in enumerate(names) if name in names[:i])
                raise _error(f"a {what} stands twice", **{what: twice}, allowed="each name once")

    def indices(self) -> None:
        mdp = self.mdp
        for what, numbers, names in (("state", mdp.state, mdp.states), ("action", mdp.action, mdp.actions),
                                     ("next_state", mdp.next_state, mdp.states)):  # fmt: skip
            off = (numbers < 0) | (numbers >= len(names))
            if off.any():
                raise _error(f"outcome has an unknown {what.replace('_', ' ')}", outcome=int(off.argmax()),
                             value=int(numbers[off.argmax()]), allowed=f"0 to {len(names) - 1}")  # fmt: skip

    def numbers(self) -> None:
        mdp = self.mdp
        self.refuse(~np.isfinite(mdp.reward), "reward is not a finite number", mdp.reward, "a finite number")
        fits = (mdp.probability >= 0) & (mdp.probability <= 1 + SUM_TOLERANCE)  # NaN fits nothing
        self.refuse(~fits, "not a probability", mdp.probability, "0 to 1")
        has_rows = mdp.terminal[mdp.state]
        self.refuse(has_rows, "terminal state has an outcome", mdp.probability,
                    "none: it is absorbing with reward 0, which needs no row")  # fmt: skip

    def refuse(self, off: NDArray[np.bool_], what: str, value: NDArray, allowed: str) -> None:
        """Raises DataError with the first outcome that is off."""
        if off.any():
            row = int(off.argmax())
            mdp = self.mdp
            raise _error(what, state=mdp.states[mdp.state[row]], action=mdp.actions[mdp.action[row]],
                         value=float(value[row]), allowed=allowed)  # fmt: skip

    def sums(self) -> None:
        """sum over s' and r of p(s', r | s, a) = 1 for every pair that there is (eq. 3.3)."""
        mdp = self.mdp
        sums_SA = np.bincount(mdp.pair_O, mdp.probability, mdp.available_SA.size).reshape(mdp.available_SA.shape)
        off_SA = mdp.available_SA & (np.abs(sums_SA - 1) > SUM_TOLERANCE)
        if off_SA.any():
            s, a = np.unravel_index(off_SA.argmax(), off_SA.shape)
            raise _error("probabilities do not sum to 1", state=mdp.states[s], action=mdp.actions[a],
                         value=f"{sums_SA[s, a]:.12g}", allowed="1")  # fmt: skip
        idle_S = ~mdp.available_SA.any(axis=1) & ~mdp.terminal
        if idle_S.any():
            raise _error("state has no action", state=mdp.states[int(idle_S.argmax())],
                         allowed="at least one action, or the state is terminal")  # fmt: skip


def _error(message: str, **context: Any) -> DataError:
    return DataError(f"not a finite MDP: {message}", remedy="mend the table of outcomes", **context)


def from_gymnasium(environment: Any) -> FiniteMDP:
    """The table `P` of a tabular environment, given as such or by its id.

    gymnasium marks a step that ends an episode, not a state: P goes on from there. A state that is entered by such
    steps only is terminal; where others enter it too, those that end lead to a state `end` of their own.
    Raises DataError when it is not installed, or has no table.
    """
    name, table = _table_of(environment)
    rows = np.array([(s, a, after, reward, p, ends) for s, of_state in table.items() for a, outcomes in of_state.items()
                     for p, after, reward, ends in outcomes], dtype=float)  # fmt: skip
    rows = rows[rows[:, 4] > 0]
    state, action, next_state = rows[:, :3].astype(np.int64).T
    reward, probability, ends = rows[:, 3], rows[:, 4], rows[:, 5] > 0
    number = len(table)
    terminal = np.zeros(number + 1, dtype=bool)
    terminal[next_state[ends]] = True
    terminal[next_state[~ends & (next_state != state)]] = False
    next_state = np.where(ends & ~terminal[next_state], number, next_state)
    terminal[number] = (next_state == number).any()
    kept = ~terminal[state]
    states = tuple(map(str, range(number))) + (END,) * bool(terminal[number])
    actions = tuple(map(str, range(1 + int(action.max()))))
    columns = merged(*(column[kept] for column in (state, action, next_state, reward, probability)))
    try:
        return FiniteMDP(states, actions, *columns, terminal[: len(states)])
    except DataError as error:
        raise DataError(error.message, environment=name, **error.context) from error


def _table_of(environment: Any) -> tuple[str, Mapping]:
    """Name and table of an environment; one that was made here is closed again."""
    is_name = isinstance(environment, str)
    made = _made(environment) if is_name else environment
    bare = getattr(made, "unwrapped", made)
    name = environment if is_name else getattr(getattr(made, "spec", None), "id", type(bare).__name__)
    table = getattr(bare, "P", None)
    if is_name:
        made.close()
    if not isinstance(table, Mapping) or not table:
        raise DataError("environment has no table of its dynamics", environment=name, allowed="one with P, such as "
                        "FrozenLake-v1, CliffWalking-v1 or Taxi-v4", remedy="take another environment")  # fmt: skip
    return name, table


def _made(name: str) -> Any:
    remedy = "install what the cause names, or take another environment"
    try:
        import gymnasium

        return gymnasium.make(name)
    except ImportError as error:
        raise DataError("environment is not installed", environment=name, remedy=remedy) from error
    except gymnasium.error.Error as error:  # unknown id, or a dependency of its own is missing
        raise DataError("environment is not installed", environment=name, remedy=remedy) from error


def merged(state: NDArray, action: NDArray, next_state: NDArray, reward: NDArray, probability: NDArray) -> tuple:
    """The columns with each (s, a, s', r) once, in this order, its probabilities added."""
    order = np.lexsort((reward, next_state, action, state))
    columns = [column[order] for column in (state, action, next_state, reward)]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return *(column[is_new] for column in columns), np.add.reduceat(probability[order], np.flatnonzero(is_new))


def from_yaml(path: Path | str) -> FiniteMDP:
    """A table in YAML:

        terminal: [goal]            # may be left out
        outcomes:
          start:                    # state
            go:                     # action
              - {to: goal, reward: 1, probability: 1}

    Raises DataError naming file, state and action; also when the file is larger than YAML_LIMIT, before it is read.
    """
    path = Path(path)
    remedy = "mend the file; postproof/mdp/finite.py says what it holds"
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError("cannot read YAML", file=path, remedy=remedy) from error
    if size > YAML_LIMIT:
        raise DataError("YAML file is too large for a table of outcomes", file=path, value=f"{size:,} bytes",
                        allowed=f"at most {YAML_LIMIT:,} bytes", remedy="build FiniteMDP from arrays")  # fmt: skip
    content = strict_yaml.load(path, DataError, remedy=remedy)
    try:
        return _from_mapping(content)
    except DataError as error:
        raise DataError(error.message, file=path, remedy=remedy, **error.context) from error


def _from_mapping(content: Mapping) -> FiniteMDP:
    if not {"outcomes"} <= set(content) <= {"outcomes", "terminal"}:
        raise _error("other keys", value=", ".join(map(str, content)), allowed="outcomes, terminal")
    terminal, outcomes = content.get("terminal") or [], content["outcomes"]
    if not isinstance(terminal, list):
        raise _error("`terminal` is no list", value=terminal, allowed="a list of states")
    states: dict[Any, int] = {}
    actions: dict[Any, int] = {}
    rows = []
    for s, of_state in _items(outcomes, "outcomes"):
        states.setdefault(s, len(states))
        for a, of_pair in _items(of_state, s):
            actions.setdefault(a, len(actions))
            if not isinstance(of_pair, list):
                raise _error("outcomes of an action are no list", state=s, action=a, value=of_pair)
            rows += [(s, a, *_outcome(outcome, s, a)) for outcome in of_pair]
    for s in terminal:
        states.setdefault(s, len(states))
    for s, a, after, *_ in rows:
        if after not in states:
            raise _error("outcome leads to an unknown state", state=s, action=a, value=after,
                         allowed="a state with outcomes, or one of `terminal`")  # fmt: skip
    columns = [[states[row[0]] for row in rows], [actions[row[1]] for row in rows], [states[row[2]] for row in rows],
               [row[3] for row in rows], [row[4] for row in rows]]  # fmt: skip
    flags = [s in terminal for s in states]
    return FiniteMDP(tuple(map(str, states)), tuple(map(str, actions)), *map(np.array, columns), np.array(flags))


def _items(content: Any, of: Any) -> Collection:
    if not isinstance(content, dict):
        raise _error("not a mapping", of=of, value=content, allowed="states, with actions, with lists of outcomes")
    return content.items()


def _outcome(outcome: Any, s: Any, a: Any) -> tuple[Any, float, float]:
    keys = {"to", "reward", "probability"}
    if not isinstance(outcome, dict) or set(outcome) != keys:
        raise _error("not an outcome", state=s, action=a, value=outcome, allowed="to, reward, probability")
    for key in ("reward", "probability"):
        if isinstance(outcome[key], bool) or not isinstance(outcome[key], int | float):
            raise _error(f"{key} is no number", state=s, action=a, value=outcome[key], allowed="a number")
    return outcome["to"], float(outcome["reward"]), float(outcome["probability"])


def gridworld(
    rows: int,
    columns: int,
    *,
    jumps: Mapping[Cell, tuple[Cell, float]] | None = None,
    goals: Mapping[Cell, float] | None = None,
    walls: Collection[Cell] = (),
    step_reward: float = 0.0,
    bump_reward: float = -1.0,
    slip: float = 0.0,
) -> FiniteMDP:
    """Cells and four moves; example 3.5 of the book has `jumps` only.

    From a cell of `jumps` every move leads to its target with its reward. Entering a cell of `goals` gives its reward
    and ends. A move off the grid or into a wall stays, with `bump_reward`. With probability `slip` the agent goes at
    right angles, half of it either way. States are "row,column"; walls are none.
    Raises DataError when a cell is off the grid or in a wall, or slip is no probability.
    """
    jumps, goals = dict(jumps or {}), dict(goals or {})
    _check_cells(rows, columns, jumps, goals, walls, slip)
    is_free = np.ones((rows, columns), dtype=bool)
    if walls:
        is_free[tuple(np.array(sorted(walls)).T)] = False
    index = np.where(is_free, np.cumsum(is_free).reshape(is_free.shape) - 1, -1)
    cell_row, cell_column = np.nonzero(is_free)
    terminal = np.zeros(len(cell_row), dtype=bool)
    enters = np.full(len(cell_row), step_reward)
    for cell, reward in goals.items():
        terminal[index[cell]], enters[index[cell]] = True, reward

    after, reward = [], []  # of each move from each cell, where nothing slips
    here = np.arange(len(cell_row))
    for down, right in MOVES.values():
        r, c = cell_row + down, cell_column + right
        inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
        r, c = np.where(inside, r, cell_row), np.where(inside, c, cell_column)
        goes = inside & is_free[r, c]
        after.append(np.where(goes, index[r, c], here))
        reward.append(np.where(goes, enters[after[-1]], bump_reward))
    for cell, (target, value) in jumps.items():
        for move in range(len(MOVES)):
            after[move][index[cell]], reward[move][index[cell]] = index[target], value

    parts = []
    for action, ways in enumerate(_ways(slip)):
        for move, probability in ways:
            parts.append((here, np.full(len(here), action), after[move], reward[move],
                          np.full(len(here), probability)))  # fmt: skip
    table = [np.concatenate(column) for column in zip(*parts)]
    kept = ~terminal[table[0]]
    table = merged(*(column[kept] for column in table))
    states = tuple(f"{r},{c}" for r, c in zip(cell_row.tolist(), cell_column.tolist()))
    return FiniteMDP(states, tuple(MOVES), *table, terminal)


def _ways(slip: float) -> Sequence[list[tuple[int, float]]]:
    """For each action the moves that it may become, with probabilities."""
    across = {0: (2, 3), 1: (2, 3), 2: (0, 1), 3: (0, 1)}
    return [[(action, 1 - slip), *((move, slip / 2) for move in across[action])] if slip else [(action, 1.0)]
            for action in range(len(MOVES))]  # fmt: skip


def _check_cells(rows: int, columns: int, jumps: Mapping, goals: Mapping, walls: Collection, slip: float) -> None:
    def refuse(what: str, value: Any, allowed: str) -> NoReturn:
        raise DataError(f"not a gridworld: {what}", value=value, allowed=allowed, remedy="mend the arguments")

    if rows < 1 or columns < 1:
        refuse("no cells", f"{rows} x {columns}", "at least 1 x 1")
    if not 0 <= slip <= 1:
        refuse("slip is no probability", slip, "0 to 1")
    for cell in (*jumps, *(target for target, _ in jumps.values()), *goals, *walls):
        if not (0 <= cell[0] < rows and 0 <= cell[1] < columns):
            refuse("a cell is off the grid", cell, f"rows 0 to {rows - 1}, columns 0 to {columns - 1}")
    for cell in (*jumps, *(target for target, _ in jumps.values()), *goals):
        if cell in walls:
            refuse("a cell is in a wall", cell, "a free cell")
    for cell in jumps:
        if cell in goals:
            refuse("a cell has a jump and a goal", cell, "one of both")
