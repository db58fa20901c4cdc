"""Answers of the applications: HTTP's own from Flask, problem details from ours, no secret in these."""

import json

import pytest
from flask import Flask

from postproof.errors import handlers
from postproof.errors.capture import logged
from postproof.errors.mended import app as mended_app
from postproof.errors.settings import Handlers

# What Flask itself decides, without any code of the application.
HTTP = ["unknown_path", "wrong_method", "head", "options", "wrong_content_type", "malformed_json"]


@pytest.fixture(scope="module")
def table():
    return handlers.answers(Handlers(user_id=7)).set_index(["app", "case"])


@pytest.mark.parametrize("case", HTTP)
def test_the_status_that_is_expected_is_the_one_that_flask_alone_gives(table, case):
    assert table.loc[("flask_alone", case), "right"] == 1


def test_the_mended_application_is_right_in_every_case_and_keeps_secrets(table):
    mended = table.loc["mended"]
    assert mended["right"].all() and not mended["leaks"].any()
    told = mended[(mended["status"] >= 400) & (mended.index != "head")]
    assert (told["problem_members"] == len(handlers.MEMBERS)).all() and told["says_what"].all()


def test_what_a_client_did_wrong_leaves_no_error_in_the_mended_log_and_what_the_server_did_leaves_one(table):
    mended = table.loc["mended"]
    assert not (mended["level"] == "ERROR")[mended["status"] < 500].any()
    failed = mended[mended["status"] >= 500]
    assert (failed["records"] == 1).all() and (failed["tracebacks"] == 1).all()


def test_the_handler_of_exception_turns_each_of_https_own_errors_into_the_servers(table):
    for app in ("described", "with_message"):
        answers = table.loc[app].loc[[case for case in HTTP if case != "options"]]
        assert (answers["status"] == 500).all() and (answers["tracebacks"] == 1).all() and not answers["allow"].any()


def test_a_message_is_all_that_the_described_handler_of_validation_lacks(table):
    for case in ("no_email", "validation_of_secret"):
        assert table.loc[("described", case), "right"] == 0 and table.loc[("with_message", case), "right"] == 1
        assert table.loc[("with_message", case), "error"] == "VALIDATION_ERROR"


def test_the_debugger_gets_what_no_handler_catches(table):
    assert table["debugger"][table["debugger"] == 1].index.tolist() == [("flask_alone", "bug_in_debug_mode")]


def test_the_id_in_the_answer_is_the_one_of_the_settings(table):
    assert set(table["user_id"].dropna()) == {7}


def test_a_secret_in_a_body_is_seen():
    app = Flask("leaky")
    app.add_url_rule("/", view_func=lambda: {"message": f"not {handlers.SECRET}"}, endpoint="leak")
    answer = handlers.answer(app.test_client().get("/"))
    assert answer["leaks"] == 1 and answer["says_what"] == 1 and answer["problem_members"] == 0


def test_an_error_that_nothing_catches_is_a_fault_of_ours_and_no_row():
    app = Flask("bare")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.add_url_rule("/", view_func=lambda: 1 / 0, endpoint="bug")
    with pytest.raises(ZeroDivisionError):
        handlers.ask(app, handlers.Case(500, "GET", "/"))


def test_a_challenge_comes_with_the_status_that_must_have_one():
    app = mended_app.build(1)
    app.add_url_rule("/raises/<kind>", view_func=handlers.raiser(handlers.mended), endpoint="raises")
    with logged():
        response = app.test_client().get("/raises/authentication")
    assert response.status_code == 401 and "WWW-Authenticate" in response.headers
    assert json.loads(response.data)["instance"] == "/raises/authentication"


def test_records_go_to_the_table_and_nowhere_else_and_handlers_are_put_back(capsys):
    import logging

    root = logging.getLogger()
    before = root.handlers[:], root.level
    with logged() as records:
        logging.warning("one")
        logging.getLogger("deep.down").error("two")
    assert [record.getMessage() for record in records] == ["one", "two"]
    assert (root.handlers[:], root.level) == before and capsys.readouterr() == ("", "")
