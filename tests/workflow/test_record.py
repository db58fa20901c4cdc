"""A record that cannot lie: an output is what its job made, of the code and inputs that it started with."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from workflow_helpers import AS_BEFORE, NOTHING, Checkout, both, computed

TABLE, CHART, VERDICTS = "results/toy/metrics/walk.csv", "results/toy/figures/walk.png", "results/toy/claims.json"
PAGE = "results/toy/README.md"
ON_TABLE = {CHART, VERDICTS, PAGE, "results/site/toy.html", "results/site/claims.html"}
WALK = "results/toy/runs/walk/walk-seed7.csv"


def test_a_table_changed_by_hand_is_open_and_made_again(checkout):
    before = checkout.artefacts()
    checkout.replace(TABLE, "seeded,7,1,", "seeded,7,1,1")
    assert checkout.plan() == both({TABLE} | ON_TABLE)
    assert "would make anew" in checkout.refused("record")
    assert "walk_table" in checkout.refused("sync")
    assert computed(checkout.snakemake()) == []
    assert checkout.artefacts() == before and checkout.plan() == NOTHING


def test_an_older_table_put_in_its_place_is_open_too(checkout):
    before, old = checkout.artefacts(), (checkout.path / TABLE).read_bytes()
    checkout.set_params({"toy.walk": {"steps": 6}})
    checkout.snakemake()
    checkout.make("record")
    new = checkout.artefacts()
    (checkout.path / TABLE).write_bytes(old)
    assert checkout.plan() == both({TABLE} | ON_TABLE)
    assert "would make anew" in checkout.refused("record")
    checkout.snakemake()
    assert checkout.artefacts() == new != before


def test_what_snakemake_is_told_to_take_for_current_is_not_recorded(checkout):
    checkout.replace("src/postproof/toy/walk.py", "steps.cumsum()", "steps.cumsum() * 2")
    checkout.snakemake("--touch", "--forceall", "all")
    assert checkout.plan()["snakemake"] == set()
    assert "not what its job makes" in checkout.refused("record")


@pytest.mark.slow
def test_a_forced_job_runs_and_one_with_damaged_copies_too(checkout):
    before = checkout.artefacts()
    assert computed(checkout.snakemake("--force", WALK)) == ["toy.walk"]
    for cached in (checkout.path / ".dvc/cache/files/md5").rglob("*"):
        if cached.is_file():
            cached.chmod(0o644)
            cached.write_bytes(b"damaged")
    (checkout.path / WALK).unlink()
    assert computed(checkout.snakemake(WALK)) == ["toy.walk"]
    assert checkout.artefacts() == before


@pytest.fixture
def paused(checkout, tmp_path):
    """Starts Snakemake on a run that waits in the middle of its work; `go` lets it end and gives its output."""
    pause = tmp_path / "pause"

    def start() -> None:
        pause.touch()
        (checkout.path / WALK).unlink()
        process = checkout.start("snakemake", "--cores", "1", WALK, TOY_PAUSE=str(pause), POSTPROOF_ANEW="yes")
        deadline = time.monotonic() + 60
        while not Path(f"{pause}.reached").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.poll() is None

        def go() -> tuple[int, str]:
            pause.unlink()
            stdout, stderr = process.communicate(timeout=60)
            return process.returncode, stdout + stderr

        return go

    return start


def change_the_code(checkout: Checkout) -> None:
    checkout.replace("src/postproof/toy/walk.py", "steps.cumsum()", "steps.cumsum() * 2")


def change_code_that_it_imports(checkout: Checkout) -> None:
    checkout.replace("src/postproof/core/files.py", 'FLOAT_FORMAT = "%.9g"', 'FLOAT_FORMAT = "%.8g"')


def change_its_input(checkout: Checkout) -> None:
    checkout.append("data/prepared/toy_words.json", "\n")


@pytest.mark.parametrize("change", [change_the_code, change_code_that_it_imports, change_its_input])
def test_a_job_under_whose_hands_code_or_inputs_change_does_not_count(checkout, paused, change):
    go = paused()
    change(checkout)
    code, output = go()
    assert code != 0 and ("was changed since this run was planned" in output or "not as its job made it" in output)
    assert "run it again" in output or "makes it again" in output
    assert WALK in checkout.plan()["snakemake"]
    assert "would make anew" in checkout.refused("record")
    checkout.snakemake(WALK)
    fresh = Checkout(shutil.copytree(checkout.path, checkout.path.with_name("fresh")))
    for folder in (".dvc/cache", ".postproof", "results", "data/prepared"):
        shutil.rmtree(fresh.path / folder)
    fresh.snakemake(WALK)
    assert fresh.artefacts().items() <= checkout.artefacts().items(), "made by what is there now"


def test_a_comment_under_a_jobs_hands_changes_nothing(checkout, paused):
    before = checkout.artefacts()
    go = paused()
    checkout.append("src/postproof/toy/walk.py", "\n# A comment.\n")
    assert go()[0] == 0
    assert checkout.artefacts() == before and checkout.plan() == NOTHING


LEFT_BEHIND = [
    ".DS_Store",
    ".~lock.walk-seed7.csv#",
    "walk-seed7 (copy).csv",
    "Thumbs.db",
    "walk-seed7.csv~",
    "#walk.csv#",
]


@pytest.mark.slow
def test_what_a_desktop_or_an_editor_leaves_among_the_runs_is_nobodys_input(checkout):
    for name in LEFT_BEHIND:
        checkout.append(f"results/toy/runs/walk/{name}", "left here")
        checkout.append(f"src/postproof/toy/{name.replace('csv', 'py')}", "left here")
    assert checkout.plan() == NOTHING
    assert checkout.dvc("status", "--json").strip() == "{}"
    checkout.make("sync")


@pytest.mark.slow
def test_a_worktree_runs_its_own_code_whatever_is_installed(checkout, tmp_path):
    """PYTHONPATH stands for an environment that has the first checkout installed."""
    checkout.git("worktree", "add", "--quiet", str(tmp_path / "tree"))
    tree = Checkout(tmp_path / "tree")
    tree.replace("src/postproof/toy/walk.py", "steps.cumsum()", "steps.cumsum() * 2")
    installed = {"PYTHONPATH": str(checkout.path / "src")}
    for snakemake in (["snakemake"], ["python", "-m", "snakemake"]):
        tree.run(*snakemake, "--cores", "2", **installed)
        ours, theirs = (last_position(each) for each in (checkout, tree))
        assert theirs == pytest.approx(2 * ours, rel=1e-6)
        shutil.rmtree(tree.path / "results")
    tree.run("snakemake", "--cores", "2", **installed)
    tree.run("python", "-m", "postproof", "record", **installed)
    assert last_position(tree) == pytest.approx(2 * last_position(checkout), rel=1e-6)
    assert tree.plan() == NOTHING


def last_position(checkout: Checkout) -> float:
    return float((checkout.path / WALK).read_text().splitlines()[-1].split(",")[-1])


def test_files_of_unknown_origin_are_not_recorded(origin, tmp_path):
    clone = origin.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert "did not make" in clone.refused("record")
    clone.make("sync")
    notes = [json.loads(note.read_text()) for note in (clone.path / ".snakemake/metadata").iterdir()]
    assert notes and all(note["starttime"] == note["endtime"] for note in notes), "nothing ran here"
    clone.make("record")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["rule", "caption", "parameter"])
def test_what_is_restored_is_not_taken_for_made_by_what_says_otherwise(origin, tmp_path, change):
    """`sync` after a change leaves open the jobs that the change re-runs where all was built, and no other."""
    clone, built = origin.clone(tmp_path / "clone"), origin
    clone.dvc("pull")
    for each in (clone, built):
        if change == "rule":
            named = ("--seeded {input.seeded}", "--named {input.named}")
            each.replace("workflow/rules/toy.smk", " ".join(named), " ".join(reversed(named)))
        elif change == "caption":
            each.replace("src/postproof/toy/figures/walk.py", "Position of every walk", "Place of every walk")
        else:
            each.set_params({"toy.walk": {"steps": 6}})
    assert "not the ones that dvc.lock records" in clone.refused("sync")
    assert clone.plan()["snakemake"] == built.plan()["snakemake"] != set()
    assert "would make anew" in clone.refused("record")
    clone.snakemake()
    built.snakemake()
    assert clone.artefacts() == built.artefacts()
    clone.make("record")
    assert clone.plan() == NOTHING
    clone.make("sync")


@pytest.mark.slow
def test_what_is_restored_over_other_work_is_taken_for_made_where_it_is_as_recorded(origin, tmp_path):
    clone = origin.clone(tmp_path / "clone")
    clone.set_params({"toy.walk": {"steps": 6}})
    clone.snakemake()
    clone.git("checkout", "--", ".")
    clone.dvc("pull", "--force")
    swapped = ("--seed {wildcards.seed}", "--steps {params.steps}")
    clone.replace("workflow/rules/toy.smk", " ".join(swapped), " ".join(reversed(swapped)))
    message = clone.refused("sync")
    assert "walk@7, walk@8\n" in message
    assert clone.plan()["snakemake"] == {WALK, WALK.replace("7", "8"), TABLE} | ON_TABLE
    assert computed(clone.snakemake()) == ["toy.walk", "toy.walk"]
    assert clone.artefacts() == origin.artefacts()
    clone.make("record")
    assert clone.plan() == NOTHING


def test_nothing_is_taken_for_made_while_a_snakemake_runs(checkout):
    lock = checkout.path / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(f"{TABLE}\n")
    assert "snakemake --unlock" in checkout.refused("sync")
    assert lock.is_file(), "it is another's"


@pytest.mark.slow
def test_a_restored_job_has_its_receipt_again(origin, tmp_path):
    """After a pull, too, what was made before is known: a parameter tried and put back computes once."""
    clone = origin.clone(tmp_path / "clone")
    clone.make("pull")
    clone.set_params({"toy.walk": {"steps": 6}})
    assert AS_BEFORE not in clone.snakemake()
    clone.set_params({"toy.walk": {"steps": 5}})
    assert computed(clone.snakemake()) == []
    assert clone.artefacts() == origin.artefacts()


@pytest.mark.slow
def test_a_clone_with_windows_line_ends_switched_on_has_the_same_bytes(checkout, tmp_path):
    checkout.git("-c", "core.autocrlf=true", "clone", "--quiet", str(checkout.path), str(tmp_path / "clone"))
    with_ends = [file for file in Checkout(tmp_path / "clone").files(".") if ".git/" not in str(file)]
    assert with_ends and not [file for file in with_ends if b"\r\n" in file.read_bytes() and file.suffix != ".png"]


def test_no_file_that_a_job_makes_is_a_link(built):
    assert not [file for file in built.files("results") if os.path.islink(file)]


@pytest.mark.slow
def test_fast_mode_leaves_the_recorded_runs_in_place(checkout):
    before = checkout.artefacts()
    checkout.snakemake("--config", "mode=fast", "--", "results-fast/toy/metrics/walk.csv")
    after = checkout.artefacts()
    assert {path: digest for path, digest in after.items() if path in before} == before
    assert (checkout.path / "results-fast/toy/metrics/walk.csv").is_file()
    assert checkout.plan() == NOTHING
