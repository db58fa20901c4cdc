"""The stages of dvc.yaml, from jobs that were made up: a stage per job, in as few words as say the same."""

import itertools
import re
from pathlib import Path

import pytest
import yaml

from postproof.engines import dvcfile
from postproof.engines.dag import Job, Rule

CODE = "build/code/post.walk.txt"


@pytest.fixture(autouse=True)
def params(tmp_path, monkeypatch) -> Path:
    """params.yaml, in the working directory."""
    content = {"post": {"seeds": [7, 8], "arms": ["dense", "moe"], "named": {"far": 3, "near": 4}, "source": "a.txt"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


def rule(name: str, outputs: str = "runs/{name}.csv", inputs: str = "", wildcards=None, chosen=None) -> Rule:
    return Rule(name, tuple(outputs.split()), tuple(inputs.split()), wildcards or {}, chosen or {})


def jobs(of: Rule, *values: dict[str, str], more: str = "", keys: str = "") -> list[Job]:
    """A job for each of the values of the wildcards; `more` inputs and `keys` of params.yaml are patterns too."""
    return [
        Job(
            rule=of,
            wildcards=each,
            inputs=frozenset(path.format(**each) for path in [*of.inputs, *more.split(), *of.chosen]),
            code=CODE,
            outputs=tuple(path.format(**each) for path in of.outputs),
            params=frozenset((key.format(**each), "1") for key in keys.split()),
            command=("post.walk",),
            words="0f",
            needed=False,
            known=True,
        )
        for each in values
    ]


def product(**values: list[str]) -> list[dict[str, str]]:
    return [dict(zip(values, combination)) for combination in itertools.product(*values.values())]


def stages(group: list[Job], *earlier: Job) -> dict:
    over_params = [job for job in (*earlier, *group) if any(job.rule.wildcards.values())]
    return dvcfile._stages_of(group, {path: job.rule for job in over_params for path in job.outputs})


def expanded(found: dict) -> dict[str, dict]:
    """Each stage as DVC would read it, by its command: `matrix`, `foreach` and references filled in."""
    known = yaml.safe_load(Path("params.yaml").read_text())

    def value(text):
        reference = re.fullmatch(r"\$\{([a-z_.]+)\}", text) if isinstance(text, str) else None
        if not reference:
            return text
        place = known
        for part in reference[1].split("."):
            place = place[part]
        return place

    def filled(stage, words: dict[str, str]):
        if isinstance(stage, dict):
            return {filled(key, words): filled(each, words) for key, each in stage.items()}
        if isinstance(stage, list):
            return [filled(each, words) for each in stage]
        for word, text in words.items():
            stage = stage.replace(f"${{{word}}}", str(text)) if isinstance(stage, str) else stage
        return value(stage)

    result = {}
    for stage in found.values():
        if "foreach" in stage:
            each_words = [{"key": key} for key in value(stage["foreach"])]
            stage = stage["do"]
        else:
            over = {name: value(values) for name, values in stage.get("matrix", {}).items()}
            each_words = [{f"item.{name}": text for name, text in words.items()} for words in product(**over)]
        for words in each_words:
            done = filled({key: part for key, part in stage.items() if key != "matrix"}, words)
            assert done["cmd"] not in result
            result[done["cmd"]] = done
    return result


def check(found: dict, group: list[Job], folders: dict[str, str] | None = None) -> None:
    """The stages are those of the jobs, one each, with the job's inputs, keys and outputs."""
    by_output = {done["cmd"].split(" -- ")[1].split(" # ")[0]: done for done in expanded(found).values()}
    assert by_output.keys() == {job.outputs[0] for job in group}
    for job in group:
        done = by_output[job.outputs[0]]
        wanted = {(folders or {}).get(path, path) for path in job.inputs}
        assert set(done["deps"]) == wanted | {CODE}
        assert set(done.get("params", ())) == {key for key, _ in job.params}
        assert [out if isinstance(out, str) else next(iter(out)) for out in done["outs"]] == list(job.outputs)


def test_a_job_without_wildcards_is_a_stage():
    group = jobs(rule("table", "post/metrics/walk.csv", "in.txt"), {}, keys="post.arms")
    assert stages(group) == {
        "table": {
            "cmd": "${snakemake} table -- post/metrics/walk.csv # rule: 0f",
            "deps": [CODE, "in.txt"],
            "params": ["post.arms"],
            "outs": [{"post/metrics/walk.csv": {"persist": True, "cache": False}}],
        }
    }


def test_a_rule_without_jobs_has_no_stage():
    assert stages([]) == {}


IN_GIT = ["results/a/metrics/b.csv", "results/a/figures/b.svg", "results/a/claims.json", "results/a/README.md"]
IN_CACHE = ["results/a/runs/b.csv", "data/raw/metrics.csv", "data/prepared/claims.jsonl"]


@pytest.mark.parametrize("path", [*IN_GIT, *IN_CACHE])
def test_what_readers_look_at_is_in_git_and_the_rest_in_the_cache(path):
    [stage] = stages(jobs(rule("one", path), {})).values()
    assert stage["outs"] == [{path: {"persist": True} | ({"cache": False} if path in IN_GIT else {})}]


def test_fixed_values_are_a_matrix():
    walk = rule("walk", "runs/{arm}.csv", "in/{arm}.txt", {"arm": None})
    group = jobs(walk, *product(arm=["dense", "moe"]), keys="post.{arm}.size")
    found = stages(group)
    assert found["walk"]["matrix"] == {"arm": ["dense", "moe"]} and list(found) == ["walk"]
    assert found["walk"]["deps"] == [CODE, "in/${item.arm}.txt"]
    assert found["walk"]["params"] == ["post.${item.arm}.size"]
    check(found, group)


def test_a_list_of_params_is_referred_to():
    walk = rule("walk", "runs/{arm}-seed{seed}.csv", "in.txt", {"arm": None, "seed": "post.seeds"})
    group = jobs(walk, *product(arm=["dense", "moe"], seed=["7", "8"]), keys="post.steps")
    found = stages(group)
    assert found["walk"]["matrix"] == {"arm": ["dense", "moe"], "seed": "${post.seeds}"}
    check(found, group)


def test_a_list_of_one_is_referred_to_and_a_fixed_value_of_one_is_written_out(params):
    params.write_text("post: {seeds: [7]}")
    walk = rule("walk", "runs/{arm}-seed{seed}.csv", "", {"arm": None, "seed": "post.seeds"})
    group = jobs(walk, *product(arm=["dense"], seed=["7"]))
    found = stages(group)
    assert found["walk"]["matrix"] == {"seed": "${post.seeds}"}
    assert found["walk"]["outs"] == [{"runs/dense-seed${item.seed}.csv": {"persist": True}}]
    check(found, group)


def test_a_mapping_of_params_is_gone_through_by_key():
    walk = rule("walk", "runs/{name}.csv", "in/{name}.txt", {"name": "post.named"})
    group = jobs(walk, {"name": "far"}, {"name": "near"}, keys="post.named.{name}")
    found = stages(group)
    assert found["walk"]["foreach"] == "${post.named}"
    assert found["walk"]["do"]["params"] == ["post.named.${key}"]
    check(found, group)


def test_jobs_that_differ_in_more_than_their_values_are_stages_by_name():
    chart = rule("chart", "figures/{chart}.svg", "", {"chart": None})
    group = [*jobs(chart, {"chart": "one"}, more="a.csv"), *jobs(chart, {"chart": "two"}, more="b.csv c.csv")]
    found = stages(group)
    assert list(found) == ["chart-one", "chart-two"] and not any("matrix" in stage for stage in found.values())
    check(found, group)


def test_combinations_that_are_not_all_there_are_stages_by_name():
    walk = rule("walk", "runs/{arm}-{size}.csv", "", {"arm": None, "size": None})
    group = jobs(walk, *product(arm=["a", "b"], size=["1", "2"])[:3])
    found = stages(group)
    assert list(found) == ["walk-a-1", "walk-a-2", "walk-b-1"]
    check(found, group)


def test_only_the_jobs_that_read_more_differ_in_that():
    """A set of inputs that one job has and another has not is no template."""
    walk = rule("walk", "runs/{arm}.csv", "", {"arm": None})
    group = [*jobs(walk, {"arm": "a"}, more="in.txt"), *jobs(walk, {"arm": "b"}, more="in.txt b.txt")]
    for order in (group, group[::-1]):
        check(stages(order), order)
        assert len(stages(order)) == 2


def test_a_value_that_stands_in_other_words_is_replaced_only_where_it_is_meant():
    """The arm `a` is in `data` and `results` too."""
    walk = rule("walk", "results/a/{arm}.csv", "data/raw/{arm}/a.txt data/raw/all.txt", {"arm": None})
    group = jobs(walk, {"arm": "a"}, {"arm": "b"})
    found = stages(group)
    assert found["walk"]["deps"] == [CODE, "data/raw/${item.arm}/a.txt", "data/raw/all.txt"]
    check(found, group)


def test_a_value_that_is_part_of_another_is_replaced_where_it_is_meant():
    walk = rule("walk", "runs/{arm}-{size}.csv", "in/{arm}/{size}.txt", {"arm": None, "size": None})
    group = jobs(walk, *product(arm=["a", "ab"], size=["a", "b"]), more="in/{arm}{size}.txt")
    check(stages(group), group)


def test_several_runs_over_values_of_params_are_read_as_a_folder():
    walk = rule("walk", "runs/walk/seed{seed}.csv", "", {"seed": "post.seeds"})
    walks = jobs(walk, {"seed": "7"}, {"seed": "8"})
    table = jobs(rule("table", "metrics/walk.csv", "in.txt"), {}, more="runs/walk/seed7.csv runs/walk/seed8.csv")
    found = stages(table, *walks)
    assert found["table"]["deps"] == [CODE, "in.txt", "runs/walk"]
    check(found, table, {f"runs/walk/seed{seed}.csv": "runs/walk" for seed in (7, 8)})


def test_one_run_of_a_value_is_read_by_its_own_file():
    walk = rule("walk", "runs/walk/seed{seed}.csv", "", {"seed": "post.seeds"})
    walks = jobs(walk, {"seed": "7"}, {"seed": "8"})
    later = rule("after", "more/seed{seed}.csv", "runs/walk/seed{seed}.csv", {"seed": "post.seeds"})
    after = jobs(later, {"seed": "7"}, {"seed": "8"})
    found = stages(after, *walks)
    assert found["after"]["deps"] == [CODE, "runs/walk/seed${item.seed}.csv"]
    check(found, after)


def test_a_path_that_params_say_is_referred_to():
    group = jobs(rule("words", "data/prepared/words.json", chosen={"a.txt": "post.source"}), {})
    found = stages(group)
    assert "${post.source}" in found["words"]["deps"]
    check(found, group)


def test_the_order_of_jobs_and_inputs_does_not_count():
    walk = rule("walk", "runs/{arm}.csv", "in/{arm}.txt z.txt a.txt", {"arm": None})
    group = jobs(walk, {"arm": "dense"}, {"arm": "moe"}, keys="post.z post.a post.{arm}")
    found = stages(group)
    assert found["walk"]["deps"] == sorted(found["walk"]["deps"])
    assert found["walk"]["params"] == sorted(found["walk"]["params"])
    check(stages(group[::-1]), group)
