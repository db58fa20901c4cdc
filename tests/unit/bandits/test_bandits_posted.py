"""The post's numbers beside ours: what the charts draw is what the claims have, digit by digit."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from postproof.bandits import looks
from postproof.charts.palette import POSTED
from postproof.core import tables

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "data/posted/bandits").glob("*.csv"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_posted_table_has_the_digits_of_its_claims(path):
    content = yaml.load((ROOT / "claims/bandits.yaml").read_text(), Loader=yaml.BaseLoader)
    claims = {claim["id"]: claim for claim in content["claims"]}
    name = f"bandits/posted_{path.stem}"
    tables.read(path, name)
    *_, number, claim = tables.schema(name).values()
    assert claim.name == "claim"
    for row in pd.read_csv(path, dtype=str).to_dict("records"):
        spoken = claims[row["claim"]]
        assert spoken["posted"] == row[number.name] and spoken["unit"] == number.unit
        assert "repeats" not in spoken, "the claim itself, not where the post says it again"


def test_every_posted_table_is_drawn():
    charts = "".join(path.read_text() for path in (ROOT / "src/postproof/bandits/figures").glob("*.py"))
    assert [path.stem for path in FILES if f'"bandits/posted_{path.stem}"' not in charts] == []


def test_the_look_of_the_post_is_nothing_elses():
    assert all(look.colour != POSTED.colour for look in looks.LOOKS.values())
