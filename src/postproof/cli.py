"""The command line, and the one place where an error becomes a message and an exit code.

A command is a module of this package with `add_arguments(parser)` and `main(args)`; its name is its dotted
path: `python -m postproof mixtral.train_race ...`. What people type goes by a short name: `postproof plan` is
`engines.plan`, and RUNNERS has two more. Commands are found, not registered.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import importlib.util
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from postproof.core import environment, errors, exact
from postproof.core.errors import EngineError, PostproofError, UsageError
from postproof.core.progress import add_to_log, say

PACKAGE = Path(__file__).parent
SOURCE = "src/postproof"  # of a checkout
ENGINES = "engines"  # the package whose commands go by their last name
RUNNERS = {"measure": "measuring.runner", "bench": "benchmarks.runner"}


class Parser(argparse.ArgumentParser):
    """argparse's, but what is wrong with a line is an error of ours, with message, exit code and line in the log."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, usage=" ".join(self.format_usage().split()[1:]), remedy=f"`{self.prog} --help`")


def commands() -> dict[str, str]:
    """Name and first docstring line of every command, without importing any."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        names |= {ast.unparse(target) for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}
        if {"add_arguments", "main"} <= names:
            full = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
            short = {runner: name for name, runner in RUNNERS.items()}
            found[short.get(full, full.removeprefix(f"{ENGINES}."))] = (ast.get_docstring(tree) or "").split("\n")[0]
    return found


def parse(argv: list[str]) -> argparse.Namespace:
    """Global options, the command's name, and the rest of the line for the command itself."""
    parser = Parser(
        prog="postproof",
        usage="postproof [--mode exact|fast] [--log FILE] COMMAND ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mode", choices=["exact", "fast"], default="exact", help="same bytes everywhere, or speed")
    parser.add_argument("--log", type=Path, help="file that takes progress lines and, on failure, one JSON line")
    parser.add_argument("command", metavar="COMMAND", help="`COMMAND --help` lists its options")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    if not argv or argv[0] in ("-h", "--help"):
        listing = commands()
        width = max(map(len, listing))
        rows = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in listing.items())
        parser.epilog = f"commands:\n{rows}"
    return parser.parse_args(argv or ["--help"])


def load(name: str):
    """Imports the command's module.

    Raises UsageError for a name that is no command.
    """
    for full in (f"postproof.{RUNNERS.get(name, name)}", f"postproof.{ENGINES}.{name}"):
        try:
            is_there = importlib.util.find_spec(full) is not None
        except (ImportError, ValueError):
            is_there = False
        if is_there:
            module = importlib.import_module(full)
            if hasattr(module, "add_arguments") and hasattr(module, "main"):
                return module
    known = commands()
    near = difflib.get_close_matches(name, known, n=1)
    did_you_mean = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"no command '{name}'", remedy=f"{did_you_mean}`postproof --help` lists them")


def run(name: str, arguments: list[str], mode: str, log: Path | None, made_of: str | None = None) -> int:
    """Runs one command in this process; returns its exit code. `made_of` is the job's key, where an engine runs it.

    Raises UsageError for a name that is no command, and what the command raises.
    """
    if mode == "exact":
        exact.pin()
    module = load(name)
    parser = Parser(prog=f"postproof {name}", description=module.__doc__)
    module.add_arguments(parser)
    args = parser.parse_args(arguments)
    args.mode, args.log, args.made_of = mode, log, made_of
    return module.main(args) or 0


def use_own_code(arguments: list[str]) -> None:
    """In a checkout, starts this Python anew where it runs other code than the checkout's own, or under other settings.

    An environment has one checkout's code installed. In a worktree or a copy it would run that checkout's code on this
    one's params, and record what came out as made by the code here.
    """
    here = Path(SOURCE).resolve()
    if not here.is_dir():
        return
    environment.check_folder(Path.cwd())
    environment.give_home(Path.cwd())
    start_anew = environment.settle()
    if here == PACKAGE.resolve() and not start_anew:
        return
    paths = [str(here.parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    own = here == PACKAGE.resolve()
    if not own and os.environ.get("POSTPROOF_CODE") == str(here):  # it did not help: PYTHONPATH is not read
        raise EngineError("another checkout's code would run here", here=here, running=PACKAGE,
                          remedy="set up this checkout's own environment: `make setup`")  # fmt: skip
    with_own_code = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "POSTPROOF_CODE": str(here)}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *arguments], with_own_code)


def use_own_code_or_exit(arguments: list[str]) -> None:
    """The same; an error ends this process with its message and exit code."""
    try:
        use_own_code(arguments)
    except PostproofError as error:
        sys.exit(report(error, log=None))


def report(error: BaseException, log: Path | None) -> int:
    """Prints the short message, appends the JSON line to the job's log, returns the exit code."""
    error = errors.of_ours(error)
    record = errors.record(error)
    if isinstance(error, PostproofError):
        say(f"postproof: {error.family} error: {error}")
    else:
        say(f"{record['exception.stacktrace']}postproof: this is a bug in postproof, not in what it was given")
    add_record(log, record)
    return record["exit_code"]


def add_record(log: Path | None, record: dict[str, Any]) -> None:
    """Adds one line of JSON to a job's log, if it has one that can be written, with the time in UTC."""
    add_to_log(log, json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds")} | record))


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns 0, or the exit code of the family of errors that stopped it."""
    log = None
    try:
        options = parse(sys.argv[1:] if argv is None else argv)
        log = options.log
        if argv is None:
            use_own_code(["-m", "postproof", *sys.argv[1:]])
        code = run(options.command, options.arguments, options.mode, log)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output (`| head`) has gone; Python would complain once more when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        say("postproof: interrupted")
        return 130
    except Exception as error:
        return report(error, log)
