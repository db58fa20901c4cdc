"""Which code counts for a command: what it runs, all of it, and as little else as may be."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from faults_helpers import LINES
from postproof.core.errors import EngineError
from postproof.engines import codegraph, dag

ROOT = Path(__file__).parents[3]
ARGUMENTS = "def add_arguments(parser):\n    pass\n\n\n"
CHOICE = re.compile(r"«(.*?)\|(.*?)»", re.DOTALL)


def laid(root: Path, sources: dict[str, str], version: int = 1) -> Path:
    """A tree with these files; of each «one|other» in them, the version's."""
    packages = {f"src/postproof/{name}__init__.py": "" for name in ("", "post/")}
    for name, text in (packages | sources).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CHOICE.sub(rf"\{version}", text))
    return root


def versions(root: Path, job: str, **others: str) -> tuple[str, str]:
    """The listing of the command post.job before and after a change. `others`: modules beside it, or schemas."""
    sources = {
        f"src/postproof/{name}.py": text for name, text in ({"post/job": f"{job}\n\n{ARGUMENTS}"} | others).items()
    }
    first, second = (
        codegraph.Sources.read(laid(root / str(version), sources, version)).listing("post.job") for version in (1, 2)
    )
    return first, second


def names(listing: str) -> dict[str, list[str]]:
    """What counts of each file, by its path below src/postproof."""
    lines = [line.split("  ") for line in listing.splitlines() if not line.startswith("#")]
    return {line[1].removeprefix("src/postproof/"): " ".join(line[2:]).split() for line in lines}


def main(body: str, imports: str = "from postproof.post import other") -> str:
    return f"{imports}\n\n\ndef main(args):\n    {body}\n"


LOOKS_ONLY = {
    "comment": "def main(args):\n    return 1«|  # one»\n",
    "docstring of a function": 'def main(args):\n    """«One|Two»."""\n    return 1\n',
    "docstring that comes": 'def main(args):\n    «|"""One."""\n    »return 1\n',
    "docstring of a nested function": 'def main(args):\n    def one():\n        """«One|Two»."""\n    return one\n',
    "docstrings of a class": 'class A:\n    """«1|2»."""\n\n    def f(self):\n        """«3|4»."""\n\n\n'
    "def main(args):\n    return A()\n",
    "line breaks": "def main(args):\n    return max(1,« |\n        »2)\n",
    "parentheses": "def main(args):\n    return «1 + 2|(1 + 2)»\n",
    "quotes": "def main(args):\n    return «'a'|\"a\"»\n",
    "spaces in an f-string": "def main(args):\n    return f'{«args|  args » :>3}'\n",
    "a long text broken": "def main(args):\n    return «'ab'|('a'\n        'b')»\n",
    "trailing comma of a decorator": "import functools\n\n\n@functools.lru_cache(«8|\n    8,\n»)\ndef main(args):\n"
    "    return 1\n",
    "where it stands": "«|\n\n\n»def main(args):\n    return 1\n",
    "a number's spelling": "def main(args):\n    return «1000|1_000»\n",
}
MATTERS = {
    "constant": "def main(args):\n    return «1|2»\n",
    "type of a constant": "def main(args):\n    return «1|1.0»\n",
    "sign of zero": "def main(args):\n    return «0.0|-0.0»\n",
    "operator": "def main(args):\n    return args «+|-» 1\n",
    "comparison": "def main(args):\n    return args «<|<=» 1\n",
    "default": "def main(args, one=«1|2»):\n    return one\n",
    "order of keywords": "def main(args):\n    return dict(«a=1, b=2|b=2, a=1»)\n",
    "name": "def main(args):\n    return args.«one|two»\n",
    "text that is no docstring": "def main(args):\n    text = '«one|two»'\n    return text\n",
    "text of an f-string": "def main(args):\n    return f'«one|two» {args}'\n",
    "format in an f-string": "def main(args):\n    return f'{args:.«3|4»f}'\n",
    "conversion in an f-string": "def main(args):\n    return f'{args«|!r»}'\n",
    "argument of a decorator": "import functools\n\n\n@functools.lru_cache(«8|9»)\ndef main(args):\n    return 1\n",
    "nested function": "def main(args):\n    def one():\n        return «1|2»\n\n    return one()\n",
    "order of statements": "def main(args):\n    «a = 1\n    b = 2|b = 2\n    a = 1»\n    return a, b\n",
    "nesting": "def main(args):\n    if args:\n        a = 1\n«        |    »b = 2\n",
}


@pytest.mark.parametrize("job", LOOKS_ONLY.values(), ids=LOOKS_ONLY)
def test_how_code_looks_does_not_count(tmp_path, job):
    first, second = versions(tmp_path, job)
    assert first == second


@pytest.mark.parametrize("job", MATTERS.values(), ids=MATTERS)
def test_what_code_does_counts(tmp_path, job):
    first, second = versions(tmp_path, job)
    assert first != second


USED = "def used():\n    return «1|2»\n"
REACHED = {
    "a function": (main("return other.used()"), {"post/other": USED}),
    "a function by its own name": (
        main("return used()", "from postproof.post.other import used"),
        {"post/other": USED},
    ),
    "a function by another name": (
        main("return f()", "from postproof.post.other import used as f"),
        {"post/other": USED},
    ),
    "a function of a module by its path": (
        main("return postproof.post.other.used()", "import postproof.post.other"),
        {"post/other": USED},
    ),
    "a function of a module by another name": (
        main("return c.used()", "import postproof.post.other as c"),
        {"post/other": USED},
    ),
    "a relative import": (main("return other.used()", "from . import other"), {"post/other": USED}),
    "a relative import of a name": (main("return used()", "from .other import used"), {"post/other": USED}),
    "a relative import from above": (main("return used()", "from ..core.other import used"), {"core/other": USED}),
    "a relative import in a package": (
        main("return used()", "from postproof.post.below import used"),
        {"post/below/__init__": "from .other import used\n", "post/below/other": USED},
    ),
    "a name handed on by a package": (
        main("return used()", "from postproof.below import used"),
        {"below/__init__": "from postproof.below.other import used\n", "below/other": USED},
    ),
    "a name handed on twice": (
        main("return other.used()"),
        {"post/other": "from postproof.post.third import used\n", "post/third": USED},
    ),
    "an import in a function": (
        main("from postproof.post import other\n\n    return other.used()", ""),
        {"post/other": USED},
    ),
    "an import in a method": (
        "class A:\n    def f(self):\n        from postproof.post.other import used\n        return used()\n\n\n"
        + main("return A().f()", ""),
        {"post/other": USED},
    ),
    "a function of a function": (
        main("return other.outer()"),
        {"post/other": f"def outer():\n    return used()\n\n\n{USED}"},
    ),
    "a function that is handed on": (main("return map(other.used, args)"), {"post/other": USED}),
    "a class": (main("return other.A()"), {"post/other": "class A:\n    def f(self):\n        return «1|2»\n"}),
    "a base class": (
        main("return other.A()"),
        {"post/other": "class B:\n    n = «1|2»\n\n\nclass A(B):\n    pass\n"},
    ),
    "a type that a class names": (
        main("return other.A()"),
        {"post/other": "N = «int|str»\n\n\nclass A:\n    n: N\n"},
    ),
    "a constant": (main("return other.N"), {"post/other": "N = «1|2»\n"}),
    "a constant of a constant": (main("return other.N"), {"post/other": "M = «1|2»\nN = M + 1\n"}),
    "a constant with a type": (main("return other.N"), {"post/other": "N: int = «1|2»\n"}),
    "one of two constants at once": (main("return other.N"), {"post/other": "M, N = «1|2», 3\n"}),
    "a default": (main("return other.f()"), {"post/other": "N = «1|2»\n\n\ndef f(n=N):\n    return n\n"}),
    "what is put into a mapping": (main("return other.X"), {"post/other": 'X = {}\nX["a"] = «1|2»\n'}),
    "what is put into a mapping of a mapping": (
        main("return other.X"),
        {"post/other": 'X = {"a": {}}\nX["a"]["b"] = «1|2»\n'},
    ),
    "what is added to a list": (main("return other.X"), {"post/other": "X = []\nX += [«1|2»]\n"}),
    "an attribute that is set": (
        main("return other.A()"),
        {"post/other": "class A:\n    pass\n\n\nA.n = «1|2»\n"},
    ),
    "what an import does": (main("return other.N"), {"post/other": "import os\n\nN = 1\nos.umask(«1|2»)\n"}),
    "what an import of a package on the way does": (
        main("return N", "from postproof.below.other import N"),
        {"below/__init__": "import os\n\nos.umask(«1|2»)\n", "below/other": "N = 1\n"},
    ),
    "what an import in a loop does": (
        main("return other.X"),
        {"post/other": "X = []\nfor n in range(«1|2»):\n    X.append(n)\n"},
    ),
    "a decorator of ours": (
        main("return other.used()"),
        {
            "post/other": "def mark(f):\n    return «f|None»\n\n\n@mark\ndef used():\n    return 1\n",
        },
    ),
    "what a decorator of ours registers": (
        main("return other.ALL"),
        {
            "post/other": "ALL = []\n\n\ndef add(f):\n    ALL.append(f)\n    return f\n\n\n"
            "@add\ndef found():\n    return «1|2»\n",
        },
    ),
    "a module that is a value": (
        main("return vars(other)"),
        {"post/other": "def found():\n    return «1|2»\n"},
    ),
    "a module in a list": (
        "from postproof.post import other\n\nALL = [other]\n\n\ndef main(args):\n    return [m.f() for m in ALL]\n",
        {"post/other": "def f():\n    return «1|2»\n"},
    ),
    "what a module that is a value imports": (
        main("return vars(other)"),
        {"post/other": "from postproof.post.third import used\n", "post/third": USED},
    ),
    "a name that nothing defines": (main("return other.nowhere"), {"post/other": "def f():\n    return «1|2»\n"}),
    "a module that makes its names": (
        main("return other.made"),
        {"post/other": "def __getattr__(name):\n    return «1|2»\n"},
    ),
    "which library a name is of": (main("return f(1)", "from math import «sin|cos» as f"), {}),
    "what the starter does": (main("return 1"), {"cli": "def run():\n    return «1|2»\n"}),
    "a function that has an import of its own name": (
        main("return other.used()"),
        {"post/other": f"from math import sin as used\n\n\n{USED}"},
    ),
    "two modules by their paths": (
        main("return postproof.post.other.used()", "import postproof.post.other\nimport postproof.post.third"),
        {"post/other": USED, "post/third": ""},
    ),
    "an import that may fail": (
        "try:\n    from postproof.post.other import used\nexcept ImportError:\n    used = None\n\n\n"
        "def main(args):\n    return used()\n",
        {"post/other": USED},
    ),
    "what is put into a mapping of another module": (
        main("return third.X", "from postproof.post import other, third"),
        {"post/other": 'from postproof.post.third import X\n\nX["a"] = «1|2»\n', "post/third": "X = {}\n"},
    ),
    "what an import that is not used does": (
        main("return 1"),
        {"post/other": "import os\n\nos.umask(«1|2»)\n"},
    ),
}
NOT_REACHED = {
    "a function beside it": (
        main("return other.used()"),
        {"post/other": "def used():\n    return 1\n\n\ndef unused():\n    return «1|2»\n"},
    ),
    "a function beside it, by the module's other name": (
        main("return c.used()", "import postproof.post.other as c"),
        {"post/other": "def used():\n    return 1\n\n\ndef unused():\n    return «1|2»\n"},
    ),
    "what a function beside it uses": (
        main("return other.used()"),
        {
            "post/other": "from postproof.post import third\n\n\ndef used():\n    return 1\n\n\n"
            "def unused():\n    return third.used()\n",
            "post/third": USED,
        },
    ),
    "a name that a package hands on": (
        main("return used()", "from postproof.below import used"),
        {
            "below/__init__": "from postproof.below.other import unused, used\n",
            "below/other": "def used():\n    return 1\n\n\ndef unused():\n    return «1|2»\n",
        },
    ),
    "a class beside it": (
        main("return other.used()"),
        {"post/other": "def used():\n    return 1\n\n\nclass A:\n    n = «1|2»\n"},
    ),
    "a constant beside it": (main("return other.N"), {"post/other": "N = 1\nM = «1|2»\n"}),
    "a class that a library's decorator makes": (
        main("return other.N"),
        {"post/other": "import dataclasses\n\nN = 1\n\n\n@dataclasses.dataclass\nclass A:\n    n: int = «1|2»\n"},
    ),
    "an import for type checkers": (
        "from __future__ import annotations\n\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n"
        "    from postproof.post.other import used\n\n\ndef main(args: used):\n    return 1\n",
        {"post/other": USED},
    ),
    "an import that is not used": (main("return 1"), {"post/other": USED}),
    "what libraries are imported and not used": (main("return 1", "import math«|, os»"), {}),
    "a docstring of a module": ('"""«One|Two»."""\n\n' + main("return 1"), {"post/other": '"""«One|Two»."""\n'}),
    "another command": (
        main("return 1"),
        {"post/other": f"{ARGUMENTS}def main(args):\n    return «1|2»\n"},
    ),
}


@pytest.mark.parametrize("job, others", REACHED.values(), ids=REACHED)
def test_what_a_command_reaches_counts(tmp_path, job, others):
    first, second = versions(tmp_path, job, **others)
    assert first != second


@pytest.mark.parametrize("job, others", NOT_REACHED.values(), ids=NOT_REACHED)
def test_what_a_command_does_not_reach_does_not_count(tmp_path, job, others):
    first, second = versions(tmp_path, job, **others)
    assert first == second


def test_a_listing_names_files_and_what_counts_of_them(tmp_path):
    listing, _ = versions(tmp_path, main("return other.used()"), **{"post/other": f"N = 1\n\n\n{USED}"})
    assert names(listing) == {"post/job.py": ["main", "add_arguments"], "post/other.py": ["used"]}
    assert codegraph.modules_in(listing) == ["src/postproof/post/job.py", "src/postproof/post/other.py"]


def test_the_same_text_in_two_packages_means_what_it_means_in_each(tmp_path):
    relative = "from .other import used\n"
    job = ARGUMENTS + main(
        "return a.used() + b.used()", "from postproof.a import part as a\nfrom postproof.b import part as b"
    )
    sources = {
        "post/job": job,
        "a/part": relative,
        "b/part": relative,
        "a/other": USED,
        "b/other": "def used():\n    pass\n",
    }
    laid(tmp_path, {f"src/postproof/{name}.py": text for name, text in sources.items()})
    first, again = (codegraph.Sources.read(tmp_path).listing("post.job") for _ in range(2))
    assert first == again, "with and without what the first reading kept"
    assert {"a/other.py", "b/other.py"} <= names(first).keys()


def test_where_the_checkout_lies_does_not_count(tmp_path):
    job = main("return other.used()", "from . import other")
    first, second = (
        versions(tmp_path / folder, job, **{"post/other": USED})[0] for folder in ("checkout", "postproof")
    )
    assert first == second and "post/other.py" in names(second)


COLUMN = "# A row.\nstep:\n  unit: steps\n  description: steps done\n  at_least: 1\n"


def schema_versions(root: Path, text: str, job: str = 'return "post/walk"') -> tuple[str, str]:
    sources = {"src/postproof/post/job.py": ARGUMENTS + main(job, ""), "workflow/schemas/tables/post/walk.yaml": text}
    first, second = (
        codegraph.Sources.read(laid(root / str(version), sources, version)).listing("post.job") for version in (1, 2)
    )
    return first, second


@pytest.mark.parametrize(
    "old, new",
    [
        ("A row", "One row"),
        ("steps done", "steps that are done"),
        ("  unit", "  # How many.\n  unit"),
        ("steps done", '"steps done"'),
    ],
)
def test_descriptions_and_comments_of_a_schema_do_not_count(tmp_path, old, new):
    first, second = schema_versions(tmp_path, COLUMN.replace(old, f"«{old}|{new}»", 1))
    assert first == second and "workflow/schemas/tables/post/walk.yaml" in names(first)


@pytest.mark.parametrize(
    "old, new",
    [("at_least: 1", "at_least: 0"), ("step:", "steps:"), ("unit: steps", "unit: tokens"), ("  at_least: 1\n", "")],
)
def test_the_columns_of_a_schema_count(tmp_path, old, new):
    first, second = schema_versions(tmp_path, COLUMN.replace(old, f"«{old}|{new}»", 1))
    assert first != second


def test_the_order_of_columns_counts(tmp_path):
    other = COLUMN.replace("step:", "other:")
    first, second = schema_versions(tmp_path, f"«{COLUMN}{other}|{other}{COLUMN}»")
    assert first != second


def test_a_schema_that_the_command_does_not_name_does_not_count(tmp_path):
    first, second = schema_versions(tmp_path, COLUMN.replace("1", "«1|2»"), 'return "post/run"')
    assert first == second and "workflow/schemas/tables/post/walk.yaml" not in names(first)


@pytest.mark.parametrize("text", ["step: [", "- step\n", "step: 3\n", ""])
def test_a_schema_that_cannot_be_read_is_an_error_that_names_it(tmp_path, text):
    with pytest.raises(EngineError, match="walk.yaml"):
        schema_versions(tmp_path, text)


@pytest.mark.parametrize("text, line", [("def main(:\n", 1), ("N = 1\n\nN = = 2\n", 3), ("N = '\n", 1)])
def test_a_source_that_cannot_be_read_is_an_error_that_names_file_and_line(tmp_path, text, line):
    with pytest.raises(EngineError) as caught:
        versions(tmp_path, main("return 1"), **{"post/other": text})
    assert caught.value.context["file"].name == "other.py" and caught.value.context["line"] == line


@pytest.mark.parametrize("source", [b"N = '\xff'\n", b"N = 1\0\n"])
def test_a_source_that_is_no_text_is_an_error_that_names_it(tmp_path, source):
    laid(tmp_path, {"src/postproof/post/job.py": ARGUMENTS + main("return 1")})
    (tmp_path / "src/postproof/post/other.py").write_bytes(source)
    with pytest.raises(EngineError, match="other.py"):
        codegraph.Sources.read(tmp_path)


def test_a_command_that_is_not_there_has_no_listing(tmp_path):
    laid(tmp_path, {"src/postproof/post/job.py": ARGUMENTS + main("return 1"), "src/postproof/post/other.py": USED})
    sources = codegraph.Sources.read(tmp_path)
    assert sources.commands == ["post.job"]
    with pytest.raises(ValueError, match="post.other"):
        sources.listing("post.other")


@pytest.mark.parametrize(
    "cache", ["", "{", "[]", '{"format": "0"}', json.dumps({"format": codegraph.FORMAT, "modules": 1})]
)
def test_a_cache_that_cannot_be_used_is_made_anew(tmp_path, cache):
    laid(tmp_path, {"src/postproof/post/job.py": ARGUMENTS + main("return 1"), str(codegraph.CACHE): cache})
    listing = codegraph.Sources.read(tmp_path).listing("post.job")
    assert codegraph.Sources.read(tmp_path).listing("post.job") == listing
    assert json.loads((tmp_path / codegraph.CACHE).read_text())["modules"]


def test_files_are_written_when_they_change_and_go_with_their_command(tmp_path):
    laid(tmp_path, {f"src/postproof/post/{name}.py": ARGUMENTS + main("return 1", "") for name in ("job", "old")})
    codegraph.refresh(tmp_path, codegraph.Sources.read(tmp_path))
    folder = tmp_path / codegraph.FOLDER
    assert sorted(path.name for path in folder.iterdir()) == ["post.job.txt", "post.old.txt"]
    before = (folder / "post.job.txt").stat().st_mtime_ns
    (tmp_path / "src/postproof/post/old.py").unlink()
    codegraph.refresh(tmp_path, codegraph.Sources.read(tmp_path))
    assert [path.name for path in folder.iterdir()] == ["post.job.txt"]
    assert (folder / "post.job.txt").stat().st_mtime_ns == before


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    laid(tmp_path, {"src/postproof/post/job.py": ARGUMENTS + main("return 1", "")})
    being_written = tmp_path / codegraph.FOLDER / f".post.job.txt.tmp{os.getppid()}.txt"
    being_written.parent.mkdir(parents=True)
    being_written.write_text("half of")
    codegraph.refresh(tmp_path, codegraph.Sources.read(tmp_path))
    assert being_written.exists()


# The independent check: real jobs run under a profiler, and all functions of ours that run have to be listed.
TRACED = """
import json, sys
import matplotlib.pyplot, pandas, scipy.stats, torch

package, lines, out = sys.argv[1:]
ran, seen, others = {}, {}, {}


def inside(code, start=package):
    return code.co_filename.startswith(start)


def profile(frame, event, _):
    code = frame.f_code
    if event != "call" or id(code) in others or id(code) in seen:
        return
    if not code.co_flags & 1 or not inside(code):  # bodies of modules and classes have not the flag of optimised code
        others[id(code)] = code
        return
    caller = frame.f_back
    while caller is not None:  # what a module calls while it is imported is not what the command uses
        if caller.f_code.co_name == "<module>" and inside(caller.f_code):
            return
        caller = caller.f_back
    seen[id(code)] = code


sys.setprofile(profile)
from postproof import cli

for line in json.loads(lines):
    seen.clear()
    assert cli.run(line[0], line[1:], "exact", None, made_of="0") == 0, line
    ran.setdefault(line[0], []).extend((code.co_filename, code.co_firstlineno) for code in seen.values())
sys.setprofile(None)
with open(out, "w") as file:
    json.dump(ran, file)
"""
# Jobs that read committed files alone, as the rules start them; then the tiny ones of the tests of failures.
REAL = {
    "mixtral.worked_token", "mixtral.figures.latency_by_length", "llama2.rope_angles", "llama2.kv_max_batch",
    "attention.attention_weights", "claims.judge", "published.public_models", "errors.hierarchy",
    "errors.error_propagation",
}  # fmt: skip
TINY = ("prepare_corpus", "train_dense", "train_moe", "race_metrics")


def top_level(file: str) -> list[tuple[range, list[str]]]:
    """The lines of each top-level statement of a module, and the names that it defines."""
    found = []
    for node in ast.parse(Path(file).read_text(encoding="utf-8")).body:
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
        targets = [node] if hasattr(node, "name") else [each for each in ast.walk(node) if isinstance(each, ast.Name)]
        own = [getattr(each, "name", None) or each.id for each in targets]
        found.append((range(first, node.end_lineno + 1), own))
    return found


def defined(ran: list[list]) -> dict[str, set[str]]:
    """By file below src/postproof, names of what ran; a statement without a function's name gives its first name."""
    found: dict[str, set[str]] = {}
    for file, line in ran:
        [own] = [own for lines, own in top_level(file) if line in lines]
        found.setdefault(str(Path(file).relative_to(ROOT / "src/postproof")), set()).add(own[0])
    return found


def lines_of_jobs(folder: Path) -> list[list[str]]:
    """A command line for each of REAL, with outputs in `folder`."""
    lines = {}
    for job in dag.jobs(ROOT):
        if job.command and job.command[0] in REAL:
            there = {word: str(ROOT / word) for word in job.inputs}
            there |= {word: str(folder / Path(word).name) for word in job.outputs}
            lines[job.command[0]] = [there.get(word, word) for word in job.command]
    return list(lines.values())


def test_what_real_jobs_run_is_all_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    lines = lines_of_jobs(tmp_path)
    assert {line[0] for line in lines} == REAL
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/plays.txt").write_text("To be, or not to be, that is the question.\n" * 60)
    script = [sys.executable, "-c", TRACED, str(ROOT / "src/postproof"), json.dumps([*lines, *map(LINES.get, TINY)])]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([*script, "ran.json"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sources = codegraph.Sources.read(ROOT)
    for command, ran in json.loads((tmp_path / "ran.json").read_text()).items():
        listed, executed = names(sources.listing(command)), defined(ran)
        assert "main" in executed[f"{command.replace('.', '/')}.py"], "the profiler sees what runs"
        missed = {file: here - set(listed.get(file, ())) for file, here in executed.items()}
        assert not {file: here for file, here in missed.items() if here}, command


@pytest.mark.parametrize("python", ["python3.12", "python3.13", "python3.14"])
def test_listings_are_the_same_under_other_versions_of_python(tmp_path, python):
    there = shutil.which(python)
    if not there or subprocess.run([there, "-V"], capture_output=True).returncode:
        pytest.skip(f"no {python}")
    (tmp_path / "yaml").symlink_to(Path(yaml.__file__).parent)
    commands = ["attention.figures.sinusoidal_encoding", "mixtral.train_race", "claims.judge"]
    script = f"""
import yaml
yaml.CSafeLoader = yaml.SafeLoader  # the compiled one is of another version
from pathlib import Path
from postproof.engines import codegraph
sources = codegraph.Sources.read(Path("tree"))
print("".join(map(sources.listing, {commands!r})), end="")
"""
    for folder in ("src", "workflow/schemas"):
        shutil.copytree(
            ROOT / folder, tmp_path / "tree" / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"}
    done = subprocess.run([there, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sources = codegraph.Sources.read(ROOT)
    assert done.stdout == "".join(map(sources.listing, commands))
