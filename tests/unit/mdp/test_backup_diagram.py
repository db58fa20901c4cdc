"""The table of backup_diagram: what must be true of it whatever the settings."""

import numpy as np
import pytest

from postproof.mdp import backup_diagram
from postproof.mdp.settings import BackupDiagram


@pytest.mark.parametrize("seed", [0, 1])
def test_the_last_mean_is_that_of_all_numbers(seed):
    table = backup_diagram.means(BackupDiagram(seeds=(seed,), draws=50))
    assert table["mean"].iloc[-1] == pytest.approx(np.random.default_rng(seed).random(50).mean())
