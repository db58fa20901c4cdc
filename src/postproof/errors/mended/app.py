"""The application mended: HTTP's own errors keep their status, and every error is a problem detail of RFC 9457.

https://www.rfc-editor.org/rfc/rfc9457: members type, title, status, detail and instance, of media type
application/problem+json. `detail` is for the client; what only the operator may know goes to the log.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from postproof.errors.mended.exceptions import ApplicationError, DatabaseError, ValidationError

logger = logging.getLogger("mended")


def problem(status: int, detail: str, code: str = "", **more: Any) -> Response:
    members = {
        "type": f"urn:problem:{code}" if code else "about:blank",
        "title": HTTP_STATUS_CODES.get(status, "Unknown"),
        "status": status,
        "detail": detail,
        "instance": request.path,
    }
    return Response(json.dumps(members | more), status=status, mimetype="application/problem+json")


def build(user_id: int) -> Flask:
    app = Flask("mended")

    @app.errorhandler(ApplicationError)
    def on_application_error(error: ApplicationError):
        level = logging.ERROR if error.status >= 500 else logging.WARNING
        logger.log(level, error.message, exc_info=error, extra={"context": error.context})
        is_clients = isinstance(error, ValidationError)
        more = {"field": error.field} if is_clients and error.field else {}
        answer = problem(error.status, error.message if is_clients else error.public, error.code, **more)
        if error.status == 401:
            answer.www_authenticate = WWWAuthenticate("bearer")  # RFC 9110, section 15.5.2: must be sent
        return answer

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException):
        answer = problem(error.code or 500, error.description or "")
        answer.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
        return answer

    @app.errorhandler(Exception)
    def on_anything_else(error: Exception):
        logger.exception("unhandled exception on %s", request.path)
        return problem(500, "An unexpected server error occurred.")

    @app.route("/users", methods=["POST"])
    def create_user():
        data = request.json
        if not isinstance(data, dict):
            raise ValidationError("The body is to be a JSON object")
        if not data.get("email"):
            raise ValidationError("Email is required", field="email")
        if data.get("trigger_db_error"):
            raise DatabaseError("Failed to connect to user DB")
        return jsonify({"status": "success", "user_id": user_id}), 201

    return app
