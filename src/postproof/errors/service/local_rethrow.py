"""The service with local handling: each layer catches what it calls, logs it, and raises an error of its own."""

from __future__ import annotations

import logging
from typing import Any

from postproof.errors.mended.exceptions import ValidationError
from postproof.errors.service.world import DriverBusy, DriverError, World

logger = logging.getLogger(__name__)
INSERT = "INSERT INTO users VALUES (?, ?)"


class InsertError(Exception):
    pass


class SaveError(Exception):
    pass


class RegistrationError(Exception):
    pass


def answer(request_id: str, body: dict[str, Any], world: World, retries: int) -> tuple[int, dict[str, Any]]:
    try:
        return 201, {"user_id": register(body, world, retries)}
    except ValidationError as error:
        logger.warning("invalid request", exc_info=error, extra={"context": {"request_id": request_id}})
        return 400, {"error": error.message, "field": error.field}
    except RegistrationError as error:
        logger.exception("registration failed", extra={"context": {"request_id": request_id}})
        return 500, {"message": str(error)}
    except Exception:
        logger.exception("request failed", extra={"context": {"request_id": request_id}})
        return 500, {"status": 500, "detail": "An unexpected server error occurred."}


def register(body: dict[str, Any], world: World, retries: int) -> int:
    try:
        check(body["email"])
        return save(body["email"], body["name"], world, retries)
    except ValidationError:
        logger.warning("not registered", exc_info=True, extra={"context": {"email": body["email"]}})
        raise
    except SaveError as error:
        logger.exception("not registered", extra={"context": {"email": body["email"]}})
        raise RegistrationError("could not register") from error


def check(email: str) -> None:
    if "@" not in email:
        raise ValidationError("Invalid email", field="email", value=email)


def save(email: str, name: str, world: World, retries: int) -> int:
    try:
        return insert(INSERT, (email, name.strip()), world, retries)
    except InsertError as error:
        logger.exception("not saved", extra={"context": {"email": email}})
        raise SaveError("could not save") from error


def insert(query: str, values: tuple, world: World, retries: int) -> int:
    for left in reversed(range(retries + 1)):
        try:
            return world.execute(query, values)
        except DriverBusy as error:
            if not left:
                logger.exception("still busy", extra={"context": {"query": query}})
                raise InsertError("could not insert") from error
        except DriverError as error:
            logger.exception("not inserted", extra={"context": {"query": query}})
            raise InsertError("could not insert") from error
