"""A small copy of the whole repository, built once: the real entry points with tiny numbers."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from postproof import exact, files

ROOT = Path(__file__).parents[2]

TINY = {
    "mixtral.corpus": {"characters": 4000},
    "mixtral.model": dict(d_model=16, heads=2, layers=3, sequence=16, dense_ffn=32, experts=8, expert_ffn=4),
    "mixtral.race": {"seeds": [7, 8]},
    # Three dense steps or five of the MoE, with three checkpoints.
    "mixtral.race.training": dict(batch=4, budget_flops=1.0e7, checkpoint_flops=3.5e6, val_batches=2),
    "mixtral.router_balance": {"seeds": [11]},
    "mixtral.router_balance.training": dict(batch=4, steps=4, checkpoint_steps=1, val_batches=2),
    "mixtral.telemetry": {"window_tokens": 64},
    "mixtral.isoflop": {"seeds": [7, 8], "widths": [16]},
    "mixtral.isoflop.training": dict(batch=4, budgets_flops=[5.0e6, 1.0e7]),
    "mixtral.full": {"seeds": [7, 8], "widths": [16, 32], "characters": 5000},
    "mixtral.full.training": dict(batch=4, budgets_flops=[5.0e6, 1.0e7]),
    "llama2.held_texts": {"characters": 60, "page": "data/texts/sentence.txt"},
    "attention.attention_check": {"shapes": [[1, 2, 5, 5, 4]], "seeds": [0], "posted_seeds": [0, 1, 2]},
    "attention.softmax_scaling": {"rows": 20, "keys": 8},
    "attention.head_runs": {"positions": 16, "example_sentence": 1},
    "attention.heads": {"bootstrap_draws": 20, "local_above": 0.6, "copy_below": 0.8, "broad_above": 1.5},
}
LARGE_BYTES = 10_000_000  # the weights of a pretrained model


class Checkout:
    """A checkout of the project somewhere, with the engines and commands run in it as a user runs them."""

    def __init__(self, path: Path):
        self.path = path

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        """`python -m ...` of this Python in the checkout, with the checkout's own source. Not pinned from outside."""
        inherited = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
        inherited |= {
            "PYTHONPATH": str(self.path / "src"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(command, cwd=self.path, env=inherited | environment, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} gave {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        return self.run("git", *identity, *arguments).stdout

    def snakemake(self, *arguments: str, cores: int = 2, **environment: str) -> str:
        done = self.run("snakemake", "--cores", str(cores), *arguments, **environment)
        return done.stdout + done.stderr

    def dvc(self, *arguments: str) -> str:
        return self.run("dvc", *arguments).stdout

    def postproof(self, *arguments: str) -> str:
        return self.run("python", "-m", "postproof", *arguments).stdout

    def make(self, target: str) -> str:
        """A target of the Makefile, with the environment that runs the tests in place of a .venv."""
        return self.run("make", "--assume-old=setup", "--assume-old=.venv/ready", target).stdout

    def plan(self) -> dict[str, set[str]]:
        """First outputs of the jobs that each engine would run."""
        done = self.run("python", "-m", "postproof", "plan", "--json", check=False)
        assert done.returncode in (0, 1), done.stderr
        return {engine: set(jobs) for engine, jobs in yaml.safe_load(done.stdout).items()}

    def set_params(self, changes: dict[str, dict]) -> None:
        params = yaml.safe_load((self.path / "params.yaml").read_text())
        for key, values in changes.items():
            section = params
            for part in key.split("."):
                section = section[part]
            section |= values
        (self.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def append(self, file: str, text: str) -> None:
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            stream.write(text)

    def artefacts(self) -> dict[str, str]:
        """The hash of every file below data/ and results/ by path."""
        found = [*self.files("data"), *self.files("results")]
        return {str(file.relative_to(self.path)): files.sha256(file) for file in found}

    def files(self, folder: str) -> list[Path]:
        return [file for file in sorted((self.path / folder).rglob("*")) if file.is_file()]

    def copy(self, target: Path) -> "Checkout":
        """The checkout as it stands, caches and engine states included. Large files are linked: none is changed."""

        def copy(source: str, destination: str) -> None:
            (os.link if os.path.getsize(source) > LARGE_BYTES else shutil.copy2)(source, destination)

        return Checkout(Path(shutil.copytree(self.path, target, symlinks=True, copy_function=copy)))

    def clone(self, target: Path) -> "Checkout":
        """A bare clone of the last commit."""
        self.git("clone", "--quiet", str(self.path), str(target))
        return Checkout(target)


def jobs_started(output: str) -> list[str]:
    """The rules that a run of Snakemake started."""
    return [rule for rule in re.findall(r"^(?:local)?rule (\w+):", output, re.MULTILINE) if rule != "all"]


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Checkout:
    """The working tree with tiny params: built by Snakemake, recorded by DVC, committed. Not to be changed: copy it."""
    checkout = Checkout(tmp_path_factory.mktemp("built") / "postproof")
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listing.stdout.splitlines():
        # The artefacts of the full-size runs and their lock are not those of the tiny ones.
        if not name.startswith("results/") and name != "dvc.lock" and (ROOT / name).is_file():
            (checkout.path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout.path / name)
    checkout.set_params(TINY)
    sentence = "The clock on the wall had stopped."
    checkout.append("data/texts/sentence.txt", f"{sentence}\n")
    (checkout.path / "data/texts/sentences.csv").write_text(f"kind,sentence\nshort,{sentence}\nshort,She went out.\n")
    checkout.git("init", "--quiet", "--initial-branch=main")
    checkout.snakemake()
    checkout.make("record")
    checkout.git("add", "--all")
    checkout.git("commit", "--quiet", "--message=tiny")
    return checkout


@pytest.fixture
def checkout(built, tmp_path) -> Checkout:
    """A copy of the built checkout, free to change."""
    return built.copy(tmp_path / "postproof")
