"""`snakemake --cores` takes all cores, and everything else reaches Snakemake as it was typed."""

import pytest

from postproof.engines.snakemake_command import with_all_cores


@pytest.mark.parametrize(
    "typed, passed_on",
    [
        ("--cores", "--cores all"),
        ("-c", "-c all"),
        ("--cores -n", "--cores all -n"),
        ("--cores results/x.csv", "--cores all results/x.csv"),
        ("-n --cores", "-n --cores all"),
        ("--cores 2 -n", "--cores 2 -n"),
        ("--cores all", "--cores all"),
        ("-c1 all", "-c1 all"),
        ("--cores=3", "--cores=3"),
        ("-n", "-n"),
    ],
)
def test_cores_without_a_number_are_all_cores(typed, passed_on):
    assert with_all_cores(typed.split()) == passed_on.split()
