"""`snakemake --cores` takes all cores that are ours, and everything else reaches Snakemake as it was typed."""

import pytest

from postproof.engines.snakemake_command import with_all_cores, with_our_profile


@pytest.mark.parametrize(
    "typed, passed_on",
    [
        ("--cores", "--cores 6"),
        ("-c", "-c 6"),
        ("--cores -n", "--cores 6 -n"),
        ("--cores results/x.csv", "--cores 6 results/x.csv"),
        ("-n --cores", "-n --cores 6"),
        ("--cores 2 -n", "--cores 2 -n"),
        ("--cores all", "--cores 6"),
        ("--cores all all", "--cores 6 all"),
        ("-c1 all", "-c1 all"),
        ("--cores=3", "--cores=3"),
        ("-n", "-n"),
    ],
)
def test_cores_without_a_number_are_all_cores(typed, passed_on):
    assert with_all_cores(typed.split(), 6) == passed_on.split()


OVER_DEFAULT = "--profile profiles/default --workflow-profile"


@pytest.mark.parametrize(
    "typed, passed_on",
    [
        ("--profile profiles/slurm -n", f"{OVER_DEFAULT} profiles/slurm -n"),
        ("--profile=profiles/slurm/ -- x", f"{OVER_DEFAULT} profiles/slurm/ -- x"),
        ("--profile slurm", f"{OVER_DEFAULT} slurm"),
        ("--workflow-profile profiles/slurm", f"{OVER_DEFAULT} profiles/slurm"),
        ("--profile mine --profile profiles/slurm", f"--profile mine {OVER_DEFAULT} profiles/slurm"),
        ("--profile mine", "--profile mine"),
        ("--profile profiles/default", "--profile profiles/default"),
        ("--workflow-profile none", "--workflow-profile none"),
        ("--cores 2 --profile", "--cores 2 --profile"),
    ],
)
def test_a_profile_of_ours_stands_over_the_default_one(typed, passed_on, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("default", "slurm"):
        (tmp_path / "profiles" / name).mkdir(parents=True)
        (tmp_path / "profiles" / name / "config.yaml").touch()
    assert with_our_profile(typed.split()) == passed_on.split()
