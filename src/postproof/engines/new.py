"""Lay the skeleton of a new post or experiment that runs at once.

    postproof new post NAME
    postproof new experiment POST NAME

An experiment is a table, a chart and a claim. Its skeleton, workflow/skeleton, draws random numbers and follows their
mean; docs/new-experiment.md says what to put in their place. Of what is there nothing is changed but by lines put in:
params.yaml, the post's settings, rules and claims.

All texts are noted before the first is written: where that was cut short, the next `postproof new` ends it.
"""

from __future__ import annotations

import ast
import keyword
import re
import string
from collections.abc import Mapping
from pathlib import Path

from postproof.core import files
from postproof.core.errors import EngineError, UsageError
from postproof.engines import inventory, params

SKELETON = Path("workflow/skeleton")
NOTED = Path(".postproof/new.json")  # what is being laid: the names, and the text of each file by path
OF_A_POST = ("settings", "looks", "figures", "measuring")  # modules and packages of every post


def add_arguments(parser) -> None:
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="post|experiment")
    post = kinds.add_parser("post", help="a post with one experiment")
    post.add_argument("post", metavar="NAME", help="small letters, digits, _")
    post.add_argument("--title", help="of the post; default: its name")
    post.add_argument("--experiment", help="name of its first experiment; default: NAME_example")
    experiment = kinds.add_parser("experiment", help="a table, a chart and a claim in a post")
    experiment.add_argument("post", metavar="POST")
    experiment.add_argument("experiment", metavar="NAME", help="small letters, digits, _; also the name of its rule")


def main(args) -> None:
    """Raises UsageError when a name cannot be used, before anything is written."""
    root = Path.cwd()
    name = f"{args.post}_example" if args.experiment is None else args.experiment
    for text in (args.post, name):
        if not inventory.NAME.fullmatch(text) or keyword.iskeyword(text):
            allowed = f"{inventory.NAMES}, and no word of Python"
            raise UsageError("not a name", value=text, allowed=allowed)
    wanted = [args.kind, args.post, name]
    if finish(root) == wanted:
        return
    known = inventory.posts(root)
    if (args.kind == "post") == (args.post in known):
        there = "there is such a post" if args.post in known else "there is no such post"
        raise UsageError(there, value=args.post, allowed=", ".join(known) or "`postproof new post NAME` first")
    check_free(root, args.post, name, new_post=args.kind == "post")
    texts = texts_of_post(root, args.post, args.title or args.post) if args.kind == "post" else {}
    texts |= texts_of_experiment(root, args.post, name, texts)
    files.write_json(root / NOTED, {"wanted": wanted, "texts": texts})
    finish(root)


def finish(root: Path) -> list[str] | None:
    """Writes what is noted; the kind and the names that it is of, None where nothing is."""
    if not (root / NOTED).exists():
        return None
    noted = files.read_json(root / NOTED)
    for path, text in noted["texts"].items():
        files.write_text(root / path, text)
    (root / NOTED).unlink()
    print("\n".join(["laid:", *(f"  {path}" for path in noted["texts"])]))
    print("then: snakemake --cores; make deps record   (docs/new-experiment.md)")
    return noted["wanted"]


def check_free(root: Path, post: str, name: str, new_post: bool) -> None:
    """Raises UsageError when a file, rule, class or section of this name is there, or it has a use in every post."""
    package = f"src/postproof/{post}"
    paths = [*own_files(post, name), f"{package}/{name}"]
    paths += [package, f"{package}.py", f"workflow/rules/{post}.smk"] if new_post else []
    paths += [path.relative_to(root) for path in root.glob(f"tests/unit/*/test_{name}.py")]  # pytest's
    for path in paths:
        if (root / path).exists():
            raise UsageError("there is such a file", file=path, remedy="choose another name")
    for rules in [root / "Snakefile", *sorted((root / "workflow/rules").glob("[!.]*.smk"))]:
        if re.search(rf"^rule {name}:", rules.read_text(encoding="utf-8"), re.MULTILINE):
            raise UsageError("there is a rule of this name", file=rules.relative_to(root), remedy="choose another name")
    sections = params.load(root / "params.yaml")
    if post in sections if new_post else name in (sections.get(post) or {}):
        raise UsageError("there is such a key", file="params.yaml", key=post if new_post else f"{post}.{name}",
                         remedy="choose another name")  # fmt: skip
    settings = root / SKELETON / "settings.py.txt" if new_post else root / package / "settings.py"
    if name in OF_A_POST or re.search(rf"\b({camel(name)})\b", settings.read_text(encoding="utf-8")):
        raise UsageError("the name has a use in a post", value=name, remedy="choose another name")


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def own_files(post: str, name: str) -> dict[str, str]:
    """The files of an experiment that are its own, with the part of the skeleton that is laid there."""
    return {
        f"src/postproof/{post}/{name}.py": "job.py",
        f"src/postproof/{post}/figures/{name}.py": "chart.py",
        f"workflow/schemas/tables/{post}/{name}.yaml": "schema.yaml",
        f"tests/unit/{post}/test_{name}.py": "test.py",
    }


def part(root: Path, of: str, **words: str) -> str:
    """A part of the skeleton with the words filled in."""
    text = (root / SKELETON / f"{of}.txt").read_text(encoding="utf-8")
    text = string.Template(text).substitute(words)
    # Our own imports stand in the alphabet's order, and a post's name comes before or after `core`.
    ours = re.compile(r"(?:^from postproof\..*\n)+", re.MULTILINE)
    return ours.sub(lambda block: "".join(sorted(block[0].splitlines(True))), text)


def texts_of_post(root: Path, post: str, title: str) -> dict[str, str]:
    """What a post has before its first experiment, by path. Its claims come last: they make it a post."""
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    return {
        f"src/postproof/{post}/__init__.py": "",
        f"src/postproof/{post}/figures/__init__.py": "",
        f"src/postproof/{post}/settings.py": part(root, "settings.py", post=post),
        f"workflow/rules/{post}.smk": part(root, "rules.smk", post=post, title=title),
        "params.yaml": (root / "params.yaml").read_text(encoding="utf-8").rstrip("\n") + f"\n\n{post}:\n",
        f"claims/{post}.yaml": part(root, "claims.yaml", post=post, title=quoted),
    }


def texts_of_experiment(root: Path, post: str, name: str, new: Mapping[str, str]) -> dict[str, str]:
    """The experiment's own files, and those of the post with its lines put in. `new`: texts of a post not yet laid."""
    words = {"post": post, "name": name, "camel": camel(name)}
    laid = {path: part(root, of, **words) for path, of in own_files(post, name).items()}
    settings_class, evidence, claim = (
        part(root, of, **words) for of in ("settings_class.py", "evidence.yaml", "claim.yaml")
    )
    changes = {
        "params.yaml": lambda text: into_section(text, post, part(root, "params.yaml", **words)),
        f"src/postproof/{post}/settings.py": lambda text: into_settings(
            text, settings_class, f"{name}: {words['camel']}"
        ),
        f"workflow/rules/{post}.smk": lambda text: f"{text.rstrip()}\n\n\n{part(root, 'rule.smk', **words)}",
        f"claims/{post}.yaml": lambda text: into_claims(text, evidence, claim),
    }
    changed = {
        path: change(new[path] if path in new else (root / path).read_text(encoding="utf-8"))
        for path, change in changes.items()
    }
    return laid | changed


def into_section(text: str, post: str, lines: str) -> str:
    """params.yaml with the lines at the end of the post's section.

    Raises EngineError when it has no such section.
    """
    match = re.search(rf"^{post}:.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    if match is None:
        raise EngineError("there is no section of the post", file="params.yaml", key=post, remedy=f"add `{post}:`")
    section, rest = match[0].rstrip(), text[match.end() :]
    between = "\n" if section.endswith(f"{post}:") else "\n\n"
    return text[: match.start()] + section + between + lines + ("\n" if rest else "") + rest


def into_settings(text: str, new_class: str, field: str) -> str:
    """The post's settings with a class before `Params`, and a field of it at the end of the fields of `Params`.

    Raises EngineError when there is no such class.
    """
    params = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == "Params"]
    if not params:
        raise EngineError("there is no class Params", file="settings.py", remedy="add it: core/settings.py says how")
    last = [node for node in params[0].body if isinstance(node, ast.AnnAssign | ast.Expr)][-1]
    lines = text.splitlines(keepends=True)
    lines.insert(last.end_lineno, ("\n" if isinstance(last, ast.Expr) else "") + f"    {field}\n")
    lines.insert(params[0].lineno - 1, f"{new_class}\n\n")
    return with_imports("".join(lines), "Count", "Seeds")


def with_imports(text: str, *names: str) -> str:
    """The settings with these names imported from core/settings.py, in ruff's order.

    Raises EngineError when nothing is imported from there.
    """
    module = "postproof.core.settings"
    found = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom) and node.module == module]
    if not found:
        raise EngineError(f"nothing is imported from {module}", file="settings.py", remedy="add it")
    [node, *_] = found
    known = {alias.name for alias in node.names}
    if known.issuperset(names):
        return text
    ordered = sorted(known | set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    line = f"from {module} import {', '.join(ordered)}\n"
    if len(line) > 121:
        line = "".join([f"from {module} import (\n", *(f"    {name},\n" for name in ordered), ")\n"])
    lines = text.splitlines(keepends=True)
    lines[node.lineno - 1 : node.end_lineno] = [line]
    return "".join(lines)


def into_claims(text: str, evidence: str, claim: str) -> str:
    """The post's claims with a table's kind of evidence, and a claim before the findings, if there are any.

    Raises EngineError when the file has no `evidence:` or `claims:`.
    """
    for line in ("evidence:\n", "claims:\n"):
        if f"\n{line}" not in text:
            raise EngineError(f"there is no line `{line.strip()}`", file="claims",
                              remedy="write it as docs/claims.md shows")  # fmt: skip
    before, found, after = text.partition("\nevidence:\n")
    text = f"{before}{found}{evidence}{after}"
    claims, findings, rest = text.partition("\nfindings:\n")
    claims = claims.rstrip("\n")
    between = "\n" if claims.endswith("claims:") else "\n\n"
    return f"{claims}{between}{claim}{findings}{rest}"
