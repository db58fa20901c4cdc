"""Snakemake and DVC run one DAG: they agree on what there is to do, before and after every kind of change."""

import pytest

from workflow_helpers import AS_BEFORE, NOTHING, both, computed

WORDS = "data/prepared/toy_words.json"
WALKS = {f"results/toy/runs/walk/walk-seed{seed}.csv" for seed in (7, 8)}
TABLE = "results/toy/metrics/walk.csv"
CHART, VERDICTS, PAGE = "results/toy/figures/walk.png", "results/toy/claims.json", "results/toy/README.md"
OF_POST, OF_ALL = "results/site/toy.html", "results/site/claims.html"  # the latter is first of its job's by name
ON_VERDICTS = {VERDICTS, PAGE, OF_POST, OF_ALL}
ON_TABLE = {CHART} | ON_VERDICTS
ON_WALKS = {TABLE} | ON_TABLE
ALL = {WORDS} | WALKS | ON_WALKS
COMMANDS = ["claims.judge", "claims.pages", "site.pages", "site.post", "toy.figures.walk"]
COMMANDS += ["toy.walk", "toy.walk", "toy.walk_table"]
STEPS = {"toy.walk": {"steps": 6}}
STEPS_BACK = {"toy.walk": {"steps": 5}}


@pytest.mark.slow
def test_a_parameter_tried_and_put_back_is_restored_by_dvc_without_computing(checkout):
    before = checkout.artefacts()
    checkout.set_params(STEPS)
    checkout.dvc("repro")
    changed = checkout.artefacts()
    assert {path for path in before if changed[path] != before[path]} >= WALKS

    checkout.set_params(STEPS_BACK)
    done = checkout.run("dvc", "repro")
    assert done.stdout.count("Running stage") == len(COMMANDS)
    assert (done.stdout + done.stderr).count(f"{AS_BEFORE}\n") == len(COMMANDS)
    assert checkout.artefacts() == before
    checkout.make("sync")
    assert checkout.plan() == NOTHING


@pytest.mark.slow
def test_a_parameter_tried_and_put_back_is_restored_by_snakemake_without_computing(checkout):
    before = checkout.artefacts()
    checkout.set_params(STEPS)
    assert computed(checkout.snakemake()) == COMMANDS
    assert checkout.artefacts() != before
    checkout.set_params(STEPS_BACK)
    assert checkout.plan()["snakemake"] == WALKS | ON_WALKS
    assert computed(checkout.snakemake()) == []
    assert checkout.artefacts() == before and checkout.plan() == NOTHING


@pytest.mark.slow
def test_another_text_tried_and_put_back_is_restored_by_snakemake_without_computing(checkout):
    before = checkout.artefacts()
    checkout.append("another text.txt", "seven words of quite another length, all")
    checkout.set_params({"toy.text": {"source": "another text.txt"}})
    assert checkout.plan() == both(ALL)
    assert computed(checkout.snakemake()) == sorted([*COMMANDS, "toy.prepare"])
    checkout.set_params({"toy.text": {"source": "data/texts/words.txt"}})
    assert computed(checkout.snakemake()) == []
    assert checkout.artefacts() == before and checkout.plan() == NOTHING


def test_a_job_upstream_that_gives_the_same_bytes_has_nothing_computed_after_it(checkout):
    before = checkout.artefacts()
    checkout.replace("src/postproof/toy/prepare.py", "sum(map(len, words))", "sum(len(word) for word in words)")
    assert checkout.plan() == both(ALL)
    assert computed(checkout.snakemake()) == ["toy.prepare"]
    assert checkout.artefacts() == before and checkout.plan() == NOTHING


@pytest.mark.slow
def test_a_job_upstream_that_gives_the_same_bytes_has_no_stage_run_after_it(checkout):
    checkout.replace("src/postproof/toy/prepare.py", "sum(map(len, words))", "sum(len(word) for word in words)")
    assert "Running stage 'walk" not in checkout.dvc("repro")


# File, what stands there, what is put in its place, and which jobs that is to run.
MATTERS = [
    ("src/postproof/toy/walk.py", "steps.cumsum()", "steps.cumsum() * 2", WALKS | ON_WALKS),
    ("src/postproof/toy/figures/walk.py", 'walk["position"])', 'walk["position"], marker="o")', {CHART, PAGE, OF_POST}),
    ("src/postproof/charts/plotting.py", '"font.size": 10', '"font.size": 11', {CHART, PAGE, OF_POST}),
    (
        "src/postproof/claims/rules.py",
        "is {str(holds).lower()}",
        "is: {str(holds).lower()}",
        ON_VERDICTS,
    ),
    ("src/postproof/core/files.py", 'FLOAT_FORMAT = "%.9g"', 'FLOAT_FORMAT = "%.8g"', WALKS | ON_WALKS),
    ("workflow/schemas/tables/toy/walk.yaml", "at_least: 1", "at_least: 0", ON_WALKS),
    ("claims/toy.yaml", "ends above zero", "ends at or above zero", ON_VERDICTS),
    ("params.yaml", "steps: 5", "steps: 6", WALKS | ON_WALKS),
]
# What a rule says itself is in dvc.yaml, which is made from the rules.
WORDS_MATTER = [
    ("workflow/rules/toy.smk", "--seed {wildcards.seed} --steps {params.steps}",
     "--steps {params.steps} --seed {wildcards.seed}", WALKS | ON_WALKS),
    ("workflow/rules/toy.smk", "--seeded {input.seeded} --named {input.named}",
     "--named {input.named} --seeded {input.seeded}", ON_WALKS),
    ("claims/toy.yaml", "A post of three jobs", "A post", ON_VERDICTS),
    ("src/postproof/toy/figures/walk.py", "Position of every walk", "Place of every walk", {PAGE, OF_POST, OF_ALL}),
]  # fmt: skip
DOES_NOT = [
    ("src/postproof/toy/walk.py", "    wait()\n", "    wait()  # for the tests\n"),
    ("src/postproof/toy/walk.py", '"""Walk at random', '"""Walk\n\nat random'),
    ("src/postproof/toy/walk.py", "(0, scale, args.steps)", "(\n        0, scale, args.steps\n    )"),
    ("src/postproof/toy/prepare.py", "return 1", "return 2"),  # of a function that no job uses
    ("src/postproof/core/errors.py", '    """Snakemake, DVC', '    """DVC, Snakemake'),
    ("src/postproof/core/tables.py", "def must_hold(", "def not_used() -> int:\n    return 1\n\n\ndef must_hold("),
    ("src/postproof/engines/params.py", "len(text) <= 80", "len(text) <= 90"),
    ("src/postproof/toy/settings.py", "class Walk(", "class Run(Settings):\n    speed: Count\n\n\nclass Walk("),
    ("params.yaml", "seeds: [7, 8]", "seeds: [7, 8]  # two"),
]


@pytest.mark.parametrize("file, old, new, jobs", MATTERS, ids=[f"{file}: {new}" for file, _, new, _ in MATTERS])
def test_what_matters_reruns_what_depends_on_it_and_nothing_else(checkout, file, old, new, jobs):
    checkout.replace(file, old, new)
    assert checkout.plan() == both(jobs)


@pytest.mark.parametrize("file, old, new, jobs", WORDS_MATTER, ids=[new for _, _, new, _ in WORDS_MATTER])
def test_words_of_a_rule_rerun_its_jobs_in_both_engines(checkout, file, old, new, jobs):
    checkout.replace(file, old, new)
    checkout.make("deps")
    assert checkout.plan() == both(jobs)


def test_what_does_not_matter_reruns_nothing(checkout):
    for file, old, new in DOES_NOT:
        checkout.replace(file, old, new)
        assert checkout.plan() == NOTHING, (file, new)
    for new_file in ("src/postproof/another_post/testbed.py", "claims/drafts/another_post.yaml"):
        checkout.append(new_file, "")
    assert checkout.plan() == NOTHING
    assert "Nothing to be done" in checkout.snakemake()
    assert checkout.dvc("repro").count("Running stage") == 1, "the files of the code, which came out the same"
    assert checkout.dvc("status", "--json").strip() == "{}"


def test_a_seed_added_is_one_run_and_removed_leaves_nothing_behind(checkout):
    before = checkout.artefacts()
    checkout.set_params({"toy.walk": {"seeds": [7, 8, 30]}})
    assert checkout.plan() == both({"results/toy/runs/walk/walk-seed30.csv"} | ON_WALKS)
    checkout.snakemake()
    assert ",30," in (checkout.path / TABLE).read_text()
    checkout.make("record")
    assert checkout.plan() == NOTHING

    checkout.set_params({"toy.walk": {"seeds": [7, 8]}})
    assert checkout.plan() == both(ON_WALKS)
    assert computed(checkout.snakemake()) == []
    assert checkout.artefacts() == before
    checkout.make("record")
    assert checkout.plan() == NOTHING
    assert "seed30" not in (checkout.path / "dvc.lock").read_text()


@pytest.mark.slow
def test_a_seed_exchanged_through_dvc_is_run_and_leaves_nothing_behind(checkout):
    checkout.set_params({"toy.walk": {"seeds": [8, 9]}})
    checkout.dvc("repro")
    runs = [path for path in checkout.artefacts() if "runs/walk" in path]
    assert runs == ["results/toy/runs/walk/walk-seed8.csv", "results/toy/runs/walk/walk-seed9.csv"]
    assert ",7," not in (checkout.path / TABLE).read_text()
    checkout.make("sync")
    assert checkout.plan() == NOTHING


@pytest.mark.slow
def test_jobs_that_params_bring_in_are_stages_too(checkout):
    """As with models of the reader's own: a mapping that is empty by default."""
    checkout.set_params({"toy": {"named_walks": {"far": 3}}})
    named = "results/toy/runs/walk/far.csv"
    assert checkout.plan() == both({named} | ON_WALKS)
    checkout.dvc("repro")
    checkout.make("sync")
    assert checkout.plan() == NOTHING
    assert "named,3,1," in (checkout.path / TABLE).read_text()


@pytest.mark.slow
def test_a_stale_dvc_file_is_named_and_made_by_record(checkout):
    checkout.postproof("dvcfile", "--check")
    checkout.replace("workflow/rules/toy.smk", 'steps=section("toy.walk.steps")', 'steps=section("toy.text.words")')
    assert "stale" in checkout.refused("dvcfile", "--check")
    assert "make deps" in checkout.run("python", "-m", "postproof", "plan", check=False).stdout
    checkout.snakemake()
    assert "made anew" in checkout.postproof("record")
    checkout.postproof("dvcfile", "--check")
    assert checkout.plan() == NOTHING


def test_an_input_that_no_rule_makes_is_named(checkout):
    checkout.append("workflow/rules/toy.smk", """

rule told_walk:
    input:
        walk="data/recorded/toy/walk.csv",
    output:
        f"{RESULTS}/toy/runs/told/walk.csv",
    shell:
        "cp {input} {output}"
""")  # fmt: skip
    checkout.replace("workflow/rules/toy.smk", "    output:\n        table=update(", "        told="
                     'f"{RESULTS}/toy/runs/told/walk.csv",\n    output:\n        table=update(')  # fmt: skip
    checkout.run("rm", "-r", "results/toy")  # while all that is asked for is there, Snakemake looks no further
    message = checkout.refused("plan")
    assert "a file is missing that no rule makes" in message and "data/recorded/toy/walk.csv" in message
