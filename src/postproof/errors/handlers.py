"""What the described Flask application answers, request by request: as described, with the `message` that its handlers
read, with Flask's own handlers only, and mended.

Real requests through Flask's test client; a path beside the described route raises the errors that the route does not.
`expected_status` is what HTTP (RFC 9110) has for the case, or the post for its own. What may not reach a client is a
secret that stands in the message, context or cause of the error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd
from flask import Flask, jsonify, request
from werkzeug.test import TestResponse

from postproof.core import settings, tables
from postproof.errors.as_described import app as described_app
from postproof.errors.as_described import exceptions as described
from postproof.errors.as_described import exceptions_with_message as with_message
from postproof.errors.capture import logged
from postproof.errors.mended import app as mended_app
from postproof.errors.mended import exceptions as mended
from postproof.errors.settings import Handlers

SECRET = "hunter2"
PROBLEM, JSON = "application/problem+json", "application/json"
MEMBERS = ("type", "title", "status", "detail", "instance")  # RFC 9457, section 3.1
NOTHING = dict.fromkeys(("says_what", "names_field", "problem_members", "leaks", "allow"), 0)


class Case(NamedTuple):
    """A request to the described route, or to one that raises. `expected`: the status by HTTP, or by the post."""

    expected: int
    method: str = "POST"
    path: str = "/users"
    options: dict[str, Any] = {}
    debug: bool = False


RAISES = "/raises/"
CASES = {
    "valid": Case(201, options={"json": {"email": "a@example.com"}}),
    "no_email": Case(400, options={"json": {"name": "Test"}}),
    "database": Case(500, options={"json": {"email": "a@example.com", "trigger_db_error": True}}),
    "validation_of_secret": Case(400, "GET", RAISES + "validation_of_secret"),
    "authentication": Case(401, "GET", RAISES + "authentication"),
    "external_service": Case(500, "GET", RAISES + "external_service"),
    "bug": Case(500, "GET", RAISES + "bug"),
    "bug_in_debug_mode": Case(500, "GET", RAISES + "bug", debug=True),
    "unknown_path": Case(404, path="/user"),
    "wrong_method": Case(405, "GET"),
    "head": Case(405, "HEAD"),
    "options": Case(200, "OPTIONS"),
    "wrong_content_type": Case(415, options={"data": "email=a", "content_type": "text/plain"}),
    "malformed_json": Case(400, options={"data": '{"email": ', "content_type": JSON}),
    "json_list": Case(400, options={"json": ["a@example.com"]}),
    "json_null": Case(400, options={"data": "null", "content_type": JSON}),
}


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section errors.handlers, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per application and request")


def main(args) -> None:
    tables.write(args.out, answers(settings.parse(Handlers, args.settings)), "errors/handlers")


def applications(settings: Handlers) -> dict[str, tuple[Callable[[], Flask], ModuleType]]:
    """How each application is built, and the errors that it raises."""
    return {
        "described": (lambda: described_app.build(described, settings.user_id), described),
        "with_message": (lambda: described_app.build(with_message, settings.user_id), with_message),
        "flask_alone": (lambda: bare(settings.user_id), mended),
        "mended": (lambda: mended_app.build(settings.user_id), mended),
    }


def bare(user_id: int) -> Flask:
    """The described route without any handler: what Flask itself answers."""
    app = Flask("bare")

    @app.route("/users", methods=["POST"])
    def create_user():
        data = request.json
        if not data.get("email"):
            raise mended.ValidationError("Email is required", field="email")
        if data.get("trigger_db_error"):
            raise mended.DatabaseError("Failed to connect to user DB")
        return jsonify({"status": "success", "user_id": user_id}), 201

    return app


def raiser(errors: ModuleType) -> Callable[[str], Any]:
    """A view that raises the kind of error in its path."""

    def view(kind: str):
        if kind == "validation_of_secret":
            raise errors.ValidationError("Too short", field="password", value=SECRET)
        if kind == "authentication":
            raise errors.AuthenticationError("Token is not valid")
        if kind == "external_service":
            try:
                raise ConnectionError(f"refused: gateway:{SECRET}@10.0.0.5")
            except ConnectionError as error:
                message = f"Payment failed: {error}"
                if errors is mended:
                    raise errors.ExternalServiceError(message, service_name="payment") from error
                raise errors.ExternalServiceError(message, "payment", original_exception=error)  # noqa: B904  as described
        return {SECRET: 1}[kind]

    return view


def answers(settings: Handlers) -> pd.DataFrame:
    rows = []
    for name, (build, errors) in applications(settings).items():
        for case, asked in CASES.items():
            app = build()
            app.debug = asked.debug
            app.add_url_rule(RAISES + "<kind>", view_func=raiser(errors), endpoint="raises")
            with logged() as records:
                response = ask(app, asked)
            got = answer(response)
            right = {"expected_status": asked.expected, "right": int(got["status"] == asked.expected)}
            rows.append({"app": name, "case": case} | right | got | reports(records))
    return pd.DataFrame(rows)


def ask(app: Flask, case: Case) -> TestResponse | None:
    """None when the error goes through to the server, whose debugger shows it."""
    try:
        return app.test_client().open(case.path, method=case.method, **case.options)
    except Exception:
        if not app.debug:
            raise
        return None


def answer(response: TestResponse | None) -> dict[str, Any]:
    """What the client gets. `error` is the code that the described handlers give."""
    if response is None:
        return dict.fromkeys(("status", "media_type", "error", "user_id")) | NOTHING | {"debugger": 1}
    body = response.get_json(silent=True) if response.mimetype in (JSON, PROBLEM) else None
    members = body if isinstance(body, dict) else {}
    return {
        "status": response.status_code,
        "media_type": response.mimetype,
        "error": members.get("error"),
        "user_id": members.get("user_id"),
        "says_what": int("message" in members or "detail" in members),
        "names_field": int("field" in members or "field" in members.get("details", {})),
        "problem_members": sum(member in members for member in MEMBERS if response.mimetype == PROBLEM),
        "leaks": int(SECRET in response.get_data(as_text=True)),
        "allow": int("Allow" in response.headers),
        "debugger": 0,
    }


def reports(records: list[logging.LogRecord]) -> dict[str, Any]:
    """What the operator gets: records, the highest level, and how many hold a traceback, which has frames."""
    text = [logging.Formatter().formatException(record.exc_info) for record in records if record.exc_info]
    return {
        "records": len(records),
        "level": logging.getLevelName(max(record.levelno for record in records)) if records else None,
        "tracebacks": sum('File "' in one for one in text),
        "traceback_of_error": int(any("ExternalServiceError" in one or "DatabaseError" in one for one in text)),
    }
