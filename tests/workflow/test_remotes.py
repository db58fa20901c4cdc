"""DVC remotes, behind real servers: a reader gets what was pushed, or a clear error, and loses nothing."""

import contextlib
import http.server
import os
import shutil
import subprocess
import sysconfig
import time
import venv
from pathlib import Path

import pytest
import yaml

from postproof.core.errors import EngineError
from postproof.engines import codegraph, dvc_state, lockfile, remote
from remotes_helpers import PUSHED_TO, Remote, http_server, in_folder, static_server
from workflow_helpers import NOTHING, Checkout, both, computed

WALK, OTHER_WALK = (f"results/toy/runs/walk/walk-seed{seed}.csv" for seed in (7, 8))
TABLE = "results/toy/metrics/walk.csv"
STEPS = {"toy.walk": {"steps": 6}}


def object_of(checkout: Checkout, path: str) -> str:
    """Where a remote has the recorded bytes of an artefact."""
    [digest] = {item.md5 for item in lockfile.read(checkout.path) if item.path == path}
    return remote.object_name(digest)


def push_to(store: Remote, author: Checkout) -> None:
    """With the remote in the committed configuration."""
    store.add_to(author)
    author.commit("remote")
    assert "that Git does not hold" in author.make("push")


@pytest.fixture(scope="session")
def author(built, tmp_path_factory) -> Checkout:
    """The built checkout, and in the folder `store` beside it what it pushed. Neither is to be changed."""
    folder = tmp_path_factory.mktemp("author")
    checkout = built.copy(folder / "toy")
    push_to(in_folder(folder / "store", str(folder / "store")), checkout)
    return checkout


@pytest.fixture
def served(author, tmp_path):
    """A server of static files that holds a copy of what was pushed."""
    shutil.copytree(author.path.parent / "store", tmp_path / "store")
    with http_server(tmp_path) as store:
        yield store


@pytest.fixture
def clone(author, served, tmp_path) -> Checkout:
    """A reader's, of the server."""
    checkout = author.clone(tmp_path / "clone")
    reads_from(checkout, served.url)
    return checkout


def reads_from(checkout: Checkout, url: str) -> None:
    """As `dvc remote add --local --default` writes it."""
    text = f"[core]\n    remote = other\n['remote \"other\"']\n    url = {url}\n"
    (checkout.path / ".dvc/config.local").write_text(text)


# --- Every kind of remote --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind if kind == "folder" else pytest.param(kind, marks=pytest.mark.slow)
                                  for kind in PUSHED_TO])  # fmt: skip
def test_what_is_pushed_is_pulled_leaves_nothing_to_do_and_both_notice_the_next_change(checkout, tmp_path, kind):
    with PUSHED_TO[kind](tmp_path / kind) as store:
        push_to(store, checkout)
        clone = checkout.clone(tmp_path / "clone")
        clone.make("pull")
        assert clone.plan() == NOTHING and clone.artefacts() == checkout.artefacts()
        clone.set_params(STEPS)
        changed = clone.plan()
        assert changed == both(changed["dvc"]) and {WALK, OTHER_WALK, TABLE} <= changed["dvc"]
        refuses_what_is_damaged_or_lacking_or_down(checkout.clone(tmp_path / "other"), store)


def refuses_what_is_damaged_or_lacking_or_down(clone: Checkout, store: Remote) -> None:
    name = object_of(clone, WALK)
    store.put(name, b"seed,step,position\n7,1,0\n")
    message = clone.refused("sync", "--pull")
    assert "damaged" in message and WALK in message and name in message
    assert not (clone.path / WALK).exists() and (clone.path / OTHER_WALK).is_file()
    store.remove(name)
    message = clone.refused("sync", "--pull")
    assert WALK in message and name in message and "missing: 1," in message and "snakemake --cores" in message
    store.stop()
    before = clone.artefacts()
    message = clone.refused("sync", "--pull")
    assert store.url in message and ("onnect" in message or "No such file" in message)
    assert clone.artefacts() == before


def test_readers_pull_from_a_server_of_static_files(author, clone):
    clone.make("pull")
    assert clone.plan() == NOTHING and clone.artefacts() == author.artefacts()
    clone.append(TABLE, "7,8,9\n")
    assert TABLE in (changed := clone.plan())["dvc"] and changed == both(changed["dvc"])


# --- Pushing ---------------------------------------------------------------------------------------------------------


def test_nothing_is_pushed_unless_it_is_committed_and_whole(checkout, tmp_path):
    assert "no DVC remote is set" in checkout.refused("push")
    store = in_folder(tmp_path / "store", str(tmp_path / "store"))
    store.add_to(checkout)
    for file in ("dvc.lock", TABLE):
        checkout.append(file, "\n")
        assert file in (message := checkout.refused("push")) and "not committed" in message
        checkout.git("checkout", file)
    cached = checkout.path / ".dvc/cache" / object_of(checkout, WALK)
    cached.chmod(0o644)
    cached.write_bytes(b"damaged")
    assert WALK in (message := checkout.refused("push")) and "make record" in message
    assert not (tmp_path / "store").exists()


# --- Remotes that do not give what they should -----------------------------------------------------------------------


def test_without_a_remote_a_reader_is_told_that_make_rebuilds(checkout):
    message = checkout.refused("sync", "--pull")
    assert "no DVC remote is set" in message and "`make` rebuilds everything" in message


@pytest.mark.parametrize("url", ["../my store", "stores/large, #1 = [a]", "https://example.org/a%20b"])
def test_the_address_of_a_remote_is_read_as_dvc_reads_it(checkout, url):
    checkout.dvc("remote", "add", "--default", "my store", url)
    checkout.dvc("remote", "modify", "--local", "my store", "verify", "true")
    assert remote.configured(checkout.path) == (dvc_state.default_remote(checkout.path), {"url", "verify"})


def damaged(store: Remote, name: str) -> str:
    store.put(name, b"seed,step,position\n7,1,0\n")
    return "damaged"


def cut_off(store: Remote, name: str) -> str:
    store.put(name, b"seed,step")
    return "not all of them"


def empty(store: Remote, name: str) -> str:
    store.put(name, b"")
    return "damaged"


def lacking(store: Remote, name: str) -> str:
    store.remove(name)
    return "404"


@pytest.mark.parametrize("fault", [damaged, cut_off, empty, lacking])
def test_an_object_that_is_not_as_recorded_is_named_and_the_rest_is_kept(author, clone, served, fault):
    name = object_of(clone, WALK)
    what = fault(served, name)
    for _ in range(2):
        message = clone.refused("sync", "--pull")
        assert what in message and WALK in message and name in message and served.url in message
        assert "snakemake --cores" in message and "make sync" in message
        assert not (clone.path / WALK).exists()
        assert (clone.path / OTHER_WALK).read_bytes() == (author.path / OTHER_WALK).read_bytes()


@pytest.mark.slow
def test_what_a_remote_does_not_give_is_made(author, clone, served):
    served.remove(object_of(clone, WALK))
    clone.refused("sync", "--pull")
    assert "toy.walk" in computed(clone.snakemake())
    clone.make("sync")
    assert clone.plan() == NOTHING and clone.artefacts() == author.artefacts()


def test_bytes_that_dvc_took_at_their_names_word_are_found_and_removed(clone, served):
    name = object_of(clone, WALK)
    damaged(served, name)
    clone.dvc("pull")
    assert clone.dvc("status", "--json").strip() == "{}", "DVC has begun to check what it fetches"
    message = clone.refused("sync")
    assert "damaged objects were restored" in message and WALK in message and name in message
    assert not (clone.path / WALK).exists() and not (clone.path / ".dvc/cache" / name).exists()
    assert (clone.path / OTHER_WALK).is_file()


def test_a_remote_that_is_down_or_gone_changes_nothing(clone, served, tmp_path):
    before = clone.artefacts()
    served.stop()
    message = clone.refused("sync", "--pull")
    assert "cannot be read" in message and "refused" in message and served.url in message
    reads_from(clone, str(tmp_path / "nowhere"))
    message = clone.refused("sync", "--pull")
    assert "cannot be read" in message and str(tmp_path / "nowhere") in message
    assert clone.artefacts() == before


class Silent(http.server.SimpleHTTPRequestHandler):
    """Takes a request and never answers; or, below /half, begins to."""

    def do_GET(self) -> None:
        if self.path.startswith("/half"):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"seed")
        time.sleep(30)


class Ill(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)


@pytest.mark.parametrize("handler, below, what", [(Silent, "", "timed out"), (Silent, "/half", "timed out"),
                                                  (Ill, "", "HTTP Error 503")])  # fmt: skip
def test_a_server_that_falls_silent_or_ill_is_not_waited_for(built, tmp_path, monkeypatch, handler, below, what):
    clone = built.clone(tmp_path / "clone")
    monkeypatch.setattr(remote, "SILENCE", 0.3)
    with static_server(tmp_path, handler) as (url, _), contextlib.chdir(clone.path):
        reads_from(clone, url + below)
        began = time.monotonic()
        with pytest.raises(EngineError, match="cannot be read") as caught:
            remote.fetch(clone.path, dvc=pytest.fail)
    assert what in str(caught.value) and time.monotonic() - began < 10


def test_a_file_of_the_readers_own_is_not_replaced(clone):
    clone.append(WALK, "mine\n")
    message = clone.refused("sync", "--pull")
    assert "would replace" in message and WALK in message
    assert (clone.path / WALK).read_text() == "mine\n"


# --- Without DVC -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def without_dvc(tmp_path_factory) -> dict[str, str]:
    """What to run a command under, in an environment that has all that this one has but DVC."""
    folder = tmp_path_factory.mktemp("without-dvc")
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for source in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(source).iterdir():
            if entry.name != "dvc" and not entry.name.startswith("dvc-") and not (packages / entry.name).exists():
                (packages / entry.name).symlink_to(entry)
    return {"PATH": f"{folder}/bin:{os.environ['PATH']}"}


@pytest.mark.slow
def test_a_reader_without_dvc_pulls_verifies_builds_and_is_told_what_needs_it(author, clone, tmp_path, without_dvc):
    with_dvc = author.clone(tmp_path / "with")
    with_dvc.dvc("pull")

    def postproof(*arguments: str) -> subprocess.CompletedProcess:
        return clone.run("python", "-m", "postproof", *arguments, check=False, **without_dvc)

    assert clone.run("python", "-c", "import dvc", check=False, **without_dvc).returncode == 1
    pulled = postproof("sync", "--pull")
    assert pulled.returncode == 0 and "DVC is not installed" in pulled.stdout, pulled.stderr
    assert clone.artefacts() == with_dvc.artefacts() == author.artefacts()
    assert postproof("verify", "--here").returncode == 0
    assert clone.plan() == NOTHING, "by both engines"

    clone.set_params(STEPS)
    stale = postproof("sync")
    assert stale.returncode == 16 and "walk@7, walk@8" in stale.stderr
    built = clone.run("python", "-m", "snakemake", "--cores", "2", "--printshellcmds", **without_dvc)
    assert "toy.walk" in computed(built.stdout + built.stderr)
    for command in ("plan", "record", "push"):
        refused = postproof(command)
        assert refused.returncode == 16 and "DVC is not installed" in refused.stderr, refused.stderr
    clone.set_params({"toy.walk": {"steps": 5}})
    clone.run("python", "-m", "snakemake", "--cores", "2", **without_dvc)
    assert clone.artefacts() == author.artefacts()


@pytest.mark.slow
def test_a_rebuild_from_nothing_is_verified_without_dvc(checkout, without_dvc):
    done = checkout.run("python", "-m", "postproof", "verify", "--cores", "2", **without_dvc)
    assert "artefacts identical to the committed ones (0 within" in done.stdout


def test_a_remote_that_only_dvc_can_read_says_so_where_there_is_none(checkout, without_dvc):
    checkout.dvc("remote", "add", "--default", "store", "ssh://example.org/store")
    done = checkout.run("python", "-m", "postproof", "sync", "--pull", check=False, **without_dvc)
    assert done.returncode == 16 and "DVC is not installed" in done.stderr


def another_text(checkout: Checkout) -> None:
    checkout.append("data/texts/words.txt", "more")


def another_parameter(checkout: Checkout) -> None:
    checkout.set_params(STEPS)


def a_parameter_less(checkout: Checkout) -> None:
    params = yaml.safe_load((checkout.path / "params.yaml").read_text())
    del params["toy"]["walk"]["steps"]
    (checkout.path / "params.yaml").write_text(yaml.safe_dump(params))


def other_code(checkout: Checkout) -> None:
    checkout.replace("src/postproof/toy/walk.py", "steps.cumsum()", "steps.cumsum() * 2")


def a_comment(checkout: Checkout) -> None:
    checkout.append("src/postproof/toy/walk.py", "# A comment.\n")


def another_table(checkout: Checkout) -> None:
    checkout.append(TABLE, "7,8,9\n")


def another_run(checkout: Checkout) -> None:
    checkout.append(WALK, "7,8,9\n")


def a_run_less(checkout: Checkout) -> None:
    (checkout.path / WALK).unlink()


def all_runs_less(checkout: Checkout) -> None:
    shutil.rmtree(checkout.path / "results/toy/runs")


def nothing(checkout: Checkout) -> None:
    pass


CHANGES = [nothing, another_text, another_parameter, a_parameter_less, other_code, a_comment, another_table,
           another_run, a_run_less, all_runs_less]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_our_reading_of_the_lock_names_the_stages_that_dvc_names(checkout, change):
    change(checkout)
    with contextlib.chdir(checkout.path):
        codegraph.refresh(checkout.path, codegraph.Sources.read(checkout.path))
        outputs = [item.path for item in lockfile.read(checkout.path)]
        by_dvc, by_us = dvc_state.changed(checkout.path), lockfile.differing(checkout.path, outputs)
    assert set(by_us) == set(by_dvc)
    assert bool(by_us) == (change not in (nothing, a_comment))


def test_an_output_that_no_stage_records_differs_and_one_that_no_job_makes_does_not(built):
    outputs = [item.path for item in lockfile.read(built.path)]
    assert lockfile.differing(built.path, [*outputs, "results/toy/runs/walk/walk-seed9.csv"]) == [
        "results/toy/runs/walk/walk-seed9.csv"
    ]
    assert lockfile.differing(built.path, [TABLE]) == ["walk_table"], "its folder of runs holds none that a job makes"
