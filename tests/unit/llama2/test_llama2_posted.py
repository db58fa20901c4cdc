"""The post's numbers beside ours: what the charts draw is what the claims have, digit by digit."""

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
import yaml

from postproof.charts import posted_marks
from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2 import looks
from postproof.llama2.figures import norm_speed

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "data/posted/llama2").glob("*.csv"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_posted_table_has_the_digits_of_its_claims(path):
    content = yaml.load((ROOT / "claims/llama2.yaml").read_text(), Loader=yaml.BaseLoader)
    claims = {claim["id"]: claim for claim in content["claims"]}
    name = f"llama2/posted_{path.stem}"
    tables.read(path, name)
    *_, number, claim = tables.schema(name).values()
    assert claim.name == "claim"
    as_typed = pd.read_csv(path, dtype=str)
    for row in as_typed.to_dict("records"):
        spoken = claims[row["claim"]]
        assert spoken["posted"].replace(",", "") == row[number.name] and spoken["unit"] == number.unit
        assert "repeats" not in spoken, "the claim itself, not where the post says it again"
        assert Decimal(row[number.name]) >= 0
    assert as_typed["claim"].is_unique


def test_every_posted_table_is_drawn():
    charts = "".join(path.read_text() for path in (ROOT / "src/postproof/llama2/figures").glob("*.py"))
    assert [path.stem for path in FILES if f'"llama2/posted_{path.stem}"' not in charts] == []


def test_the_look_of_the_post_is_nothing_elses():
    assert all(look.colour != POSTED.colour for look in looks.LOOKS.values())
    assert posted_marks.handle().get_color() == POSTED.colour and posted_marks.handle().get_label() == POSTED.long


def test_a_range_without_an_end_is_not_drawn(tmp_path):
    path = ROOT / "data/posted/llama2/norm_speed.csv"
    saved = norm_speed.read_saved(path)
    assert saved.loc["all", "least"] < saved.loc["all", "most"]
    table = pd.read_csv(path)
    table[table["end"] == "least"].to_csv(tmp_path / "least.csv", index=False)
    table.assign(end=table["end"].map({"least": "most", "most": "least"})).to_csv(tmp_path / "down.csv", index=False)
    for name in ("least", "down"):
        with pytest.raises(ArtefactError, match="identity"):
            norm_speed.read_saved(tmp_path / f"{name}.csv")
