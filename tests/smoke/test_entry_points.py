"""Every entry point that the README names answers, and what it and the documents say of the project is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from postproof import cli
from postproof.claims import readme, show

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
SUFFIXES = "csv|json|lock|md|png|py|rst|smk|svg|toml|txt|yaml"
# Not there before a build.
MADE = ("build/", "logs/", "results-fast/", "results/site/", "data/raw/", "data/prepared/", ".postproof/")


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


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_is_there(document):
    """In backticks or as a link. A path may begin at the root or at the package; {post} and * stand for any name."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / document).read_text(), flags=re.DOTALL | re.MULTILINE)
    named = re.findall(rf"`([\w./{{}}*-]+(?:/|\.(?:{SUFFIXES})))`", text)
    missing = []
    for path in {name for name in named if not name.startswith(MADE)}:
        pattern = re.sub(r"\{\w+\}", "*", path).rstrip("/")
        if not (any(ROOT.glob(pattern)) or any(ROOT.glob(f"src/**/{pattern}"))):
            missing.append(path)
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    missing += [link for link in links if not (ROOT / document).parent.joinpath(link).exists()]
    assert (named or links) and missing == []


@pytest.mark.parametrize("cores", ["--cores", "-c"])
def test_the_command_snakemake_of_the_environment_takes_cores_without_a_number(cores, tmp_path):
    """It is ours, engines/snakemake_command.py: Snakemake's own refuses that."""
    (tmp_path / "Snakefile").write_text("rule one:\n    output: 'one'\n    shell: 'touch {output}'\n")
    line = [Path(sys.executable).parent / "snakemake", cores, "-n"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "rule one:" in done.stdout + done.stderr, done.stderr


def test_the_command_dvc_of_the_environment_is_ours(tmp_path):
    """Which reads params.yaml once (engines/dvc_command.py): the last installed of two scripts of one name stays."""
    script = Path(sys.executable).parent / "dvc"
    assert "postproof.engines.dvc_command" in script.read_text()
    done = subprocess.run([script, "status"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "not inside of a DVC repository" in done.stderr  # DVC's words and exit code


def test_the_table_of_the_readme_is_the_one_of_the_verdicts():
    text = (ROOT / "README.md").read_text()
    records = [record for path in sorted(ROOT.glob("results/*/claims.json")) for record in show.read(path)]
    assert readme.filled_in(text, records) == text, "run `make readme`"


def test_every_surprising_verdict_says_why():
    for path in ROOT.glob("results/*/claims.json"):
        for record in show.counted(show.read(path)):
            if record["verdict"] == "does not hold":
                assert record["note"] or record["nearest"], record["id"]
            if record["verdict"] == "holds if":
                assert record["condition"], record["id"]
            if record["verdict"] == "not checked":
                assert record["needs"], record["id"]
            if record["verdict"] == "not reproduced":
                assert record["differs"], record["id"]
