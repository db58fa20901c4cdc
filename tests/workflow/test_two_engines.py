"""Snakemake and DVC run one DAG: they agree on what there is to do, before and after every kind of change."""

import pytest

from workflow_helpers import ALL_CLAIMS, ALL_FIGURES, CLAIMS, ON_MODEL, ON_RACE, ON_RACE_MODELS, RACE_RUNS, RUNS

NOTHING = {"snakemake": set(), "dvc": set()}


def both(jobs: set[str]) -> dict[str, set[str]]:
    return {"snakemake": jobs, "dvc": jobs}


@pytest.fixture
def origin(checkout, tmp_path):
    """The built checkout with a DVC remote that holds everything."""
    checkout.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    checkout.dvc("push")
    checkout.git("commit", "--quiet", "--all", "--message=remote")
    return checkout


def test_clone_and_pull_leave_nothing_to_do_and_both_notice_the_next_change(origin, tmp_path):
    clone = origin.clone(tmp_path / "clone")
    clone.make("pull")
    assert clone.plan() == NOTHING
    assert clone.artefacts() == origin.artefacts()

    clone.set_params({"mixtral.race.training": {"learning_rate": 1e-3}})
    assert clone.plan() == both(RACE_RUNS | ON_RACE | ON_RACE_MODELS)


def test_a_parameter_put_back_is_restored_from_the_run_cache_without_training(checkout):
    before = checkout.artefacts()
    checkout.set_params({"mixtral.race.training": {"learning_rate": 1e-3}})
    checkout.dvc("repro")
    changed = checkout.artefacts()
    assert all((changed[run] != before[run]) == (run in RACE_RUNS) for run in RUNS)

    checkout.set_params({"mixtral.race.training": {"learning_rate": 3e-4}})
    output = checkout.dvc("repro")
    assert "Running stage 'train_race" not in output and "is cached - skipping run" in output
    assert checkout.artefacts() == before
    checkout.make("sync")
    assert checkout.plan() == NOTHING


@pytest.mark.parametrize(
    "file, jobs",
    [
        ("src/postproof/mixtral/figures/race_train_loss.py", {"results/mixtral/figures/race_train_loss.png"}),
        ("src/postproof/plotting.py", ALL_FIGURES),
        ("src/postproof/mixtral/moe.py", ON_MODEL),
        ("src/postproof/claims/rules.py", ALL_CLAIMS),
        ("claims/mixtral.yaml", CLAIMS),
        ("src/postproof/mixtral/train_race.py", RACE_RUNS | ON_RACE | ON_RACE_MODELS),
        ("src/postproof/params.py", set()),
        ("src/postproof/another_post/testbed.py", set()),
        ("claims/another_post.yaml", set()),
    ],
)
def test_an_edited_file_reruns_what_depends_on_it_and_nothing_else(checkout, file, jobs):
    checkout.append(file, "\n# A comment.\n")
    assert checkout.plan() == both(jobs)


def test_a_seed_added_is_one_run_per_arm_and_removed_leaves_nothing_behind(checkout):
    before = checkout.artefacts()
    new_runs = {f"results/mixtral/runs/race/{arm}-seed30.csv" for arm in ("dense", "moe")}

    checkout.set_params({"mixtral.race": {"seeds": [7, 8, 30]}})
    assert checkout.plan() == both(new_runs | ON_RACE)
    checkout.snakemake()
    assert ",30," in (checkout.path / "results/mixtral/metrics/race.csv").read_text()
    checkout.make("record")
    assert checkout.plan() == NOTHING

    checkout.set_params({"mixtral.race": {"seeds": [7, 8]}})
    assert checkout.plan() == both(ON_RACE)
    checkout.snakemake()
    assert checkout.artefacts() == before
    checkout.make("record")
    assert checkout.plan() == NOTHING
    assert "seed30" not in (checkout.path / "dvc.lock").read_text()


def test_a_seed_removed_through_dvc_leaves_nothing_behind_either(checkout):
    checkout.set_params({"mixtral.race": {"seeds": [8]}})
    checkout.dvc("repro")
    assert not [path for path in checkout.artefacts() if "race/" in path and "seed7." in path]
    assert ",7," not in (checkout.path / "results/mixtral/metrics/race.csv").read_text()


def test_sync_refuses_files_that_are_not_the_recorded_ones(checkout):
    checkout.append("results/mixtral/metrics/race.csv", "tampered\n")
    done = checkout.run("python", "-m", "postproof", "sync", check=False)
    assert done.returncode == 16 and "race_metrics" in done.stderr


def test_nothing_is_recorded_that_the_code_did_not_make(checkout):
    checkout.append("src/postproof/mixtral/moe.py", "\n# A change that nobody has run yet.\n")
    open_jobs = both(ON_MODEL)
    # A job of another branch of the DAG succeeds, and all files are as dvc.lock says; the runs are still out of date.
    checkout.snakemake("--force", "data/raw/shakespeare.txt")
    assert checkout.plan() == open_jobs
    done = checkout.run("python", "-m", "postproof", "record", check=False)
    assert done.returncode == 16 and "would make anew" in done.stderr
    assert checkout.plan() == open_jobs


def test_files_of_unknown_origin_are_not_recorded(origin, tmp_path):
    clone = origin.clone(tmp_path / "clone")
    clone.dvc("pull")
    done = clone.run("python", "-m", "postproof", "record", check=False)
    assert done.returncode == 16 and "did not make" in done.stderr
    clone.make("sync")
    clone.make("record")
