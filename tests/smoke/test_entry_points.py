"""Every entry point that the README names answers."""

import re
import subprocess
from pathlib import Path

import pytest

from postproof import cli
from postproof.claims import readme, show

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", sorted(cli.commands()))
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert cli.commands()[command] in " ".join(capsys.readouterr().out.split())


def test_every_target_of_the_makefile_is_in_its_help():
    makefile = (ROOT / "Makefile").read_text()
    help_text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = makefile.split(".PHONY:")[1].split("\n")[0].split()
    assert all(f"make {target} " in help_text for target in phony)


def test_targets_that_the_readme_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"(?<!\w)make ([a-z-]+)", (ROOT / "README.md").read_text())
    assert named and not [target for target in named if f"\n{target}:" not in makefile]


def test_the_table_of_the_readme_is_the_one_of_the_verdicts():
    text = (ROOT / "README.md").read_text()
    records = [record for path in sorted(ROOT.glob("results/*/claims.json")) for record in show.read(path)]
    assert readme.filled_in(text, records) == text, "run `make readme`"


def test_every_surprising_verdict_has_a_note():
    for path in ROOT.glob("results/*/claims.json"):
        for record in show.read(path):
            if record["verdict"] == "does not hold":
                assert record["note"], record["id"]
            if record["verdict"] == "holds if":
                assert record["condition"], record["id"]
            if record["verdict"] == "not checked":
                assert record["needs"], record["id"]
