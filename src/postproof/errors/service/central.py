"""The service with central handling alone: whatever is raised goes up to the one place that answers."""

from __future__ import annotations

import logging
from typing import Any

from postproof.errors.mended.exceptions import ApplicationError, ValidationError
from postproof.errors.service.world import World

logger = logging.getLogger(__name__)
INSERT = "INSERT INTO users VALUES (?, ?)"


def answer(request_id: str, body: dict[str, Any], world: World, retries: int) -> tuple[int, dict[str, Any]]:
    try:
        return 201, {"user_id": register(body, world)}
    except ApplicationError as error:
        logger.log(
            logging.WARNING if error.status < 500 else logging.ERROR,
            error.message,
            exc_info=error,
            extra={"context": {"request_id": request_id, **error.context}},
        )
        return error.status, {"status": error.status, "detail": error.public}
    except Exception:
        logger.exception("request failed", extra={"context": {"request_id": request_id}})
        return 500, {"status": 500, "detail": "An unexpected server error occurred."}


def register(body: dict[str, Any], world: World) -> int:
    check(body["email"])
    return save(body["email"], body["name"], world)


def check(email: str) -> None:
    if "@" not in email:
        raise ValidationError("Invalid email", field="email", value=email)


def save(email: str, name: str, world: World) -> int:
    return insert(INSERT, (email, name.strip()), world)


def insert(query: str, values: tuple, world: World) -> int:
    return world.execute(query, values)
