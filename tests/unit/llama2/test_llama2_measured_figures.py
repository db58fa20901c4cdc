"""Charts of the norms' and the decode step's time: they draw what is measured, and nothing that is off."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import figures_helpers
from figures_helpers import store_measured
from postproof import cli
from postproof.charts import on_machines
from postproof.core.errors import ArtefactError
from postproof.llama2.figures import decode_speed, norm_speed
from postproof.llama2.measuring import decode_speed as measuring_decode
from postproof.llama2.measuring import norm_speed as measuring_norm

CPU = torch.device("cpu")
POSTED = Path(__file__).parents[3] / "data/posted/llama2"
SHARES = {"rms_module": 0.02, "layer_module": 0.03, "rms_plain": 0.04, "none": None}


def timed(seconds: float | None, note: str = "") -> dict:
    quartiles = (None, None) if seconds is None else (0.9 * seconds, 1.2 * seconds)
    return {"median_seconds": seconds, "p25_seconds": quartiles[0], "p75_seconds": quartiles[1], "note": note}


def norms(graphs: bool = False, widths=(192, 1024, 8192)) -> pd.DataFrame:
    """RMSNorm takes 2 of LayerNorm's 4 in a graph, 3 from Python, and so on compiled in half the time of each."""
    rows = []
    missing = timed(None, "CUDA graphs need a GPU")
    for code, launch in itertools.product(("eager", "compiled"), ("python", "graph")):
        runs = launch == "python" or graphs
        unit = 1e-3 if code == "eager" else 0.5e-3
        units = {"layer_module": 4, "rms_module": 3 if launch == "python" else 2, "rms_plain": 6}
        for width, dtype, what in itertools.product(widths, ("bfloat16", "float32"), norm_speed.PASSES):
            for norm, times in units.items():
                labels = {"norm": norm, "code": code, "launch": launch, "kind": "norm", "what": what, "rows": 4096}
                rows.append(labels | {"width": width, "dtype": dtype} | (timed(times * unit) if runs else missing))
        for norm, share in SHARES.items():
            labels = {"norm": norm, "code": code, "launch": launch, "what": "forward", "rows": 2048, "width": 4096}
            labels["dtype"] = "bfloat16"
            rows.append(labels | {"kind": "block"} | (timed(10 * unit) if runs else missing))
            if share:
                stored = share if runs else None
                value = timed(share * 10 * unit) if runs else missing
                rows.append(labels | {"kind": "block_norms", "share_of_block": stored} | value)
    return pd.DataFrame(rows)


def decoding(graphs: bool = False, settings=((8, 4096), (8, 512), (1, 4096), (1, 512))) -> pd.DataFrame:
    """Times are proportional to the bytes, and twice that when K and V are expanded."""
    sizes = measuring_decode.Sizes()
    labels = {"heads": 32, "head_dim": 128, "ffn": 11008, "layers": 4, "dtype": "bfloat16"}
    rows = []
    for (batch, context), launch in itertools.product(settings, ("graph", "python")):
        for attention, kv_heads in itertools.product(decode_speed.ATTENTIONS, (32, 8, 4, 1)):
            if kv_heads == 32 and attention != "gqa":
                continue
            read = measuring_decode.read_bytes(sizes, kv_heads, batch, context)
            seconds = read["read_bytes"] * 1e-12 * (2 if attention == "expanded" else 1)
            row = labels | {"attention": attention, "launch": launch, "kv_heads": kv_heads} | read
            value = timed(seconds) if graphs or launch == "python" else timed(None, "CUDA graphs need a GPU")
            rows.append(row | {"batch": batch, "context": context} | value)
    return pd.DataFrame(rows)


TABLES = {"norm_speed": norms, "decode_speed": decoding}


def draw(stem: str, folder: Path, *paths: Path) -> list[bytes]:
    posted = {
        name: POSTED / f"{name.removeprefix('posted_')}.csv" for name in figures_helpers.tables_of("llama2", stem)
    }
    return figures_helpers.draw("llama2", stem, posted, folder, measured=paths)


def read_norms(folder: Path, table: pd.DataFrame):
    return on_machines.read(store_measured(folder, table), norm_speed.LABELS, ["rows", "width", *norm_speed.SECONDS])


def read_decoding(folder: Path, table: pd.DataFrame):
    return on_machines.read(store_measured(folder, table), decode_speed.LABELS, decode_speed.NUMBERS)


@pytest.mark.parametrize("stem", TABLES)
def test_a_figure_is_the_same_bytes_for_any_order_of_machines(stem, tmp_path):
    one = store_measured(tmp_path, TABLES[stem](), "a-laptop")
    other = store_measured(tmp_path, TABLES[stem](graphs=True), "b-gpu")
    drawn = draw(stem, tmp_path, one, other)
    assert draw(stem, tmp_path, other, one) == drawn and b"<dc:date>" not in drawn[0]


# The numbers that are drawn


@pytest.mark.parametrize("graphs, expected", [(False, [3 / 4, 2.7 / 4, 3.6 / 4]), (True, [2 / 4, 1.8 / 4, 2.4 / 4])])
def test_norms_are_relative_to_layer_norm_run_alike_and_graphs_are_preferred(graphs, expected, tmp_path):
    ratios = norm_speed.ratios(read_norms(tmp_path, norms(graphs)))
    modules = ratios[ratios["norm"] == "rms_module"]
    np.testing.assert_allclose(modules[["ratio", "low", "high"]], [expected] * len(modules))
    assert len(modules) == 3 * 2 * 2 * 2  # widths, types, passes, eager and compiled
    assert set(ratios.loc[ratios["norm"] == "rms_plain", "code"]) == {"compiled"}


def test_shares_are_of_the_block_with_the_same_norms(tmp_path):
    shares = norm_speed.shares(read_norms(tmp_path, norms())).set_index(["norm", "code"])["share"]
    assert shares.to_dict() == {
        (norm, code): pytest.approx(SHARES[norm])
        for norm in ("rms_module", "layer_module")
        for code in ("eager", "compiled")
    }


def test_a_norm_without_layer_norm_beside_it_is_left_out(tmp_path):
    table = norms()
    table.loc[(table["norm"] == "layer_module") & (table["width"] == 192), ["median_seconds", "note"]] = [None, "cut"]
    assert set(norm_speed.ratios(read_norms(tmp_path, table))["width"]) == {1024, 8192}
    assert all(draw("norm_speed", tmp_path, tmp_path / "a-laptop.csv"))


@pytest.mark.parametrize("kinds", [["norm"], ["block", "block_norms"]])
def test_norms_or_blocks_alone_are_enough(kinds, tmp_path):
    table = norms()
    one = store_measured(tmp_path, table[table["kind"].isin(kinds)])
    assert all(draw("norm_speed", tmp_path, one))
    assert all(draw("norm_speed", tmp_path, one, store_measured(tmp_path, norms(graphs=True), "b-gpu")))


@pytest.mark.parametrize("graphs", [False, True])
def test_where_time_goes_with_the_bytes_the_lines_are_one(graphs, tmp_path):
    rows = decode_speed.relative(read_decoding(tmp_path, decoding(graphs)))
    assert set(rows["launch"]) == {"graph" if graphs else "python"}
    once = rows[rows["attention"] != "expanded"]
    np.testing.assert_allclose(once["ratio"], once["read_bytes"], rtol=1e-6)
    np.testing.assert_allclose(rows["cache_bytes"], rows["kv_heads"] / 32)
    assert (rows.loc[rows["kv_heads"] == 32, ["ratio", "cache_bytes"]] == 1).all(axis=None)


def test_the_largest_cache_and_the_smallest_are_shown(tmp_path):
    rows = decode_speed.relative(read_decoding(tmp_path, decoding()))
    assert decode_speed.shown(rows) == [(8, 4096), (1, 512)] and decode_speed.shown(rows, 1) == [(8, 4096)]
    settings = list(itertools.product((64, 16, 1), (8192, 2048, 512)))
    rows = decode_speed.relative(read_decoding(tmp_path, decoding(settings=settings)))
    assert decode_speed.shown(rows)[0] == (64, 8192) and decode_speed.shown(rows)[1] == (1, 512)


def test_the_sentence_holds_an_eighth_of_the_heads_against_the_post(tmp_path):
    machine = read_decoding(tmp_path, decoding())
    said = decode_speed.says([(machine, decode_speed.relative(machine))], 8)
    assert re.search(r"; with 4 it takes (\d+ to )?\d+ %, in the post 12.5 %$", said)
    assert "the post" not in decode_speed.says([(machine, decode_speed.relative(machine))], 7)


def test_fewer_settings_than_panels_are_enough(tmp_path):
    rows = decode_speed.relative(read_decoding(tmp_path, decoding(settings=[(2, 16)])))
    assert decode_speed.shown(rows) == [(2, 16)]
    assert all(draw("decode_speed", tmp_path, tmp_path / "a-laptop.csv"))


def test_a_setting_without_all_heads_is_left_out(tmp_path):
    table = decoding()
    cut = (table["kv_heads"] == 32) & (table["context"] == 4096)
    table.loc[cut, ["median_seconds", "note"]] = [None, "out of memory"]
    assert set(decode_speed.relative(read_decoding(tmp_path, table))["context"]) == {512}


# What the measurements write is what the charts read


@pytest.mark.parametrize("stem", TABLES)
def test_charts_draw_what_measure_writes(stem, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", refuse)  # it would take longer than all the rest
    to = ["--machine", "here", "--out", f"{tmp_path}/{{name}}/{{machine}}.csv"]
    assert cli.main(["--mode", "fast", "measure", stem, "--tiny", *to]) == 0
    table = tmp_path / stem / "here.csv"
    assert json.loads(table.with_suffix(".json").read_text())["tiny"]
    assert all(draw(stem, tmp_path, table))


def test_measurements_on_a_cpu_need_no_graph_and_no_16_bit_products():
    plans = measuring_decode.PLANS["cpu"], measuring_norm.PLANS["cpu"]
    assert [plans[0].sizes.dtype, plans[1].block_dtype] == ["float32", "float32"]
    assert {launch for launch, _ in plans[0].ways} == {"python"}
    assert {attention for _, attention in plans[0].ways} == set(measuring_decode.ATTENTION)
    table = measuring_decode.measure(CPU, tiny=True)
    assert (table["note"] == "").all() and set(table["dtype"]) == {"float32"}


# Bad input


def swap(one: str, other: str):
    return lambda table: table.assign(**{one: table[other], other: table[one]})


def first_with_value(**cells):
    def change(table: pd.DataFrame) -> pd.DataFrame:
        row = table.index[table["note"] == ""][0]
        for column, value in cells.items():
            table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    "stem, spoil, message",
    [
        ("norm_speed", swap("p25_seconds", "p75_seconds"), "quartile"),
        ("norm_speed", first_with_value(norm="batch_norm"), "norms are known"),
        ("norm_speed", first_with_value(rows=17), "same rows"),
        ("norm_speed", first_with_value(width=1024), "stands once"),
        ("norm_speed", lambda table: table.assign(share_of_block=0.5), "share is"),
        ("norm_speed", lambda table: table.query("norm == 'rms_plain'"), "no machine has a LayerNorm"),
        ("decode_speed", swap("p25_seconds", "p75_seconds"), "quartile"),
        ("decode_speed", first_with_value(attention="flat"), "ways to attend are known"),
        ("decode_speed", first_with_value(read_bytes=1), "weights and cache"),
        ("decode_speed", first_with_value(context=4095), "a cache holds"),
        ("decode_speed", first_with_value(ffn=1), "one model"),
        ("decode_speed", first_with_value(kv_heads=1), "stands once"),
        ("decode_speed", lambda table: table.query("kv_heads < 32"), "as many KV heads as heads"),
    ],
)
def test_a_table_that_breaks_an_identity_is_not_drawn(stem, spoil, message, tmp_path):
    path = store_measured(tmp_path, spoil(TABLES[stem]()))
    with pytest.raises(ArtefactError, match=message):
        draw(stem, tmp_path, path)
    assert not (tmp_path / "chart.svg").exists()


@pytest.mark.parametrize("stem, column", [("norm_speed", "share_of_block"), ("decode_speed", "read_bytes")])
def test_a_missing_column_is_named(stem, column, tmp_path):
    path = store_measured(tmp_path, TABLES[stem]().drop(columns=column))
    with pytest.raises(ArtefactError, match=column):
        draw(stem, tmp_path, path)
