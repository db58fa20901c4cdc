"""Charts: the same bytes twice, no trace of time or machine, and identities checked before drawing."""

import argparse
import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from postproof import files
from postproof.errors import ArtefactError
from postproof.mixtral.figures.race_matched_axes import gap_at_common_end
from postproof.variants import VARIANTS

ROOT = Path(__file__).parents[2]
STEMS = ["race_val_perplexity", "race_train_loss", "race_matched_axes"]


def race(seeds=(1, 2, 3)) -> pd.DataFrame:
    rows = []
    for arm, flops, steps in [("dense", 20, range(1, 6)), ("moe", 10, range(2, 12, 2))]:
        for seed in seeds:
            for protocol in ("as_posted", "fixed_windows"):
                for step in steps:
                    loss = 4 - 0.1 * step + 0.01 * seed
                    rows.append([arm, seed, protocol, step, step * flops, step * 8, loss, loss, np.exp(loss)])
    columns = "arm seed protocol step cumulative_flops tokens_seen train_loss val_loss val_perplexity"
    return pd.DataFrame(rows, columns=columns.split())


def draw(stem: str, table: pd.DataFrame, folder: Path) -> tuple[bytes, bytes]:
    files.write_csv(folder / "race.csv", table)
    command = importlib.import_module(f"postproof.mixtral.figures.{stem}")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    svg, png = folder / f"{stem}.svg", folder / f"{stem}.png"
    command.main(parser.parse_args(["--table", str(folder / "race.csv"), "--out-svg", str(svg), "--out-png", str(png)]))
    return svg.read_bytes(), png.read_bytes()


@pytest.mark.parametrize("stem", STEMS)
def test_a_figure_is_the_same_bytes_twice_and_carries_no_date_or_version(stem, tmp_path):
    svg, png = draw(stem, race(), tmp_path)
    assert (svg, png) == draw(stem, race(), tmp_path)
    assert b"<dc:date>" not in svg and b"matplotlib.org" not in svg and b"Software" not in png


@pytest.mark.parametrize("stem", STEMS)
def test_one_seed_is_enough_to_draw(stem, tmp_path):
    svg, _ = draw(stem, race(seeds=[1]), tmp_path)
    assert svg.rstrip().endswith(b"</svg>")


def test_a_table_that_breaks_an_identity_is_not_drawn(tmp_path):
    table = race()
    table.loc[3, "val_perplexity"] *= 1.1
    with pytest.raises(ArtefactError, match="perplexity is exp"):
        draw("race_val_perplexity", table, tmp_path)
    assert not (tmp_path / "race_val_perplexity.svg").exists()
    with pytest.raises(ArtefactError, match="val_loss"):
        draw("race_val_perplexity", race().drop(columns="val_loss"), tmp_path)


def test_the_gap_is_taken_where_both_arms_have_been():
    table = race()
    end, gap = gap_at_common_end(table, "cumulative_flops")
    assert end == 100 and gap > 0, "at equal FLOPs the arm with more steps is ahead"
    end, gap = gap_at_common_end(table, "step")
    assert end == 5 and gap == pytest.approx(0, abs=0.3), "at equal steps they are level, but for the chord"


def test_variants_differ_in_colour_and_in_grey():
    def grey(colour: str) -> float:
        red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    greys = sorted(grey(variant.colour) for variant in VARIANTS.values())
    assert all(b - a > 0.1 for a, b in zip(greys, greys[1:]))
    assert all(stem == variant.stem for stem, variant in VARIANTS.items())


@pytest.mark.parametrize("stem", STEMS)
def test_every_figure_has_its_caption(stem):
    assert f'"{stem}":' in (ROOT / "workflow/report/race_figure.rst").read_text()
