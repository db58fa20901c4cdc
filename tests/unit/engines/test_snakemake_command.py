"""`snakemake --cores` takes all cores that are ours, and everything else reaches Snakemake as it was typed."""

import pytest

from postproof.engines.snakemake_command import with_all_cores


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
