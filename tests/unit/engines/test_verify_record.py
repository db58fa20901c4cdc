"""What `postproof verify --record` writes down of a rebuild."""

import csv
import subprocess

from postproof.engines import verify
from postproof.engines.verify import Outcome


def test_a_rebuild_is_one_row_more_with_its_commit_and_how_much_was_identical(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", clone], check=True)
    author = ["-c", "user.name=A", "-c", "user.email=a@b.example"]
    subprocess.run(["git", "-C", clone, *author, "commit", "--quiet", "--allow-empty", "--message=m"], check=True)
    outcomes = {"a.csv": Outcome.IDENTICAL, "b.csv": Outcome.DIFFERENT, "c.csv": Outcome.MISSING}
    for cores, seconds in (("2", 61.4), ("4", 30.0)):
        verify.write_down(tmp_path, clone, cores, seconds, outcomes)
    with open(tmp_path / verify.REBUILDS, encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    head = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert (first["artefacts"], first["identical"], first["cores"], first["seconds"]) == ("3", "1", "2", "61")
    assert head.stdout.startswith(first["commit"]) and second["cores"] == "4"
