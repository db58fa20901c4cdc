"""The table of testbed: what must be true of it whatever the settings."""

import numpy as np
import pytest

from postproof.bandits import testbed
from postproof.bandits.settings import Testbed


@pytest.mark.parametrize("seed", [0, 1])
def test_the_last_mean_is_that_of_all_numbers(seed):
    table = testbed.means(Testbed(seeds=(seed,), draws=50))
    assert table["mean"].iloc[-1] == pytest.approx(np.random.default_rng(seed).random(50).mean())
