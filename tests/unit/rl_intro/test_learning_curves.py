"""The table of learning_curves: what must be true of it whatever the settings."""

import numpy as np
import pytest

from postproof.rl_intro import learning_curves
from postproof.rl_intro.settings import LearningCurves


@pytest.mark.parametrize("seed", [0, 1])
def test_the_last_mean_is_that_of_all_numbers(seed):
    table = learning_curves.means(LearningCurves(seeds=(seed,), draws=50))
    assert table["mean"].iloc[-1] == pytest.approx(np.random.default_rng(seed).random(50).mean())
