"""The Flask application that the post describes: handlers of four kinds of errors, and one route.

Behaviour as described, words ours. It is built by a function, so that each request of a test gets one of its own, and
with errors that have a `message` or not.
"""

from __future__ import annotations

import logging
from types import ModuleType

from flask import Flask, jsonify, request


def build(errors: ModuleType, user_id: int) -> Flask:
    """`errors` has the classes of the hierarchy; `user_id` is what a created user gets."""
    app = Flask("as_described")

    @app.errorhandler(errors.ValidationError)
    def on_validation_error(error):
        logging.warning(f"Validation failed: {error.message} for field '{error.field}'")
        return jsonify({"error": "VALIDATION_ERROR", "message": error.message, "details": error.context}), 400

    @app.errorhandler(errors.DatabaseError)
    def on_database_error(error):
        logging.exception(f"Database error occurred processing {request.path}")
        message = "A database error occurred. Please try again later."
        return jsonify({"error": "INTERNAL_SERVER_ERROR", "message": message}), 500

    @app.errorhandler(errors.ApplicationError)
    def on_application_error(error):
        logging.error(f"Application error occurred: {error}", exc_info=error.original_exception)
        message = str(error) or "An unexpected application error occurred."
        return jsonify({"error": "APPLICATION_ERROR", "message": message}), 500

    @app.errorhandler(Exception)
    def on_anything_else(error):
        logging.exception(f"Unhandled exception occurred processing {request.path}")
        return jsonify({"error": "UNEXPECTED_ERROR", "message": "An unexpected server error occurred."}), 500

    @app.route("/users", methods=["POST"])
    def create_user():
        data = request.json
        if not data.get("email"):
            raise errors.ValidationError(field="email", message="Email is required")
        if data.get("trigger_db_error"):
            raise errors.DatabaseError("Failed to connect to user DB")
        return jsonify({"status": "success", "user_id": user_id}), 201

    return app
