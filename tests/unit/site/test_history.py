"""What Git says of claims and charts, and what a page tells of it."""

import subprocess

import pytest

from postproof.core.errors import ArtefactError, EngineError
from postproof.engines import history as of_git
from postproof.site import history

CLAIMS = """
values:
  width: {{param: a.width}}
claims:
  - {{id: one, where: Here, statement: {statement}, posted: {posted}, got: {got}, rule: {rule}}}
  - {{id: two, where: Here, statement: S, posted: 3, needs: a card}}
"""
PLAIN = {"statement": "A", "posted": "25.30", "got": "width", "rule": "exact"}


@pytest.fixture
def repository(tmp_path):
    """Commits a version of the claims of one post, and of the verdict on `one`; None leaves a file as it is."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", tmp_path], check=True)
    for name, value in (("user.name", "A"), ("user.email", "a@b.example")):
        subprocess.run(["git", "-C", tmp_path, "config", name, value], check=True)
    (tmp_path / "claims").mkdir()
    (tmp_path / "results/p/figures").mkdir(parents=True)

    def commit(claims: dict | None = None, verdict: str | None = None, chart: str | None = None) -> str:
        if claims is not None:
            (tmp_path / "claims/p.yaml").write_text(CLAIMS.format(**(PLAIN | claims)))
        if verdict is not None:
            (tmp_path / "results/p/claims.json").write_text(f'[{{"id": "one", "verdict": "{verdict}"}}]')
        if chart is not None:
            (tmp_path / "results/p/figures/c.svg").write_text(chart)
        subprocess.run(["git", "-C", tmp_path, "add", "--all"], check=True)
        subprocess.run(["git", "-C", tmp_path, "commit", "--quiet", "--message=m"], check=True)
        return of_git.named(tmp_path, "HEAD")[: of_git.COMMIT_DIGITS]

    commit.root = tmp_path
    return commit


def claimed(commit) -> history.Claimed:
    return of_git.claims(list(of_git.looks(commit.root, "HEAD", "p")))[0]


def test_a_rule_that_was_there_before_its_verdict_and_stays_is_fixed_before_it(repository):
    rule = repository(claims={})
    verdict = repository(verdict="holds")
    repository(claims={"statement": "In better words"})
    found = claimed(repository)
    assert (found.rule_fixed, found.rule_commit, found.verdict_commit) == (history.BEFORE, rule, verdict)


def test_a_rule_that_comes_with_its_verdict_is_fixed_with_it(repository):
    repository(claims={}, verdict="holds")
    assert claimed(repository).rule_fixed == history.WITH


@pytest.mark.parametrize("change", [{"posted": "25.3"}, {"got": "2 * width"}, {"rule": "rounded"}])
def test_what_decides_a_claim_and_is_changed_later_counts_as_changed_with_the_verdict_until_then(repository, change):
    repository(claims={}, verdict="does not hold")
    later = repository(claims=change, verdict="holds")
    found = claimed(repository)
    assert (found.rule_fixed, found.rule_commit, found.before) == (history.AFTER, later, "does not hold")
    assert "does not hold" in history.fixed(found)


def test_a_value_that_an_expression_names_decides_with_it(repository):
    text = CLAIMS.format(**PLAIN)
    one, two = history.digests(text), history.digests(text.replace("a.width", "a.height"))
    assert one["one"] != two["one"] and one["two"] == two["two"]


def test_a_claim_without_a_verdict_says_so_and_one_that_left_is_not_listed(repository):
    repository(claims={})
    found = of_git.claims(list(of_git.looks(repository.root, "HEAD", "p")))
    assert [each.id for each in found] == ["one", "two"] and found[0].rule_fixed == history.NEVER
    assert not found[0].verdict_commit


def test_of_what_is_newer_than_the_record_no_commit_is_told(repository):
    repository(claims={}, verdict="holds")
    found = claimed(repository)
    assert found.rule_commit in history.told(found, found.digest, "holds")[0]
    assert "newer" in history.told(found, "0" * 16, "holds")[0]
    assert "newer" in history.told(found, found.digest, "does not hold")[1]
    assert "newer" in history.told(None, found.digest, "holds")[0]


def test_a_chart_is_dated_by_its_last_change(repository):
    repository(claims={}, chart="old")
    drawn = repository(chart="new")
    repository(verdict="holds")
    found = of_git.drawn(repository.root, "HEAD", "results/p/figures/c.svg")
    assert (found.name, found.commit) == ("c", drawn)


def test_the_record_is_read_as_it_was_written_and_another_file_is_refused(repository, tmp_path):
    repository(claims={}, verdict="holds", chart="c")
    made = of_git.tables(repository.root, of_git.named(repository.root, "HEAD"))
    path = tmp_path / "claims.csv"
    path.write_text(made[of_git.FOLDER / "p" / history.CLAIMS])
    assert history.read(path, history.Claimed)["one"] == claimed(repository)
    path.write_text("id,commit\none,abc\n")
    with pytest.raises(ArtefactError, match="history"):
        history.read(path, history.Claimed)


def test_a_clone_of_the_last_commits_alone_is_refused(repository, tmp_path):
    repository(claims={})
    repository(verdict="holds")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{repository.root}", shallow], check=True)
    with pytest.raises(EngineError, match="last commits"):
        of_git.whole(shallow)
