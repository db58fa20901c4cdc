"""The RO-Crate says what the jobs read and made and what came of the claims, and is valid by a checker of others."""

import json
import subprocess
import tomllib
from importlib.resources import files as resources
from pathlib import Path

import pytest

from postproof.core import files
from workflow_helpers import ROOT, Checkout

CHECKERS = ROOT / ".venv/checkers/bin"
VALIDATE = ROOT / "tests/helpers/validate_crate.py"
NO_CHECKERS = "the checkers' environment is not here: `make .venv/checkers/ready`"


@pytest.fixture(scope="module")
def described(built, tmp_path_factory) -> Checkout:
    checkout = built.copy(tmp_path_factory.mktemp("crate") / "toy")
    checkout.postproof("crate")
    return checkout


@pytest.fixture(scope="module")
def graph(described) -> dict[str, dict]:
    """The entities by id."""
    entities = json.loads((described.path / "ro-crate-metadata.json").read_text())["@graph"]
    assert len({entity["@id"] for entity in entities}) == len(entities)
    return {entity["@id"]: entity for entity in entities}


def of_type(graph, kind: str) -> list[dict]:
    return [entity for entity in graph.values() if kind in ([entity["@type"]] if isinstance(entity["@type"], str)
            else entity["@type"])]  # fmt: skip


def ids(value) -> list[str]:
    return [each["@id"] for each in (value if isinstance(value, list) else [value])]


def test_every_output_is_the_result_of_an_action_and_every_hash_is_that_of_the_file(described, graph):
    actions = of_type(graph, "CreateAction")
    results = [name for action in actions for name in ids(action["result"])]
    assert len(results) == len(set(results))
    made = {graph[name].get("name", name) for name in results} | set(results)
    assert {path for path in described.artefacts() if path.startswith(("results/", "data/prepared/"))} <= made
    hashed = [entity for entity in graph.values() if "sha256" in entity]
    assert len(hashed) > len(results)
    for entity in hashed:
        path = described.path / (entity["@id"] if not entity["@id"].startswith("#") else entity["name"])
        assert entity["sha256"] == files.sha256(path) and entity["contentSize"] == str(path.stat().st_size)


def test_what_an_action_used_is_there_and_made_by_an_action_before_it_or_by_nobody(graph):
    for action in of_type(graph, "CreateAction"):
        assert all(name in graph for name in [*ids(action["object"]), *ids(action["instrument"])])
        assert not set(ids(action["object"])) & set(ids(action["result"]))


def test_every_claim_has_its_verdict_as_a_review_and_a_number_only_where_it_is_plain(described, graph):
    records = json.loads((described.path / "results/toy/claims.json").read_text())
    for record in records:
        review = graph[f"#review/{record['id']}"]
        assert graph[review["itemReviewed"]["@id"]]["text"] == record["statement"] == review["claimReviewed"]
        rating = graph[review["reviewRating"]["@id"]]
        assert rating["name"] == record["verdict"]
        assert rating.get("ratingValue") == {"holds": 5, "does not hold": 1}.get(record["verdict"])
    assert len(of_type(graph, "ClaimReview")) == len(records) > 0


def test_nothing_changed_gives_the_same_bytes(described):
    before = {name: (described.path / name).read_bytes() for name in ("ro-crate-metadata.json", "codemeta.json")}
    described.postproof("crate")
    assert before == {name: (described.path / name).read_bytes() for name in before}


def test_no_file_of_the_cache_is_a_data_entity(described, graph):
    named = set(ids(graph["./"]["hasPart"]))
    assert named and all((described.path / name).is_file() for name in named)
    ignored = described.run("git", "check-ignore", "--", *sorted(named), check=False).stdout.split()
    assert ignored == []


def test_the_citation_has_the_project_s_version_and_licence():
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


@pytest.mark.slow
@pytest.mark.skipif(not (CHECKERS / "python").exists(), reason=NO_CHECKERS)
def test_the_crate_is_valid_and_a_broken_one_is_not(described, tmp_path):
    context = resources("rocrate") / "data/ro-crate.jsonld"

    def report() -> dict:
        line = [CHECKERS / "python", VALIDATE, described.path, context, tmp_path / "cache", tmp_path / "report.json"]
        subprocess.run(list(map(str, line)), capture_output=True)
        return json.loads((tmp_path / "report.json").read_text())

    crate: Path = described.path / "ro-crate-metadata.json"
    whole = crate.read_bytes()
    found = report()
    assert found["passed"] and not found["issues"], found["issues"]
    # A validator that could not read the context, say, skips nearly all checks and calls that a pass.
    assert found["statistics"]["total_passed_checks"] > found["statistics"]["total_checks"] // 2
    crate.write_bytes(whole.replace(b'"datePublished"', b'"date"'))
    assert not report()["passed"]
    crate.write_bytes(whole)


@pytest.mark.slow
@pytest.mark.skipif(not (CHECKERS / "cffconvert").exists(), reason=NO_CHECKERS)
def test_the_citation_is_valid():
    done = subprocess.run([CHECKERS / "cffconvert", "--validate", "-i", ROOT / "CITATION.cff"], capture_output=True)
    assert done.returncode == 0, done.stderr
