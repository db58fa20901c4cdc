"""Charts draw other tables too, say what these have, and refuse tables that break an identity."""

import pandas as pd
import pytest

from errors_helpers import samples
from figures_helpers import draw, store_measured
from postproof.charts import on_machines
from postproof.core import files
from postproof.core.errors import ArtefactError
from postproof.errors import error_propagation, handlers
from postproof.errors.figures import error_propagation as propagation_chart
from postproof.errors.figures import exception_cost as cost_chart
from postproof.errors.figures import handlers as handlers_chart
from postproof.errors.measuring import exception_cost
from postproof.errors.settings import Handlers, Propagation


@pytest.fixture(scope="module")
def asked():
    return handlers.answers(Handlers(user_id=7))


@pytest.fixture(scope="module")
def travelled():
    table = error_propagation.travelled(Propagation(retries=1))
    return {"error_propagation": table, "error_propagation_code": error_propagation.code(table)}


def costs(folder, name: str = "a-laptop", versions=("3.9.18", "3.13.0")):
    table = exception_cost.summary(samples())
    return store_measured(folder, pd.concat([table.assign(python=version) for version in versions]), name)


def test_the_same_tables_give_the_same_bytes(tmp_path, asked, travelled):
    two = [costs(tmp_path), costs(tmp_path, "b-server", ("3.12.1",))]
    for chart, tables, measured in (
        ("handlers", {"handlers": asked}, ()),
        ("error_propagation", travelled, ()),
        ("exception_cost", {}, two),
    ):
        assert draw("errors", chart, tables, tmp_path, measured) == draw(
            "errors", chart, tables, tmp_path, measured[::-1]
        )


def test_how_many_answers_are_right(asked, tmp_path):
    assert handlers_chart.says(asked).startswith("As described, 6 of 16 requests get the right status")
    wrong = asked.copy()
    wrong.loc[wrong["app"] == "mended", ["right", "status"]] = [0, 500]
    assert handlers_chart.says(wrong).endswith("mended 0")
    with pytest.raises(ArtefactError, match="right is what was expected"):
        draw("errors", "handlers", {"handlers": asked.assign(right=1)}, tmp_path)
    with pytest.raises(ArtefactError, match="asked the same"):
        draw("errors", "handlers", {"handlers": asked.iloc[1:]}, tmp_path)


def test_what_becomes_of_a_failure(travelled, tmp_path):
    paths = [tmp_path / f"{name}.csv" for name in travelled]
    for path, table in zip(paths, travelled.values()):
        files.write_csv(path, table)
    table = propagation_chart.read(paths)
    assert propagation_chart.says(table) == (
        "One failure leaves 4 records in the log where each layer logs and raises its own; handled both ways 1, with 3 "
        "of 3 facts"
    )
    assert propagation_chart.says(table.drop(index="mixed")).startswith("A failure leaves 1 to 4 records")
    code = travelled["error_propagation_code"]
    for broken, identity in ((code.assign(error_lines=99), "error lines are lines"), (code.iloc[1:], "same handlings")):
        with pytest.raises(ArtefactError, match=identity):
            draw("errors", "error_propagation", travelled | {"error_propagation_code": broken}, tmp_path)


def test_where_returning_costs_less():
    table = exception_cost.summary(samples())
    assert cost_chart.says(table) == (
        "Looked into by each of 4 functions, a Result costs less than raising when more than 62 % of calls fail; "
        "handed on, when more than 17 % of calls fail"
    )
    assert "at no share of failing calls" in cost_chart.says(table.assign(crossing_percent=float("nan")))


def test_a_version_has_one_look_on_all_machines_and_of_too_many_the_newest_are_drawn(tmp_path):
    assert cost_chart.in_order(pd.Series(["3.10.1", "3.9.18", "3.13.0", "3.9.18"])) == ["3.9.18", "3.10.1", "3.13.0"]
    paths = [costs(tmp_path, "a", [f"3.{n}.0" for n in range(9, 15)]), costs(tmp_path, "b", ("3.14.2", "3.10.9"))]
    machines = on_machines.read_all(paths, cost_chart.LABELS, cost_chart.NUMBERS)
    assert list(cost_chart.looks_of(machines)) == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    draw("errors", "exception_cost", {}, tmp_path, paths)


def test_quartiles_that_are_not_in_order_are_refused(tmp_path):
    path = costs(tmp_path)
    store_measured(tmp_path, pd.read_csv(path).assign(p25_seconds=1.0, note=""))
    with pytest.raises(ArtefactError, match="quartiles are in order"):
        draw("errors", "exception_cost", {}, tmp_path, [path])
