"""docs/new-experiment.md, followed in a project without posts: what is laid runs at once, is judged and is recorded."""

import re

import pytest

from workflow_helpers import NOTHING, ROOT, Checkout, copied, without_posts

GUIDE = (ROOT / "docs/new-experiment.md").read_text()
PARAMS = "# Every number that decides a result stands here once.\n\nmode: exact\ndevice: cpu\n"
MOST_WIRING = 35  # lines of an experiment besides its job, chart, schema and test


def listed(post: str, stem: str) -> list[str]:
    """The files of the guide's table, in its order."""
    rows = re.findall(r"^\| \d+ \| `([^`]+)`", GUIDE, re.MULTILINE)
    return [row.replace("{post}", post).replace("{stem}", stem) for row in rows]


def contents(checkout: Checkout) -> dict[str, str]:
    """The text of each file that Git would take."""
    listing = checkout.git("ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    return {name: (checkout.path / name).read_text() for name in listing if (checkout.path / name).is_file()}


def added(before: str, after: str) -> list[str]:
    """The lines that were put in. Fails when a line of what was there is gone."""
    rest = iter(after.splitlines())
    new = []
    for line in before.splitlines():
        for other in rest:
            if other == line:
                break
            new.append(other)
        else:
            raise AssertionError(f"gone: {line}")
    return [*new, *rest]


def style(checkout: Checkout) -> None:
    paths = [str(file) for file in checkout.files(".") if file.suffix == ".py" and "coin" in file.parts]
    checkout.run("ruff", "check", *paths)
    checkout.run("ruff", "format", "--check", *paths)
    checkout.run("snakefmt", "--check", "workflow/rules/coin.smk")


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Checkout:
    """The project without posts, committed. Not to be changed: copy it."""
    checkout = without_posts(tmp_path_factory.mktemp("bare") / "project")
    wanted = [f"workflow/skeleton/{path.name}" for path in (ROOT / "workflow/skeleton").iterdir()]
    copied([*wanted, "pyproject.toml", "tests/conftest.py", "tests/helpers/reliability.py"], checkout.path)
    (checkout.path / "params.yaml").write_text(PARAMS)
    (checkout.path / "claims").mkdir(exist_ok=True)
    checkout.commit("project")
    return checkout


@pytest.fixture(scope="module")
def coin(bare, tmp_path_factory) -> Checkout:
    """The same with a post of one experiment, not built. Not to be changed: copy it."""
    checkout = bare.copy(tmp_path_factory.mktemp("coin") / "project")
    checkout.postproof("new", "post", "coin", "--title", 'Coins: fair and "unfair"')
    checkout.commit("post")
    return checkout


def test_a_post_and_an_experiment_run_at_once_and_are_recorded(coin, tmp_path):
    checkout = coin.copy(tmp_path / "project")
    before = contents(checkout)
    checkout.postproof("new", "experiment", "coin", "flip")
    after = contents(checkout)
    style(checkout)

    # What an experiment costs: the files that the guide lists, and few lines in those of the post.
    assert len(listed("coin", "flip")) == 7
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {*listed("coin", "flip"), "workflow/rules/coin.smk"} and before.keys() <= after.keys()
    wiring = [line for name in changed & before.keys() for line in added(before[name], after[name])]
    assert 0 < len(wiring) <= MOST_WIRING

    checkout.commit("experiment")
    checkout.snakemake()
    shown = checkout.postproof("claims.show", "--ids", "results/coin/claims.json")
    assert "coin_example_mean" in shown and "flip_mean" in shown
    assert (checkout.path / "results/coin/figures/flip.png").is_file()
    assert "2 passed" in checkout.run("pytest", "tests/unit/coin/test_flip.py", "-q", "-p", "no:cacheprovider").stdout
    checkout.make("deps")
    checkout.commit("results")
    checkout.make("record")
    assert checkout.plan() == NOTHING
    checkout.commit("record")
    assert checkout.git("status", "--porcelain") == ""


def refused(checkout: Checkout, *arguments: str) -> str:
    done = checkout.run("python", "-m", "postproof", "new", *arguments, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr


NOT_NAMES = ["Coin", "1coin", "co-in", "coin flip", "", "../coin", "_coin", "münze"]
# Of Python, of the parts of a post, and of the classes that its settings import.
NOT_STEMS = [
    "class",
    "settings",
    "looks",
    "figures",
    "measuring",
    "params",
    "count",
    "seeds",
    "all",
    "chart",
    "verdicts",
]
# Packages and modules of ours, rule files, keys of params.yaml, and what Python has.
NOT_POSTS = "core data charts claims engines cli common mode device import".split()


def test_names_that_cannot_be_used_are_refused_and_leave_every_file_as_it_was(coin, tmp_path):
    checkout = coin.copy(tmp_path / "project")
    before = contents(checkout)
    for name in NOT_NAMES:
        assert "not a name" in refused(checkout, "post", name, "--experiment", "flip")
        assert "not a name" in refused(checkout, "experiment", "coin", name)
    assert "there is such a post" in refused(checkout, "post", "coin")
    assert "there is no such post" in refused(checkout, "experiment", "dice", "flip")
    assert "there is such a file" in refused(checkout, "experiment", "coin", "coin_example")
    assert "there is a rule" in refused(checkout, "post", "dice", "--experiment", "shakespeare_text")
    assert contents(checkout) == before


@pytest.mark.parametrize("name", NOT_STEMS)
def test_a_stem_that_something_of_ours_has_is_refused(coin, tmp_path, name):
    checkout = coin.copy(tmp_path / "project")
    before = contents(checkout)
    refused(checkout, "experiment", "coin", name)
    assert contents(checkout) == before


@pytest.mark.parametrize("name", NOT_POSTS)
def test_a_post_that_something_of_ours_is_called_is_refused(bare, tmp_path, name):
    checkout = bare.copy(tmp_path / "project")
    before = contents(checkout)
    refused(checkout, "post", name, "--experiment", "flip")
    assert contents(checkout) == before


IMPORTED = {
    "neither": "from postproof.core.settings import Settings, Text",
    "one": "from postproof.core.settings import Count, Settings, Text, items",
    "both": "from postproof.core.settings import Count, Seeds, Settings, Text",
    "in lines": "from postproof.core.settings import (\n    Flops,\n    Settings,\n    Text,\n)",
}


@pytest.mark.parametrize("imported", IMPORTED.values(), ids=IMPORTED)
def test_settings_that_import_other_names_stay_in_style(coin, tmp_path, imported):
    checkout = coin.copy(tmp_path / "project")
    settings = f'"""Settings."""\n\n{imported}\n\n\nclass Params(Settings):\n    name: Text\n'
    (checkout.path / "src/postproof/coin/settings.py").write_text(settings)
    checkout.postproof("new", "experiment", "coin", "flip")
    checkout.run("ruff", "check", "--ignore=F401", "src/postproof/coin/settings.py")

    checkout.run("ruff", "format", "--check", "src/postproof/coin/settings.py")
    checkout.run("python", "-c", "from postproof.coin.settings import Flip, Params")
