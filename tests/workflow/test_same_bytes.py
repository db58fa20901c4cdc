"""The same bytes from any directory, with any number of cores, in any locale, time zone and hash seed."""

import pytest

from postproof.engines import lockfile


@pytest.mark.slow
def test_a_rebuild_from_scratch_in_other_surroundings_gives_the_same_bytes_and_leaves_nothing_to_do(built, tmp_path):
    clone = built.clone(tmp_path / "ä directory with blanks")
    surroundings = dict(
        LC_ALL="C", LANG="tr_TR.UTF-8", TZ="Pacific/Kiritimati", PYTHONHASHSEED="12345", OMP_NUM_THREADS="2",
        OPENBLAS_CORETYPE="Prescott", SOURCE_DATE_EPOCH="1", MPLBACKEND="svg",
    )  # fmt: skip
    # One job at a time instead of two side by side.
    clone.snakemake(cores=1, **surroundings)
    assert clone.artefacts() == built.artefacts()
    assert "Nothing to be done" in clone.snakemake("--dry-run")
    assert clone.dvc("status", "--json").strip() == "{}"
    assert clone.git("status", "--porcelain") == "", "the committed tables and figures came out the same"


def test_verify_rebuilds_from_nothing_and_counts(built):
    lines = built.postproof("verify").strip().splitlines()
    artefacts = len(lines) - 1
    recorded = {artefact.path for artefact in lockfile.read(built.path)}
    assert artefacts == sum(line.startswith("identical ") for line in lines) == len(recorded)
    assert recorded >= {"results/toy/claims.json", "results/toy/figures/walk.svg", "results/site/index.html"}
    assert lines[-1].startswith(f"{artefacts} of {artefacts} artefacts identical")


@pytest.mark.slow
def test_verify_tells_what_differs_and_fails(checkout):
    checkout.replace("results/toy/metrics/walk.csv", "seeded,7,1,", "seeded,9,1,")
    (checkout.path / "results/toy/figures/walk.svg").unlink()
    done = checkout.run("python", "-m", "postproof", "verify", "--here", check=False)
    assert done.returncode == 1
    assert "different        results/toy/metrics/walk.csv" in done.stdout
    assert "missing          results/toy/figures/walk.svg" in done.stdout
