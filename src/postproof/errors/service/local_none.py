"""The service with local handling: each failure ends where it occurs, in a line of the log and None for the caller."""

from __future__ import annotations

import logging
from typing import Any

from postproof.errors.service.world import DriverBusy, DriverError, World

logger = logging.getLogger(__name__)
INSERT = "INSERT INTO users VALUES (?, ?)"


def answer(request_id: str, body: dict[str, Any], world: World, retries: int) -> tuple[int, dict[str, Any]]:
    user_id = register(body, world, retries)
    if user_id is None:
        logger.error("not registered", extra={"context": {"request_id": request_id}})
        return 500, {"message": "could not register"}
    return 201, {"user_id": user_id}


def register(body: dict[str, Any], world: World, retries: int) -> int | None:
    try:
        email, name = body["email"], body["name"]
    except KeyError:
        logger.exception("no such key", extra={"context": {"body": sorted(body)}})
        return None
    if not check(email):
        return None
    user_id = save(email, name, world, retries)
    if user_id is None:
        logger.error("not saved", extra={"context": {"email": email}})
        return None
    return user_id


def check(email: str) -> bool:
    if "@" not in email:
        logger.warning("invalid email", extra={"context": {"email": email}})
        return False
    return True


def save(email: str, name: str, world: World, retries: int) -> int | None:
    try:
        values = (email, name.strip())
    except AttributeError:
        logger.exception("no text", extra={"context": {"email": email}})
        return None
    return insert(INSERT, values, world, retries)


def insert(query: str, values: tuple, world: World, retries: int) -> int | None:
    for left in reversed(range(retries + 1)):
        try:
            return world.execute(query, values)
        except DriverBusy:
            if not left:
                logger.exception("still busy", extra={"context": {"query": query}})
        except DriverError:
            logger.exception("not inserted", extra={"context": {"query": query}})
            return None
    return None
