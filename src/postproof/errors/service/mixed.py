"""The service with both: what passes is tried again where it occurs, what knows more adds it and its cause, and the one
place that answers is where all errors end.
"""

from __future__ import annotations

import logging
from typing import Any

from postproof.errors.mended.exceptions import ApplicationError, DatabaseError, ValidationError
from postproof.errors.service.world import DriverBusy, DriverError, World

logger = logging.getLogger(__name__)
INSERT = "INSERT INTO users VALUES (?, ?)"


def answer(request_id: str, body: dict[str, Any], world: World, retries: int) -> tuple[int, dict[str, Any]]:
    try:
        return 201, {"user_id": register(body, world, retries)}
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


def register(body: dict[str, Any], world: World, retries: int) -> int:
    check(body["email"])
    return save(body["email"], body["name"], world, retries)


def check(email: str) -> None:
    if "@" not in email:
        raise ValidationError("Invalid email", field="email", value=email)


def save(email: str, name: str, world: World, retries: int) -> int:
    return insert(INSERT, (email, name.strip()), world, retries)


def insert(query: str, values: tuple, world: World, retries: int) -> int:
    for left in reversed(range(retries + 1)):
        try:
            return world.execute(query, values)
        except DriverBusy as error:
            if not left:
                raise DatabaseError(context={"query": query, "values": values}) from error
        except DriverError as error:
            raise DatabaseError(context={"query": query, "values": values}) from error
