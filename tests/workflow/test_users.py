"""What users do: paths of any kind, a shell, home, profile and configuration of their own; both engines bear it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from faults_helpers import wait_until
from postproof.core import environment
from postproof.core.errors import ArtefactError, EngineError, ParamsError
from postproof.engines import dag, params, snakemake_state
from workflow_helpers import NOTHING, ROOT, Checkout, computed

WORDS = "data/prepared/toy_words.json"
WALK = "results/toy/runs/walk/walk-seed7.csv"
# Blanks, brackets, quotes, what a shell runs or expands, what Snakemake, DVC, Make and YAML give a meaning, no ASCII.
ODD = """a [b] 'c' "d" $(touch pwned) `e` ;f &g |h $HOME ${i} #j ~k *l? \\m !n %o =p ,q @r (t) größe 文 """
ODD_TEXT = f"{ODD.replace('${i}', '')}\t: x.txt"
ODD_FOLDER = ODD.replace("${i}", "<i>").strip()


# --- Paths -----------------------------------------------------------------------------------------------------------


def test_whatever_a_rule_fills_into_its_command_is_quoted():
    with contextlib.chdir(ROOT), dag._workflow(ROOT) as workflow:
        workflow.dag()
        commands = {rule.name: rule.shellcmd for rule in workflow._workflow.rules if rule.shellcmd}
    assert len(commands) > 50
    filled_in = {name: re.findall(r"\{(?!MODE\})[^{}]+\}", command) for name, command in commands.items()}
    assert all(filled_in.values())
    bare = {name: [field for field in fields if not field.endswith(":q}")] for name, fields in filled_in.items()}
    assert {name: fields for name, fields in bare.items() if fields} == {}


@pytest.mark.parametrize(
    "name",
    [
        ODD_TEXT,
        pytest.param(f"./{ODD_FOLDER}/../of mine//words.txt", marks=pytest.mark.slow),
        pytest.param("../outside.txt", marks=pytest.mark.slow),
    ],
)
def test_a_text_of_any_name_is_carried_by_both_engines(checkout, name):
    before = checkout.artefacts()
    text = Path(os.path.normpath(checkout.path / name))
    for folder in (text.parent, checkout.path / ODD_FOLDER):
        folder.mkdir(exist_ok=True)
    shutil.copy(checkout.path / "data/texts/words.txt", text)
    checkout.set_params({"toy.text": {"source": name}})
    assert computed(checkout.snakemake()) == ["claims.judge", "toy.prepare"], "the judge is handed the params"
    assert checkout.artefacts() == before
    checkout.make("record")
    assert checkout.plan() == NOTHING
    assert "didn't change" in checkout.dvc("repro", "--single-item", "toy_words")
    assert not list(checkout.path.rglob("pwned"))


def test_a_path_that_the_engines_cannot_carry_is_refused_before_any_work(checkout):
    name = "{seed}.txt"
    shutil.copy(checkout.path / "data/texts/words.txt", checkout.path / name)
    before = checkout.artefacts()
    checkout.set_params({"toy.text": {"source": name}})
    done = checkout.run("snakemake", "--cores", "1", check=False)
    message = done.stdout + done.stderr
    assert done.returncode == 10 and "Traceback" not in message
    for part in ("a path that the engines cannot carry", "params.yaml", "toy.text.source", name, "rename the file"):
        assert part in message
    assert checkout.artefacts() == before


CANNOT_BE_CARRIED = ["{seed}.txt", "a}.txt", "<a>.txt", "-text.txt", "./-text.txt", "s3:words.txt", "https://a/b",
                     "dvc.yaml", "texts/other.dvc"]  # fmt: skip


@pytest.mark.parametrize("path", CANNOT_BE_CARRIED)
def test_paths_that_cannot_be_carried_are_named(path):
    with pytest.raises(ParamsError, match="cannot carry") as caught:
        params.path_at({"text": {"source": path}}, "text.source", "params.yaml")
    assert caught.value.context["key"] == "text.source" and caught.value.context["file"] == "params.yaml"


def test_a_path_is_taken_as_the_shortest_that_names_it():
    for path in ("./a b/../c//d.txt", "c/./d.txt", "c/d.txt"):
        assert params.path_at({"source": path}, "source", "params.yaml") == "c/d.txt"
    assert params.path_at({"source": "/x/s3:a.txt"}, "source", "params.yaml") == "/x/s3:a.txt"


@pytest.mark.parametrize("folder", ["a:b", "a{b}"])
@pytest.mark.parametrize(
    "command", [["snakemake", "--cores"], ["python", "-m", "snakemake", "--cores=1"], ["dvc", "status"]]
)
def test_a_checkout_in_a_folder_that_the_engines_cannot_carry_says_so(checkout, tmp_path, folder, command):
    there = Checkout(checkout.path.rename(tmp_path / folder))
    done = there.run(*command, check=False, PYTHONPATH=f"{ROOT}/src")  # with `:` in it, the checkout's would be two
    assert done.returncode == 16 and "a checkout cannot be in this folder" in done.stderr, done.stderr


# --- A shell, a profile, a configuration of the user's ---------------------------------------------------------------


@pytest.fixture
def hostile(tmp_path) -> dict[str, str]:
    """An environment in which each setting has stopped somebody's Python, matplotlib, Snakemake, DVC or Git."""
    home = tmp_path / "home of mine"
    for file, content in {
        ".config/dvc/config": "[core]\n autostage = true\n[cache]\n dir = /nowhere\n type = symlink\n[hydra]\n"
        " enabled = true\n",
        ".gitconfig": "[core]\n autocrlf = true\n safecrlf = true\n quotePath = true\n[color]\n ui = always\n",
        ".config/matplotlib/matplotlibrc": "font.size: 30\nfigure.dpi: 30\ntext.usetex: true\n",
        "bash_env": "cd /; exit 3\n",
        "profile/config.yaml": "rerun-triggers: [mtime]\ndrop-metadata: true\ntouch: true\nignore-incomplete: true\n",
    }.items():
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(content)
    return dict(
        HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"), SNAKEMAKE_PROFILE=str(home / "profile"),
        BASH_ENV=str(home / "bash_env"), MPLBACKEND="nonsense", PYTHONOPTIMIZE="2", PYTHONWARNINGS="error",
        PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii", PYTHONHASHSEED="7", LC_ALL="C",
        TMPDIR="/nonexistent", OMP_NUM_THREADS="5", TZ="Asia/Kathmandu", COLUMNS="10", NO_COLOR="1", CDPATH="/",
        SHELL="/bin/sh", PIP_USER="1",
    )  # fmt: skip


OWN_MODULES = ("random", "token", "types", "string", "json", "numpy", "pandas", "typing")


def test_in_any_folder_and_shell_the_same_bytes_are_made(built, tmp_path, hostile):
    checkout = built.copy(tmp_path / ODD_FOLDER)
    before = checkout.artefacts()
    for name in OWN_MODULES:
        checkout.append(f"{name}.py", f"raise SystemExit('not {name} of Python')\n")
    output = checkout.snakemake("--forceall", **hostile)
    assert len(computed(output)) == 9, output
    assert checkout.artefacts() == before
    made = checkout.run("make", "--directory", str(checkout.path), "--assume-old=setup", "-j4", "plan", **hostile)
    assert "0 jobs by Snakemake, 0 by DVC" in made.stdout
    shown = checkout.run("postproof", "claims.show", "results/toy/claims.json", **hostile).stdout
    assert "1 claims" in shown or "1 claim" in shown
    assert not list(tmp_path.rglob("pwned"))


def test_a_profile_of_the_users_own_does_not_hide_a_change(checkout, hostile):
    checkout.set_params({"toy.walk": {"steps": 6}})
    profile = {name: hostile[name] for name in ("SNAKEMAKE_PROFILE", "HOME")}
    for snakemake in (["snakemake"], ["python", "-m", "snakemake"]):
        planned = checkout.run(*snakemake, "--cores", "1", "--dry-run", **profile).stdout
        assert "walk_table" in planned and "params" in planned.lower()
    checkout.snakemake(**profile)
    assert checkout.plan()["snakemake"] == set()


@pytest.fixture
def open_folder():
    """Into which every user may look, which is not so of pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


SLOW_HOMES = [pytest.param(home, marks=pytest.mark.slow) for home in ("/nonexistent", "read-only")]


@pytest.mark.parametrize("home", [None, *SLOW_HOMES])
def test_a_user_without_a_name_or_home_runs_both_engines(built, open_folder, home):
    setpriv = shutil.which("setpriv")
    if os.getuid() != 0 or setpriv is None:
        pytest.skip("needs root and setpriv, to become a user without a name")
    if home == "read-only":
        home = str(open_folder / home)
        Path(home).mkdir(mode=0o555)
    checkout = built.copy(open_folder / "toy")
    subprocess.run(["chown", "-R", "12345:12345", str(checkout.path)], check=True)
    # The environment may be in a folder of root's own.
    reads = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    nobody = [setpriv, "--reuid", "12345", "--regid", "12345", "--clear-groups", *reads]
    variables = {"PATH": f"{Path(shutil.which('python')).parent}:/usr/bin:/bin", "PYTHONPATH": f"{checkout.path}/src"}
    variables |= {"HOME": home} if home else {}
    probe = subprocess.run(
        [*nobody, "python", "-c", "import dvc"], env=variables, cwd="/", capture_output=True, text=True
    )
    if probe.returncode != 0:
        pytest.skip(f"another user cannot run this Python: {probe.stderr.strip()[-100:]}")
    checkout.set_params({"toy.walk": {"steps": 6}})
    for command in (["snakemake", "--cores", "1"], ["postproof", "record"], ["postproof", "plan"], ["dvc", "status"]):
        words = ["sh", "-c", 'umask 077; exec "$@"', "-", *command]
        done = subprocess.run([*nobody, *words], env=variables, cwd=checkout.path, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert "0 jobs by Snakemake, 0 by DVC" in checkout.run("postproof", "plan", check=False).stdout


@pytest.mark.parametrize("can_be_written", [True, False])
def test_a_home_is_given_where_there_is_none_and_kept_where_it_can_be_read(tmp_path, monkeypatch, can_be_written):
    for name in ("HF_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    home, checkout = tmp_path / "home", tmp_path / "checkout"
    home.mkdir()
    checkout.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: can_be_written or Path(path) != home)
    monkeypatch.setenv("HOME", str(home))
    environment.give_home(checkout)
    assert os.environ["HOME"] == str(home)
    assert ("MPLCONFIGDIR" in os.environ) != can_be_written
    assert (checkout / environment.HOME).is_dir() != can_be_written


EDITED = (
    "claims/toy.yaml", "params.yaml", "src/postproof/toy/walk.py", "src/postproof/toy/figures/walk.py",
    "src/postproof/site/templates/post.html", "workflow/rules/toy.smk", "workflow/schemas/tables/toy/walk.yaml",
    "data/texts/words.txt", "results/toy/metrics/walk.csv", WALK,
)  # fmt: skip


def test_what_editors_and_file_managers_leave_beside_files_is_no_input(checkout):
    for path in (checkout.path / name for name in EDITED):
        path.with_name(f".#{path.name}").symlink_to("nobody@nowhere.1:2")  # Emacs, while it edits
        for name in (
            f"._{path.name}",
            f"#{path.name}#",
            f"{path.name}~",
            f".{path.name}.swp",
            ".DS_Store",
            "Thumbs.db",
        ):
            path.with_name(name).write_bytes(b"\0")
    assert checkout.plan() == NOTHING
    checkout.set_params({"toy.walk": {"steps": 6}})
    assert "toy.walk" in computed(checkout.snakemake())
    checkout.postproof("record")
    assert checkout.plan() == NOTHING


def test_files_of_jobs_whose_names_differ_in_case_only_are_named():
    dag.check_case(["results/a/walk.csv", "results/a/walks.csv", "results/b/walk.csv"])
    for paths in (["results/a/walk.csv", "results/a/Walk.csv"], ["results/a/walk.csv", "results/A/run.csv"]):
        with pytest.raises(EngineError, match="large and small letters") as raised:
            dag.check_case(paths)
        assert {raised.value.context["file"].lower()} == {raised.value.context["other"].lower()}


@pytest.fixture
def foreign(tmp_path) -> dict[str, str]:
    """A shell that is no sh, and languages in which `I` has no small `i` and 1.5 is written 1,5."""
    fish, localedef = shutil.which("fish"), shutil.which("localedef")
    if fish is None or localedef is None:
        pytest.skip("needs fish, and localedef with its languages (Debian: apt install fish locales)")
    for language in ("tr_TR", "de_DE"):
        line = [localedef, "-i", language, "-f", "UTF-8", str(tmp_path / f"languages/{language}.UTF-8")]
        (tmp_path / "languages").mkdir(exist_ok=True)
        if subprocess.run(line, capture_output=True).returncode != 0:
            pytest.skip(f"no {language} here (Debian: apt install locales)")
    configuration = tmp_path / "configuration"
    for file, content in {"fish/config.fish": "echo hello; cd /; exit 3\n",
                          "matplotlib/matplotlibrc": "axes.formatter.use_locale: true\n"}.items():  # fmt: skip
        (configuration / file).parent.mkdir(parents=True)
        (configuration / file).write_text(content)
    shell = tmp_path / "shell/fish"
    shell.parent.mkdir()
    shell.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/in_fish\nexec {fish} "$@"\n')
    shell.chmod(0o755)
    return dict(SHELL=str(shell), LOCPATH=str(tmp_path / "languages"), LANG="tr_TR.UTF-8", LC_NUMERIC="de_DE.UTF-8",
                XDG_CONFIG_HOME=str(configuration))  # fmt: skip


@pytest.mark.slow
def test_in_fish_and_in_other_languages_the_same_bytes_are_made(checkout, foreign, tmp_path):
    before = checkout.artefacts()
    probe = "import locale; locale.setlocale(locale.LC_ALL, ''); print(locale.str(1.5))"
    assert checkout.run("python", "-c", probe, **foreign).stdout.strip() == "1,5"
    checkout.run("dvc", "repro", "--force", **foreign, **{snakemake_state.ANEW: "yes"})
    assert "walk_table" in (tmp_path / "in_fish").read_text(), "DVC runs its stages in the user's shell"
    assert checkout.artefacts() == before
    assert "name the same" in checkout.run("postproof", "plan", check=False, **foreign).stdout


@pytest.fixture
def read_only(checkout):
    """Mounts the checkout over itself, so that nothing can be written in it."""
    mounted = []

    def remount() -> None:
        bind = ["mount", "--bind", str(checkout.path), str(checkout.path)]
        done = subprocess.run(bind, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"nothing may be mounted here: {done.stderr.strip()}")
        mounted.append(checkout.path)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(checkout.path)], check=True)

    yield remount
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.slow
def test_a_checkout_that_may_only_be_read_can_be_asked(checkout, read_only, tmp_path):
    checkout.set_params({"toy.walk": {"steps": 6}})
    checkout.replace("results/toy/metrics/walk.csv", "seeded,7,1,", "seeded,7,1,1")
    checkout.commit("other steps")
    checkout.git("checkout", "HEAD~1", "--", "results/toy/metrics/walk.csv")
    # A file of the same bytes with another time, of which a note would be made.
    read_only()
    with pytest.raises(OSError):
        (checkout.path / "written").touch()
    planned = checkout.plan()
    assert WALK in planned["snakemake"] and planned["snakemake"] == planned["dvc"]
    assert "1 claims" in checkout.postproof("claims.show", "results/toy/claims.json")
    assert "succeeded" in checkout.postproof("why")
    assert "artefacts identical" in checkout.run("postproof", "verify", "--here", check=False).stdout
    done = checkout.run("postproof", "diff", "--page", str(tmp_path / "diff.html"))
    assert "toy/walk" in done.stdout and (tmp_path / "diff.html").is_file()
    done = checkout.run("postproof", "diff", check=False)
    assert done.returncode == ArtefactError.exit_code and "toy/walk" in done.stdout and "--page" in done.stderr


# --- DVC -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, says",
    [
        ("toy.walk.steps=5e-5", "allowed: integer, at least 1"),
        ("toy.walk.steps=yes", "yes is one thing in YAML 1.1 and another in YAML 1.2"),
        pytest.param("toy.text.words=99", "text is too short", marks=pytest.mark.slow),
    ],
)
def test_an_experiment_that_fails_under_dvc_leaves_what_was_there(checkout, change, says):
    before, record = checkout.artefacts(), (checkout.path / "dvc.lock").read_bytes()
    done = checkout.run("dvc", "exp", "run", "--set-param", change, check=False)
    assert done.returncode != 0 and says in done.stdout + done.stderr, done.stdout + done.stderr
    assert checkout.artefacts() == before and (checkout.path / "dvc.lock").read_bytes() == record
    checkout.git("checkout", "params.yaml")
    assert checkout.dvc("status", "--json").strip() == "{}"
    assert computed(checkout.snakemake()) == [], "a job that failed is open to Snakemake, and restored"
    assert checkout.artefacts() == before and checkout.plan() == NOTHING


@pytest.mark.slow
def test_an_experiment_through_dvc_is_recorded_and_snakemake_knows_it(checkout):
    checkout.dvc("exp", "run", "--set-param", "toy.walk.steps=6")
    assert checkout.plan() == NOTHING
    assert len((checkout.path / WALK).read_text().splitlines()) == 7
    checkout.make("record")


@pytest.mark.slow
def test_a_stage_killed_under_dvc_leaves_what_was_there_and_the_next_run_makes_it(checkout, tmp_path):
    before, other = checkout.artefacts(), checkout.copy(tmp_path / "undisturbed")
    for each in (checkout, other):
        each.set_params({"toy.walk": {"steps": 6}})
    other.dvc("repro")
    pause = tmp_path / "pause"
    pause.touch()
    process = checkout.start("setsid", "dvc", "repro", TOY_PAUSE=str(pause))
    wait_until(Path(f"{pause}.reached").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    pause.unlink()
    assert checkout.artefacts() == before
    checkout.run("snakemake", "--unlock")
    checkout.dvc("repro")
    assert checkout.artefacts() == other.artefacts()
    assert checkout.plan() == NOTHING


# --- Make and Git ----------------------------------------------------------------------------------------------------


def test_dvc_is_told_where_there_is_no_git(tmp_path):
    (tmp_path / "unpacked/.dvc").mkdir(parents=True)
    (tmp_path / "cloned/.git").mkdir(parents=True)
    (tmp_path / "cloned/below/.dvc").mkdir(parents=True)
    for folder in ("unpacked", "cloned/below"):
        environment.do_without_git(tmp_path / folder)
    assert "no_scm = true" in (tmp_path / "unpacked/.dvc/config.local").read_text()
    assert not (tmp_path / "cloned/below/.dvc/config.local").exists()


@pytest.mark.slow
def test_without_git_in_a_shallow_clone_and_behind_a_link_both_engines_run(checkout, tmp_path):
    before = checkout.artefacts()
    checkout.git("clone", "--quiet", "--depth", "1", f"file://{checkout.path}", str(tmp_path / "shallow"))
    tarball = Checkout(tmp_path / "tarball")
    tarball.path.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=checkout.path, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract"], input=archive, cwd=tarball.path, check=True)
    (tmp_path / "link").symlink_to(checkout.path)
    for each in (tarball, Checkout(tmp_path / "shallow"), Checkout(tmp_path / "link")):
        each.snakemake()
        assert each.artefacts() == before, each.path
        assert "name the same" in each.run("postproof", "plan", check=False).stdout
    assert Checkout(tmp_path / "link").plan() == NOTHING


def as_submodule(checkout: Checkout, outer: Checkout) -> Checkout:
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(checkout.path), "posts")
    outer.commit("with posts")
    inner = Checkout(outer.path / "posts")
    assert (inner.path / ".git").is_file()
    return inner


def as_folder(checkout: Checkout, outer: Checkout) -> Checkout:
    archive = ["git", "archive", "--prefix=posts/", "--output", str(outer.path / "posts.tar"), "HEAD"]
    checkout.run(*archive)
    subprocess.run(["tar", "--extract", "--file", "posts.tar"], cwd=outer.path, check=True)
    outer.commit("with posts")
    return Checkout(outer.path / "posts")


@pytest.mark.slow
@pytest.mark.parametrize("within", [as_submodule, as_folder])
def test_within_another_repository_all_commands_work(checkout, tmp_path, within):
    outer = Checkout(tmp_path / "outer")
    outer.append("other.txt", "Other.\n")
    outer.commit("other")
    inner = within(checkout, outer)
    inner.set_params({"toy.walk": {"steps": 6}})
    inner.snakemake()
    inner.postproof("record")
    assert inner.plan() == NOTHING
    told = inner.postproof("diff")
    assert "toy/walk" in told and "2 new, 0 gone" in told
    assert '"@id": "results/toy/metrics/walk.csv"' in (inner.path / "ro-crate-metadata.json").read_text()
    if within is as_folder:  # a clone of a submodule is one as any other
        outer.commit("six steps")
        assert "(0 within tolerance, 0 different, 0 missing)" in inner.postproof("verify")
