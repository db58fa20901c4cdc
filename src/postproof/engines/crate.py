"""Describe the results as an RO-Crate, and the software in CodeMeta's terms, for who archives or collects them.

    ro-crate-metadata.json   RO-Crate 1.3: the files that jobs read and made, a CreateAction per job, a Claim and a
                             ClaimReview per claim of the posts
    codemeta.json            CodeMeta 3.0: the software, from CITATION.cff and pyproject.toml

Both are made from what is here (`make crate`, and by `make record`) and are the same bytes where nothing changed: no
date but that of the release in CITATION.cff. Files that are in Git are data entities of the crate. What is in DVC's
cache alone is not in a clone, so it is named with its hashes, and is no data entity.
"""

from __future__ import annotations

import importlib.metadata
import mimetypes
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from postproof.claims import show
from postproof.core import files
from postproof.core.errors import EngineError
from postproof.engines import codegraph, dag, inventory

if TYPE_CHECKING:
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

CRATE, CODEMETA = Path("ro-crate-metadata.json"), Path("codemeta.json")
CITATION, PROJECT = Path("CITATION.cff"), Path("pyproject.toml")
WORKFLOW = "Snakefile"
TYPES = {".safetensors": "application/octet-stream", ".yaml": "application/yaml", ".md": "text/markdown",
         ".gguf": "application/octet-stream", ".whl": "application/zip", ".js": "text/javascript"}  # fmt: skip


def add_arguments(parser) -> None:
    pass


def main(args) -> None:
    write(Path.cwd(), dag.jobs(Path.cwd()))


def write(root: Path, jobs: Iterable[dag.Job]) -> None:
    """Raises EngineError when a file that a job reads or makes is not there."""
    files.write_json(root / CRATE, Crate(root, jobs).document())
    files.write_json(root / CODEMETA, codemeta(root))


class Crate:
    """The graph, entity by entity: the library keeps ids, references and the descriptor right."""

    def __init__(self, root: Path, jobs: Iterable[dag.Job]):
        from rocrate.rocrate import ROCrate

        self.root = root
        # What Git has, and what it would take.
        self.in_git = set(_git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"))
        self.crate: ROCrate = ROCrate(version="1.3")
        self.known: dict[str, ContextEntity] = {}
        citation = cited(root)
        [author] = citation["authors"]
        self.author = self.entity("#authors", "Organization", name=author["name"])
        self.crate.root_dataset["license"] = self.entity(
            "https://spdx.org/licenses/MIT", "CreativeWork", name=f"{citation['license']} licence",
            description="permission to use, change and pass on, with the notice of copyright")  # fmt: skip
        self.crate.root_dataset["name"] = citation["title"]
        self.crate.root_dataset["description"] = " ".join(citation["abstract"].split())
        self.crate.root_dataset["datePublished"] = str(citation["date-released"])
        self.crate.root_dataset["author"] = self.crate.root_dataset["publisher"] = self.author
        self.crate.mainEntity = self.workflow()
        for job in sorted(jobs, key=lambda job: job.outputs):
            self.job(job)
        for post in inventory.posts(root):
            self.post(post)

    def document(self) -> dict[str, Any]:
        return self.crate.metadata.generate()

    def entity(self, identifier: str, kind: str, /, **properties: Any) -> ContextEntity:
        from rocrate.model import ContextEntity

        if identifier not in self.known:
            self.known[identifier] = self.crate.add(ContextEntity(self.crate, identifier, properties={"@type": kind}))
            for key, value in properties.items():
                self.known[identifier][key] = value
        return self.known[identifier]

    def workflow(self) -> ContextEntity:
        version = importlib.metadata.version("snakemake")
        language = self.language("Snakemake", "https://snakemake.readthedocs.io", version)
        kinds = ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
        return self.file(WORKFLOW, kinds, name="postproof's Snakefile", programmingLanguage=language)

    def language(self, name: str, url: str, version: str) -> ContextEntity:
        return self.entity(f"#{name.lower()}", "ComputerLanguage", name=name, url=url, version=version)

    def file(self, path: str, kind: str | list[str] = "File", **properties: Any) -> ContextEntity:
        """A file as a data entity, if Git has it; else what it is, by name and hashes."""
        if path in self.known:
            return self.known[path]
        here = self.root / path
        if not here.is_file():
            raise EngineError("a file of a job is not there", file=path, remedy="run `snakemake --cores`")
        about = {"sha256": files.sha256(here), "contentSize": str(here.stat().st_size), "encodingFormat": _type(here)}
        if path in self.in_git:
            self.known[path] = self.crate.add_file(here, dest_path=path, properties={"@type": kind} | about)
            for key, value in properties.items():
                self.known[path][key] = value
            return self.known[path]
        note = "in the DVC cache by this md5; `dvc pull` or `snakemake --cores` puts it there"
        md5 = {"@type": "PropertyValue", "propertyID": "md5", "value": files.md5(here)}
        known = self.entity(f"#file/{path}", "CreativeWork", name=path, description=note, **about)
        known["identifier"] = self.entity(f"#md5/{md5['value']}", "PropertyValue", propertyID="md5", value=md5["value"])
        self.known[path] = known
        return known

    def job(self, job: dag.Job) -> None:
        """A CreateAction: by the command's module, of its inputs, with the params that it was handed."""
        if not job.command:
            return
        name = "-".join([job.rule.name, *job.wildcards.values()])
        python = self.language("Python", "https://www.python.org", project(self.root)["requires-python"])
        module, kinds = _module(job.command[0]), ["File", "SoftwareSourceCode"]
        code = self.file(module, kinds, name=job.command[0], programmingLanguage=python)
        params = [self.entity(f"#param/{name}/{key}", "PropertyValue", name=key, value=value)
                  for key, value in sorted(job.params)]  # fmt: skip
        action = self.entity(f"#job/{name}", "CreateAction", name=name, instrument=code, agent=self.author)
        action["object"] = [*(self.file(path) for path in sorted(job.inputs)), *params]
        action["result"] = [self.file(path) for path in job.outputs]
        self.crate.root_dataset.append_to("mentions", action)

    def post(self, post: str) -> None:
        """A Claim for each claim of the post, and its verdict as a ClaimReview."""
        records = show.counted(show.read(self.root / f"results/{post}/claims.json"))
        title = yaml.load((self.root / f"claims/{post}.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)["title"]
        article = self.entity(f"#post/{post}", "Article", name=title)
        page = self.file(f"results/{post}/README.md")
        for record in records:
            claim = self.entity(f"#claim/{record['id']}", "Claim", name=record["id"], text=record["statement"])
            claim["appearance"] = article
            rating = show.rating(record)
            verdict = rating["alternateName"]
            rated = self.entity(f"#verdict/{verdict.replace(' ', '-')}", "Rating", **rating)
            review = self.entity(f"#review/{record['id']}", "ClaimReview", name=f"{record['id']}: {verdict}",
                                 claimReviewed=record["statement"], itemReviewed=claim, author=self.author,
                                 reviewRating=rated, reviewAspect=f"the post says {show.said(record)}",
                                 reviewBody=body(record), isPartOf=page)  # fmt: skip
            tables = [path for path in sorted(record.get("stages") or {}) if (self.root / path).is_file()]
            if tables:
                review["isBasedOn"] = [self.file(path) for path in tables]
            self.crate.root_dataset.append_to("mentions", review)


def cited(root: Path) -> dict[str, Any]:
    """CITATION.cff. Raises EngineError when it cannot be read."""
    try:
        return yaml.safe_load((root / CITATION).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise EngineError("cannot read how to cite this", file=CITATION, remedy="`git checkout` it") from error


def project(root: Path) -> dict[str, Any]:
    """The project's table in pyproject.toml."""
    return tomllib.loads((root / PROJECT).read_text(encoding="utf-8"))["project"]


def body(record: Mapping[str, Any]) -> str:
    """What we get, and why that is the verdict."""
    got = show.got(record)
    return "; ".join(filter(None, (got and f"we get {got}", show.because(record), record.get("note"))))


def codemeta(root: Path) -> dict[str, Any]:
    """The software's description, derived from the two files in which its parts stand."""
    citation = cited(root)
    about = project(root)
    return {
        "@context": "https://w3id.org/codemeta/3.0",
        "@type": "SoftwareSourceCode",
        "name": about["name"],
        "description": " ".join(citation["abstract"].split()),
        "version": about["version"],
        "license": f"https://spdx.org/licenses/{about['license']}",
        "author": [{"@type": "Organization", "name": author["name"]} for author in citation["authors"]],
        "dateModified": str(citation["date-released"]),
        "keywords": citation["keywords"],
        "programmingLanguage": "Python",
        "runtimePlatform": f"Python {about['requires-python']}",
        "softwareRequirements": sorted(about["dependencies"]),
    }


def _module(command: str) -> str:
    return f"src/{codegraph.PACKAGE}/{command.replace('.', '/')}.py"


def _type(path: Path) -> str:
    return TYPES.get(path.suffix) or mimetypes.types_map.get(path.suffix) or "application/octet-stream"


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError("Git cannot say which files it has", remedy="run it in a clone") from error
