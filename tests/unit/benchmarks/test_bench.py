"""Benchmarks of a step: figures are the ratios that they are called, of variants that compute the same; no timing."""

import sys
from pathlib import Path

import grimp
import pytest
import torch

from postproof import cli
from postproof.benchmarks import nothing_to_do, runner, steps
from postproof.benchmarks.steps import Variant
from postproof.core import exact
from postproof.core.errors import EngineError, UsageError
from postproof.engines import codegraph
from postproof.mixtral.measuring import posted

PACKAGE = Path(cli.__file__).parent
# Seconds that make every ratio another number.
SECONDS = {
    Variant("exact", 1, "dense"): 0.2,
    Variant("exact", 1, "ours"): 0.12,
    Variant("exact", 1, "product"): 0.14,
    Variant("fast", 1, "dense"): 0.25,
    Variant("fast", 1, "ours"): 0.13,
    Variant("fast", 1, "loop"): 0.17,
    Variant("fast", 1, "transformers"): 0.16,
    Variant("fast", 1, "transformers_grouped"): 0.15,
    Variant("fast", 2, "dense"): 0.11,
    Variant("fast", 2, "ours"): 0.07,
    Variant("fast", 2, "loop"): 0.08,
}


@pytest.fixture
def measured(monkeypatch):
    """Rows by name, from the seconds above as if they had been measured on a machine with so many cores."""

    def rows(left_out=(), cores=2):
        turns = {
            variant: [value, 2 * value, 3 * value] for variant, value in SECONDS.items() if variant not in left_out
        }
        reasons = {variant: "not installed" for variant in left_out}
        monkeypatch.setattr(steps, "seconds_by_turn", lambda variants: (turns, reasons))
        monkeypatch.setattr(steps, "cores", lambda: cores)
        return {row.name: row for row in steps.rows()}

    return rows


def test_each_ratio_is_of_the_variants_in_its_name(measured):
    values = {name: row.value for name, row in measured().items()}
    # 12 and 25 steps, and 17,326,669,824 FLOPs of a dense step, are the post's.
    assert values == pytest.approx({
        "moe_step_over_dense_1t": 0.12 / 0.2,
        "moe_step_over_dense_1t_fast_mode": 0.13 / 0.25,
        "moe_step_over_dense_2t": 0.07 / 0.11,
        "moe_step_over_loop_1t": 0.13 / 0.17,
        "moe_step_over_loop_2t": 0.07 / 0.08,
        "moe_step_over_transformers_1t": 0.13 / 0.15,
        "moe_wall_at_equal_flops_1t": (25 * 0.12) / (12 * 0.2),
        "dense_step_over_gemm_peak_1t": 0.2 / (207_920_037_888 / 12 / (2 * 2048**3 / 0.14)),
        "exact_over_fast_dense_step_1t": 0.2 / 0.25,
    })  # fmt: skip


def test_the_target_for_the_wall_time_is_the_one_for_the_step():
    """The same demand, said of a step and of the race: 25 steps against 12."""
    assert steps.steps_within_budget() == {"dense": 12, "moe": 25}
    assert 0.65 * 25 / 12 == pytest.approx(1.35, abs=0.005)


def test_without_transformers_its_row_is_left_out_and_said_so(measured, capsys):
    everything = measured()
    rows = measured(left_out=[Variant("fast", 1, name) for name in steps.TRANSFORMERS])
    assert set(everything) - set(rows) == {"moe_step_over_transformers_1t"}
    assert capsys.readouterr().out == "moe_step_over_transformers_1t: left out, not installed\n"


def test_on_one_core_the_rows_for_two_threads_are_left_out(measured, capsys):
    everything, rows = measured(), measured(cores=1)
    assert set(everything) - set(rows) == {"moe_step_over_dense_2t", "moe_step_over_loop_2t"}
    assert "one core" in capsys.readouterr().out


def test_ratios_are_of_the_same_turn_so_that_what_slows_a_whole_turn_does_not_count():
    a, b = [0.1, 0.4, 0.2], [0.2, 0.8, 0.4]
    row = runner.Row.of("half", runner.ratios(a, b), target=0.5)
    assert (row.low, row.value, row.high, row.turns) == (0.5, 0.5, 0.5, 3)


@pytest.mark.parametrize(("target", "outcome"), [(4, "met"), (3, "on the line"), (1.5, "missed")])
def test_a_target_within_the_spread_is_neither_met_nor_missed(target, outcome):
    """So no row says met on one day and missed on the next because of a busy neighbour."""
    row = runner.Row.of("some", [1, 2, 3, 4, 5], target)
    assert (row.low, row.value, row.high) == (2, 3, 4)
    assert row.outcome == outcome
    assert runner.Row.of("one", [2.0], 2).outcome == "met"


def test_ways_take_turns_and_the_first_turns_do_not_count(monkeypatch):
    ran, clock = [], iter(range(100))
    monkeypatch.setattr(runner.time, "perf_counter", lambda: next(clock))
    seconds = runner.in_turns({name: lambda name=name: ran.append(name) for name in "ab"}, turns=2, untimed=1)
    assert "".join(ran) == "ababab" and seconds == {"a": [1, 1], "b": [1, 1]}


@pytest.fixture
def tiny(monkeypatch):
    sizes = posted.race(tiny=True)
    monkeypatch.setattr(posted, "race", lambda tiny: sizes)
    monkeypatch.setattr(steps, "PRODUCT_N", 8)
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


def test_ours_and_the_loop_take_the_same_steps(tiny):
    """What is compared in time must be the same training: five losses, each of its own batch, agree to rounding."""
    ours, loop, dense = ([step() for _ in range(5)] for step in map(steps.step_of, ("ours", "loop", "dense")))
    assert ours == pytest.approx(loop, rel=1e-5)
    assert ours != pytest.approx(dense, rel=1e-3)
    assert len(set(ours)) == 5


def test_a_step_of_transformers_is_one_too(tiny):
    """It has no biases, so its losses are near ours only; test_measuring.py compares them without biases."""
    pytest.importorskip("transformers", reason="the extra `dev` is installed by `make setup`")
    ours, eager, grouped = ([step() for _ in range(5)] for step in map(steps.step_of, ("ours", *steps.TRANSFORMERS)))
    assert eager == pytest.approx(grouped, rel=1e-4)
    assert eager == pytest.approx(ours, rel=0.1)


def test_the_product_is_square_and_in_the_modes_own_way(tiny, monkeypatch):
    called = []
    monkeypatch.setattr("postproof.core.linalg.matmul", lambda a, b: called.append((a.shape, b.shape, a.dtype)))
    steps.step_of("product")()
    assert called == [((8, 8), (8, 8), torch.float32)]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_worker_gets_its_threads_and_none_of_this_process_pins(threads, monkeypatch):
    given = {}
    monkeypatch.setattr("subprocess.Popen.__init__", lambda self, command, **options: given.update(options))
    monkeypatch.setattr("subprocess.Popen.__del__", lambda self: None)
    assert exact.pinned(), "the pins have to be there for this test to say something"
    steps.Worker(Variant("fast", threads, "ours"))
    pins = {name: value for name, value in given["env"].items() if name in exact.ENVIRONMENT}
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    assert pins == dict.fromkeys(names, str(threads))


def test_a_real_worker_answers_each_turn_and_ends():
    with steps.Worker(Variant("exact", 1, "product")) as worker:
        assert worker.answer() == ""
        for _ in range(2):
            seconds = worker.turn()
            assert len(seconds) == steps.TIMED and all(0 < value < 60 for value in seconds)
    assert worker.returncode == 0


def test_a_worker_that_fails_is_an_error_and_one_that_cannot_is_a_reason(monkeypatch, capsys):
    with steps.Worker(Variant("fast", 1, "nonsense")) as worker, pytest.raises(EngineError, match="could not be timed"):
        worker.answer()
    for module in [name for name in sys.modules if name.partition(".")[0] == "transformers"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "transformers", None)  # as if it were not installed
    assert cli.main(["benchmarks.steps", "transformers"]) == 0
    assert capsys.readouterr().out == '"transformers, or its Mixtral block, is not installed"\n'


@pytest.mark.parametrize("program", ["snakemake", "dvc", "postproof"])
def test_what_a_user_waits_for_is_the_real_command(program, monkeypatch):
    monkeypatch.setattr(nothing_to_do, "REPEATS", 1)
    [seconds] = nothing_to_do.seconds(program, "--help")
    assert 0 < seconds < 60


def test_every_module_of_benchmarks_has_rows_and_others_are_refused():
    with_rows = {path.stem for path in (PACKAGE / "benchmarks").glob("*.py") if "\ndef rows(" in path.read_text()}
    assert set(runner.modules()) == with_rows and with_rows
    assert cli.main(["bench", "--only", "nonsense"]) == UsageError.exit_code


def test_no_job_reaches_a_measurement_and_of_jobs_one_module_imports_transformers():
    """Measurements compare with the library, and jobs do not reach them; one module reads models that a user names."""
    graph = grimp.build_graph("postproof", include_external_packages=True, cache_dir=None)
    importing = graph.find_modules_that_directly_import("transformers")
    assert len([module for module in importing if ".measuring." not in module]) == 1
    sources = codegraph.Sources.read(PACKAGE.parents[1])
    assert sources.commands
    for command in sources.commands:
        reached = codegraph.modules_in(sources.listing(command))
        assert not [file for file in reached if "/measuring/" in file], command
