"""Our Llama beside transformers': both are asked the same, the table says so; chart and bench take it from there."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import figures_helpers
from postproof import cli
from postproof.benchmarks import llama as bench_llama
from postproof.core import exact, files
from postproof.core.errors import ArtefactError, DataError, EngineError
from postproof.llama2.figures import llama_speed as figure
from postproof.llama2.measuring import llama_speed
from postproof.measuring import checkout

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def models():
    pytest.importorskip("transformers", reason="the extra `dev` is installed by `make setup`")
    return llama_speed.tiny_models(CPU)


def test_there_are_twenty_different_prompts():
    prompts = llama_speed.read_prompts()
    assert len(prompts) == len(set(prompts)) == 20
    assert all(prompt == prompt.strip() for prompt in prompts)


@pytest.mark.parametrize("content", ["", "one\n\ntwo\n", None])
def test_missing_or_empty_prompts_are_refused(content, tmp_path, monkeypatch):
    monkeypatch.setattr(checkout, "root", lambda: tmp_path)
    if content is not None:
        files.write_text(tmp_path / llama_speed.PROMPTS, content)
    with pytest.raises(DataError, match="no prompts, or an empty one"):
        llama_speed.read_prompts()


@torch.no_grad()
def test_what_is_timed_gives_the_tokens_of_generate_and_can_be_timed_again(models):
    """Prefill gives the first token, decode the last of NEW_TOKENS more, and each call leaves the cache as it was."""
    ours, theirs, prompts = models
    steps = 1 + llama_speed.NEW_TOKENS
    for model, tokens in [
        (llama_speed.Ours(ours), ours.generate(prompts[2], steps)),
        (llama_speed.Theirs(theirs), llama_speed.greedy(theirs, prompts[2], steps)),
    ]:
        prefill, decode = llama_speed.prefill(model, prompts[2]), llama_speed.decode(model, prompts[2])
        assert decode.calls == llama_speed.NEW_TOKENS
        for _ in range(3):
            assert torch.equal(prefill(), tokens[:, :1])
            assert torch.equal(decode(), tokens[:, -1:])


def test_the_comparison_sees_another_weight(models):
    ours, theirs, prompts = models
    same = llama_speed.comparison(ours, theirs, prompts, steps=20)
    assert same["largest_logit_difference"] < 1e-4 and same["same_tokens"] == 1
    assert (same["compared_prompts"], same["compared_steps"]) == (3, 20)
    weight = ours.head.weight
    with torch.no_grad():
        weight.neg_()
        other = llama_speed.comparison(ours, theirs, prompts, steps=20)
        weight.neg_()
    assert other["largest_logit_difference"] > 1e-2 and other["same_tokens"] < 1


def test_the_tiny_table_has_every_row_and_rates_of_its_seconds(models):
    table = llama_speed.measure(CPU, tiny=True)
    assert set(zip(table["implementation"], table["phase"])) == {
        (name, phase) for name in ("ours", "transformers") for phase in ("prefill", "decode")
    }
    assert (table["note"] == "").all() and (table["same_tokens"] == 1).all()
    tokens = np.where(table["phase"] == "prefill", table["prompt_tokens"], 1)
    np.testing.assert_allclose(table["tokens_per_second"] * table["median_seconds"], tokens)


@pytest.mark.parametrize("library", ["gguf", "accelerate", "transformers"])
def test_a_library_that_is_not_installed_is_a_note(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed
    table = llama_speed.measure(CPU, tiny=False)
    assert set(table["note"]) == {"transformers, accelerate or gguf is not installed"}
    assert table["median_seconds"].isna().all() and len(table) == 8


def test_a_missing_model_file_is_a_note_that_says_how_to_get_it(tmp_path, monkeypatch):
    for library in ("gguf", "accelerate", "transformers"):
        pytest.importorskip(library)
    monkeypatch.setattr(checkout, "root", lambda: tmp_path)
    (note,) = set(llama_speed.measure(CPU, tiny=False)["note"])
    assert note == f"no model file: snakemake --cores 1 {llama_speed.MODEL}"


def table() -> pd.DataFrame:
    """As if measured: ours 1.25 times as fast in prefill, 1.5 times in decode."""
    rows = []
    for phase, tokens, prompt in [("prefill", 64, 64), ("decode", 1, 64), ("prefill", 512, 512), ("decode", 1, 512)]:
        for name, seconds in {"ours": 0.02, "transformers": 0.025 if phase == "prefill" else 0.03}.items():
            rows.append([name, phase, 1, prompt, 8, "float32", tokens / seconds, seconds, 0.9 * seconds, 1.1 * seconds])
    columns = "implementation phase batch prompt_tokens new_tokens dtype tokens_per_second median_seconds p25_seconds"
    frame = pd.DataFrame(rows, columns=[*columns.split(), "p75_seconds"])
    compared = dict(zip(llama_speed.COMPARED, (20, 64, 4.5e-5, 1.0)))
    return frame.assign(repeats=20, note="", **compared)


def draw(folder, tables: dict[str, pd.DataFrame]) -> list[bytes]:
    """The chart's files; the tables are by machine."""
    paths = [figures_helpers.store_measured(folder, frame, machine) for machine, frame in tables.items()]
    return figures_helpers.draw("llama2", "llama_speed", {}, folder, measured=paths)


def test_the_chart_is_the_same_bytes_each_time_for_one_machine_or_two(tmp_path):
    for tables in ({"here": table()}, {"here": table(), "there": table()}):
        assert draw(tmp_path, tables) == draw(tmp_path, tables)


def test_the_chart_states_ratio_difference_and_agreement(tmp_path):
    frame = table()
    assert "4.5e-05" in figure.agreement(frame.iloc[0]) and "1,280 of 1,280" in figure.agreement(frame.iloc[0])
    axes = figure.plt.figure().add_subplot()
    figure.draw(axes, frame[frame["phase"] == "decode"])
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("× 1.50") == 2 and texts.count("50") == 2 and texts.count("33.3") == 2
    figure.plt.close("all")


@pytest.mark.parametrize(
    "change, identity",
    [
        (lambda frame: frame.iloc[1:], "each once for each phase and prompt"),
        (lambda frame: pd.concat([frame, frame.iloc[:1]]), "each once for each phase and prompt"),
        (lambda frame: frame.assign(implementation="ours"), "each once for each phase and prompt"),
        (lambda frame: frame[frame["phase"] == "decode"], "phases are prefill and decode"),
        (lambda frame: frame.assign(p25_seconds=1.0), "lower quartile"),
        (lambda frame: frame.assign(tokens_per_second=7.0), "tokens over seconds"),
        (lambda frame: frame.assign(same_tokens=np.linspace(0, 1, len(frame))), "same comparison"),
        (lambda frame: frame.assign(same_tokens=1.5), "from 0 to 1"),
    ],
)
def test_a_table_that_breaks_an_identity_is_not_drawn(change, identity, tmp_path):
    with pytest.raises(ArtefactError, match=identity):
        draw(tmp_path, {"here": change(table())})
    assert not (tmp_path / "chart.svg").exists()


def test_the_bench_rows_are_ours_over_transformers(monkeypatch, capsys):
    turns = {"prefill": {"ours": [0.3], "transformers": [0.4]}, "decode": {"ours": [0.05], "transformers": [0.02]}}
    monkeypatch.setattr(bench_llama, "seconds_by_turn", lambda: turns)
    rows = {row.name: (row.value, row.target, row.unit) for row in bench_llama.rows()}
    assert rows == {
        "llama_prefill_over_transformers_1t": (pytest.approx(0.75), 1, "1"),
        "llama_decode_over_transformers_1t": (pytest.approx(2.5), 1, "1"),
    }
    monkeypatch.setattr(bench_llama, "seconds_by_turn", lambda: {"left_out": "not installed"})
    assert list(bench_llama.rows()) == []
    assert "left out, not installed" in capsys.readouterr().out


def test_without_the_model_the_bench_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    pytest.importorskip("transformers")
    monkeypatch.setattr(checkout, "root", lambda: tmp_path)
    assert cli.main(["benchmarks.llama"]) == 0
    said = json.loads(capsys.readouterr().out)["left_out"]
    assert said == f"no model file: snakemake --cores 1 {llama_speed.MODEL}"


def test_the_benchs_process_times_both_and_prints_json(models, monkeypatch, capsys):
    monkeypatch.setattr(llama_speed, "real_models", lambda device: models)
    assert cli.main(["benchmarks.llama"]) == 0
    seconds = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {phase: set(of_phase) for phase, of_phase in seconds.items()} == {
        phase: {"ours", "transformers"} for phase in ("prefill", "decode")
    }
    turns = [turns for of_phase in seconds.values() for turns in of_phase.values()]
    assert all(len(each) == bench_llama.TURNS and min(each) > 0 for each in turns)


def test_the_benchs_process_has_one_thread_and_none_of_this_process_pins(monkeypatch):
    given = {}

    def run(command, **options):
        given.update(options)
        return bench_llama.subprocess.CompletedProcess(command, given.get("code", 0), stdout='noise\n{"a": 1}\n')

    monkeypatch.setattr(bench_llama.subprocess, "run", run)
    assert exact.pinned(), "the pins have to be there for this test to say something"
    assert bench_llama.seconds_by_turn() == {"a": 1}
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    assert {name: value for name, value in given["env"].items() if name in exact.ENVIRONMENT} == dict.fromkeys(
        names, "1"
    )
    given["code"] = 1
    with pytest.raises(EngineError, match="could not be timed"):
        bench_llama.seconds_by_turn()
