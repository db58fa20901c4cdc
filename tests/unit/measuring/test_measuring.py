"""Measurements at tiny sizes on the CPU: what they time is right, what cannot run is noted, all is stored whole."""

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from postproof import cli
from postproof.attention import layer_variants
from postproof.core.errors import ParamsError, PostproofError
from postproof.llama2.measuring import decode_speed, kv_cache_alloc, norm_speed
from postproof.measuring import checkout, gemm_peak, runner, timing
from postproof.mixtral.measuring import moe_variants, posted, race_wall
from postproof.mixtral.settings import ModelSizes
from postproof.mixtral.training import Run

CPU = torch.device("cpu")
SIZES = ModelSizes(d_model=16, heads=2, layers=2, sequence=12, dense_ffn=64, experts=8, expert_ffn=8, top_k=2)
NAMES = sorted(runner.measurements())


@pytest.fixture
def no_compiler(monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("no compiler in /usr/bin/cc\nsecond line")

    monkeypatch.setattr(torch, "compile", refuse)


def loss_and_gradients(variant, attention="plain", biases=True, dtype=torch.float64):
    model = moe_variants.build(variant, SIZES, vocabulary=20, attention=attention).to(dtype)
    if not biases:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "bias" in name and ("experts" in name or "router" in name):
                    parameter.zero_()
    ids, targets = torch.randint(20, (2, 3, SIZES.sequence), generator=torch.Generator().manual_seed(1))
    loss = model.loss(ids, targets)
    loss.backward()
    return loss.detach(), {name.replace("ffn.moe.", "ffn."): p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize(
    "variant, dtype", [("loop", torch.float64), ("all_experts", torch.float64), ("grouped", torch.float32)]
)
def test_every_way_to_compute_the_mixture_gives_the_same_loss_and_gradients(variant, dtype):
    if variant == "grouped" and not hasattr(torch.nn.functional, "grouped_mm"):
        pytest.skip("this torch has no grouped_mm")
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6  # grouped_mm takes no float64
    loss, gradients = loss_and_gradients("ours", dtype=dtype)
    other_loss, other_gradients = loss_and_gradients(variant, dtype=dtype)
    torch.testing.assert_close(other_loss, loss, rtol=tolerance, atol=tolerance)
    assert other_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(other_gradients[name], gradient, rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize("variant", ["transformers", "transformers_grouped"])
def test_the_block_of_transformers_gives_the_same_where_there_are_no_biases(variant):
    pytest.importorskip("transformers")
    loss, gradients = loss_and_gradients("ours", biases=False, dtype=torch.float32)
    other_loss, other_gradients = loss_and_gradients(variant, dtype=torch.float32)
    torch.testing.assert_close(other_loss, loss, rtol=1e-6, atol=1e-6)
    name = "blocks.0.ffn.router.weight", "blocks.0.ffn.block.gate.weight"
    torch.testing.assert_close(other_gradients[name[1]], gradients[name[0]], rtol=1e-4, atol=1e-6)


def test_fused_attention_equals_plain():
    loss, gradients = loss_and_gradients("dense")
    fused_loss, fused_gradients = loss_and_gradients("dense", attention="fused")
    torch.testing.assert_close(fused_loss, loss, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(fused_gradients["token_embedding.weight"], gradients["token_embedding.weight"])


def test_score_memory_times_one_and_the_same_attention():
    layer = layer_variants.MultiHeadAttention(32, 4).eval()
    x, future = torch.randn(1, 9, 32), torch.ones(9, 9, dtype=torch.bool).triu(diagonal=1)
    expected = layer(x, "sdpa")
    torch.testing.assert_close(layer(x, "plain", future), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(layer(x, "plain_all_kept", future), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kv_heads", [8, 4, 1])
def test_three_ways_to_attend_with_fewer_kv_heads_agree(kv_heads):
    q, k, v = torch.randn(2, 8, 1, 4), torch.randn(2, kv_heads, 6, 4), torch.randn(2, kv_heads, 6, 4)
    expected = decode_speed.expanded(q, k, v)
    torch.testing.assert_close(decode_speed.gqa(q, k, v), expected)
    torch.testing.assert_close(decode_speed.folded(q, k, v), expected)


def test_a_decode_step_writes_its_key_and_value_at_the_end_of_the_cache():
    stack = decode_speed.DecodeStack(decode_speed.Sizes(heads=4, head_dim=8, ffn=16, layers=2), 2, 3, 5, CPU)
    before = stack.cache.clone()
    assert stack.step(decode_speed.gqa).shape == (3, 1, 32)
    changed = (stack.cache != before).any(dim=-1).any(dim=0).any(dim=0).any(dim=0).any(dim=0)
    assert changed.tolist() == [False] * 4 + [True]


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_bytes_read_by_a_decode_step(dtype):
    sizes = decode_speed.Sizes(heads=4, head_dim=8, ffn=16, layers=2, dtype=dtype)
    stack = decode_speed.DecodeStack(sizes, 2, 3, 5, CPU)
    products = sum(w.nbytes for layer in stack.layers for w in layer.parameters() if w.dim() == 2)
    cache = stack.cache.nbytes
    expected = {"weight_bytes": products, "cache_bytes": cache, "read_bytes": products + cache}
    assert decode_speed.read_bytes(sizes, 2, 3, 5) == expected


def test_plain_rms_norm_is_torchs():
    x = torch.randn(5, 16)
    torch.testing.assert_close(norm_speed.PlainRMSNorm(16)(x), norm_speed.NORMS["rms_module"](16)(x))


def test_caches_are_those_of_the_posted_models_and_a_cpu_counts_none():
    table = kv_cache_alloc.measure(CPU, tiny=True)
    gib = table[table["sequence"] == 256].set_index("model")["formula_bytes"] * 4096 / 256 / 2**30
    assert gib.round(3).to_dict() == {
        "gpt2_xl": 1.172, "llama2_7b": 2.0, "llama2_70b": 1.25, "llama2_70b_mqa": 0.156, "llama2_70b_mha": 10.0
    }  # fmt: skip
    assert table["allocated_bytes"].isna().all() and set(table["note"]) == {"the CPU allocator keeps no count"}


@pytest.mark.parametrize("variant", ["dense", "ours", "loop"])
def test_the_timed_race_is_the_race(variant, tmp_path):
    sizes, settings, seed = posted.race(tiny=True)
    corpus = posted.corpus()
    corpus = dataclasses.replace(corpus, val=corpus.val[:500])
    run = Run(moe_variants.arm(variant), seed, sizes, settings, corpus, CPU)
    run.draws.validated_as_posted = True
    last = run.to_end(tmp_path / "state.safetensors", None)[-1]
    timed = race_wall.race(variant, corpus, CPU, tiny=True)
    assert (timed["steps"], timed["flops"]) == (last["step"], last["cumulative_flops"])
    assert timed["train_loss"] == pytest.approx(last["train_loss"], rel=1e-5)
    assert timed["val_loss"] == pytest.approx(last["val_loss_as_posted"], rel=1e-5)
    assert timed["wall_seconds"] >= timed["training_seconds"] + timed["evaluation_seconds"]


def test_variants_are_sampled_in_turn_and_failures_become_notes():
    order = []

    def fails_later():
        if order.count("late") == 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        order.append("late")

    def missing():
        raise timing.Unavailable("not installed")

    makers = {
        "a": lambda: lambda: order.append("a"),
        "missing": missing,
        "late": lambda: fails_later,
        "b": lambda: timing.batch(lambda: order.append("b"), 2),
    }
    results = timing.side_by_side(makers, CPU, timing.Budget(60), repeats=6, warm_up=1)
    assert order[-6:] == ["a", "b", "b", "a", "b", "b"]
    assert results["missing"] == timing.NO_VALUE | {"note": "not installed"}
    assert results["late"] == timing.NO_VALUE | {"note": "out of memory"}
    for key in "ab":
        assert results[key]["note"] == "" and results[key]["repeats"] == 6
        assert 0 < results[key]["p25_seconds"] <= results[key]["median_seconds"] <= results[key]["p75_seconds"]


def test_a_spent_budget_and_a_build_that_hangs_are_noted(monkeypatch):
    results = timing.side_by_side({"a": lambda: lambda: None}, CPU, timing.Budget(-1))
    assert "used up" in results["a"]["note"]
    monkeypatch.setattr(timing, "COMPILE_LIMIT_SECONDS", 1)

    def hangs():
        while True:
            pass

    results = timing.side_by_side({"a": lambda: hangs}, CPU, timing.Budget(60))
    assert results["a"]["note"] == "not ready after 1 s"


def test_notes_have_one_line_and_no_paths():
    assert timing.describe(RuntimeError("\ncc: /home/me/x.c failed\nmore")) == "RuntimeError: cc: (path) failed"


def test_every_measurement_is_found():
    modules = Path(cli.__file__).parent.rglob("*.py")
    assert set(NAMES) == {path.stem for path in modules if "\ndef measure(" in path.read_text()} != set()


@pytest.mark.parametrize("name", NAMES)
def test_every_measurement_runs_tiny_and_is_stored_with_its_provenance(name, tmp_path, no_compiler, monkeypatch):
    monkeypatch.delenv("MKL_CBWR", raising=False)  # not exact mode: its products take no bfloat16
    if name == "race_wall":  # without the three processes
        monkeypatch.setattr(race_wall.concurrent.futures, "ProcessPoolExecutor", InThisProcess)
    out = f"{tmp_path}/{{name}}/{{machine}}.csv"
    assert cli.main(["--mode", "fast", "measure", name, "--tiny", "--machine", "here", "--out", out]) == 0
    table = pd.read_csv(tmp_path / name / "here.csv", keep_default_na=False)
    about = json.loads((tmp_path / name / "here.json").read_text())
    assert about["rows"] == len(table) > 0
    assert about["rows_without_value"] == (table["note"] != "").sum()
    assert {"machine", "device_name", "driver", "compute_capability", "cpu_model", "cpu_cores", "threads", "versions",
            "date_utc", "git_commit", "command", "mode", "repeats", "wall_seconds", "tiny"} <= about.keys()  # fmt: skip
    expected_notes = {
        "",
        "CUDA graphs need a GPU",
        "the CPU allocator keeps no count",
        "transformers, or its Mixtral block, is not installed",
        "RuntimeError: no compiler in (path)",
    }
    assert set(table["note"]) <= expected_notes
    seconds = next((column for column in ("median_seconds", "p50_seconds", "wall_seconds") if column in table), None)
    if seconds:
        assert ((table[seconds] != "") == (table["note"] == "")).all()
        assert (table["note"] == "").any()


class InThisProcess:
    def __init__(self, *args):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def submit(self, function, *args):
        self.result = lambda: function(*args)
        return self


def test_one_failing_measurement_does_not_lose_the_others(tmp_path, monkeypatch):
    def breaks(device, tiny):
        raise ValueError("broken")

    monkeypatch.setattr(gemm_peak, "measure", breaks)
    to = ["--machine", "here", "--out", f"{tmp_path}/{{name}}/{{machine}}.csv"]
    code = cli.main(["--mode", "fast", "measure", "gemm_peak", "kv_cache_alloc", "--tiny", *to])
    assert code == PostproofError.exit_code
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
        "kv_cache_alloc/here.csv",
        "kv_cache_alloc/here.json",
    ]


def test_bytes_keep_all_digits_beside_missing_values(tmp_path, monkeypatch):
    table = pd.DataFrame({"peak_bytes": [10_737_418_241, None], "repeats": [1, None], "note": ["", "no"]})
    monkeypatch.setattr(gemm_peak, "measure", lambda device, tiny: table)
    to = ["--machine", "here.v2", "--out", f"{tmp_path}/{{name}}/{{machine}}.csv"]
    assert cli.main(["--mode", "fast", "measure", "gemm_peak", "--tiny", *to]) == 0
    assert (tmp_path / "gemm_peak/here.v2.csv").read_text() == "peak_bytes,repeats,note\n10737418241,1,\n,,no\n"


@pytest.mark.parametrize("arguments", [["nonsense"], []])
def test_a_wrong_name_is_a_usage_error(arguments, tmp_path):
    assert cli.main(["--mode", "fast", "measure", *arguments, "--out", f"{tmp_path}/{{name}}/{{machine}}.csv"]) == 2


@pytest.mark.parametrize("arguments", [
    ["--out", "{tmp}"], ["--out", "{tmp}/{machine}.csv"], ["--out", "{tmp}/{name}.csv"],
    ["--out", "{tmp}/{name}/{machine}.json"], ["--machine", "a/../b"], ["--machine", ".hidden"],
])  # fmt: skip
def test_a_place_where_tables_would_be_lost_is_a_usage_error(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gemm_peak, "measure", lambda device, tiny: pytest.fail("measured before the arguments held"))
    arguments = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    assert cli.main(["--mode", "fast", "measure", "gemm_peak", "--tiny", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


def test_measurements_find_params_of_their_checkout_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (checkout.root() / "params.yaml").is_file()
    seeds = checkout.params("mixtral.race.seeds")
    assert posted.race(tiny=False)[2] in seeds
    with pytest.raises(ParamsError, match="no such key"):
        checkout.params("mixtral.race.seed")
