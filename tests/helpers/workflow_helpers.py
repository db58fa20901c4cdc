"""Checkouts of the project for tests, small ones: with the engines and commands run in them as a user runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from postproof.core import exact, files

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests/workflow/toy"
LARGE_BYTES = 10_000_000  # the weights of a pretrained model
# What the engines need of the project, without its posts: the toy post takes their place.
SHARED = ("Snakefile", "Makefile", "CITATION.cff", "pyproject.toml", ".dvcignore", ".gitignore", ".gitattributes",
          ".dvc/config", "profiles", "workflow/report", "data/requirements",
          *(f"workflow/rules/{name}.smk" for name in ("common", "data", "charts", "claims", "site")))  # fmt: skip
PACKAGES = ("core", "data", "charts", "claims", "engines", "interactive", "site")
NOTHING = {"snakemake": set(), "dvc": set()}
AS_BEFORE = "as made before, nothing to compute"


def both(jobs: Iterable[str]) -> dict[str, set[str]]:
    """The plans of both engines, if they name these jobs by their first outputs."""
    return {"snakemake": set(jobs), "dvc": set(jobs)}


class Checkout:
    """A checkout of the project somewhere."""

    def __init__(self, path: Path):
        self.path = path

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        """A command in the checkout, with the checkout's own source. Not pinned from outside."""
        process = self.start(*command, **environment)
        stdout, stderr = process.communicate(timeout=580)  # a test's own limit is shorter, or is this
        if check and process.returncode != 0:
            raise AssertionError(f"{' '.join(command)} gave {process.returncode}\n{stdout}\n{stderr}")
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        inherited = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
        inherited |= {
            "PYTHONPATH": str(self.path / "src"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=inherited | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        return self.run("git", *identity, *arguments).stdout

    def snakemake(self, *arguments: str, cores: int = 2, **environment: str) -> str:
        done = self.run("snakemake", "--cores", str(cores), "--printshellcmds", *arguments, **environment)
        return done.stdout + done.stderr

    def dvc(self, *arguments: str) -> str:
        return self.run("dvc", *arguments).stdout

    def postproof(self, *arguments: str) -> str:
        return self.run("python", "-m", "postproof", *arguments).stdout

    def refused(self, *arguments: str) -> str:
        """The message of a command of ours that has to fail as an engine error."""
        done = self.run("python", "-m", "postproof", *arguments, check=False)
        assert done.returncode == 16, done.stdout + done.stderr
        return done.stderr

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

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.path / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def artefacts(self) -> dict[str, str]:
        """The hash of every file below data/ and results/ by path."""
        found = [*self.files("data"), *self.files("results")]
        return {str(file.relative_to(self.path)): files.sha256(file) for file in found}

    def files(self, folder: str) -> list[Path]:
        return [file for file in sorted((self.path / folder).rglob("*")) if file.is_file()]

    def copy(self, target: Path) -> Checkout:
        """The checkout as it stands, caches and engine states included. Large files are linked: none is changed."""

        def copy(source: str, destination: str) -> None:
            (os.link if os.path.getsize(source) > LARGE_BYTES else shutil.copy2)(source, destination)

        return Checkout(Path(shutil.copytree(self.path, target, symlinks=True, copy_function=copy)))

    def clone(self, target: Path) -> Checkout:
        """A bare clone of the last commit."""
        self.git("clone", "--quiet", str(self.path), str(target))
        return Checkout(target)

    def commit(self, message: str) -> None:
        if not (self.path / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")


def tracked(without: tuple[str, ...] = ()) -> list[str]:
    """The files of the working tree that Git tracks, and new ones that it does not ignore."""
    git = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(git, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listing if (ROOT / name).is_file() and not name.startswith(without)]


def copied(names: Iterable[str], target: Path, source: Path = ROOT) -> Path:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)
    return target


def without_posts(target: Path) -> Checkout:
    """The project's engines and shared rules in a folder of their own, without a post."""
    wanted = (*SHARED, *(f"src/postproof/{package}/" for package in PACKAGES))
    names = [name for name in tracked() if name.startswith(wanted) or re.fullmatch(r"src/postproof/\w+\.py", name)]
    return Checkout(copied(names, target))


def toy_project(target: Path) -> Checkout:
    """The same with a post of three jobs: tests/workflow/toy."""
    checkout = without_posts(target)
    prefix = f"{TOY.relative_to(ROOT)}/"
    copied([name.removeprefix(prefix) for name in tracked() if name.startswith(prefix)], target, TOY)
    return checkout


def built_toy(target: Path) -> Checkout:
    """The toy, built by Snakemake, recorded by DVC, committed."""
    checkout = toy_project(target)
    checkout.commit("sources")
    checkout.snakemake()
    checkout.make("deps")
    checkout.make("record")
    checkout.commit("toy")
    return checkout


def computed(output: str) -> list[str]:
    """Commands that jobs of a run of Snakemake really ran: what was restored says so."""
    lines = re.findall(r"-- ([\w.]+) --", output)  # of --printshellcmds
    # Anywhere in a line: unbuffered, Snakemake writes a line and its end apart, and a job's may fall between.
    for restored in re.findall(rf"postproof: ([\w.]+): {AS_BEFORE}", output):
        lines.remove(restored)
    return sorted(lines)
