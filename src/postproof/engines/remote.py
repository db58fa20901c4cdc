"""Fetch what dvc.lock records from the checkout's DVC remote (`make pull`).

A remote that is a folder, or files behind plain HTTP, is read by ourselves: that needs no DVC, every object is held
against its hash, and a server that falls silent is not waited for. Any other, and one with a password, is read through
DVC. Either way objects lie in a remote as they do in the cache: files/md5/{first two digits}/{the other thirty}.
"""

from __future__ import annotations

import configparser
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO
from urllib.parse import urlparse

from postproof.core import files
from postproof.core.errors import EngineError
from postproof.engines import dvc_state, dvcfile, lockfile, receipts

SILENCE = 30  # seconds without a byte after which a server is given up
AT_ONCE = 8  # objects that are fetched at the same time
CHUNK = 1 << 20
NOT_THERE = (403, 404, 410)  # a bucket that must not be listed answers 403 for what it has not
WITHOUT_DVC = {"url", "verify"}  # options of a remote that ask for nothing that only DVC can do
REMEDY = (
    "run it again when the remote answers: what has come is kept. Or `snakemake --cores` makes what is missing, "
    "and `make sync` lets both engines know"
)


class _NotGiven(Exception):
    """The remote has no such object, or other bytes under its name."""


def fetch(root: Path, dvc: Callable[..., str]) -> None:
    """Puts the recorded artefacts in place, but for those that Git holds. `dvc`: runs DVC.

    Raises EngineError when there is no remote, when it does not give all of them, in which case those that it gave are
    in place, and when a file would be lost.
    """
    url, options = configured(root)
    address = urlparse(url)
    if url and options <= WITHOUT_DVC and address.scheme in ("", "http", "https") and not address.username:
        _fetch(_wanted(root), url)
        return
    if dvc_state.is_installed():
        url = dvc_state.default_remote(root) or ""
    if not url:
        raise EngineError("no DVC remote is set", file=root / ".dvc/config",
                          remedy="`make` rebuilds everything; how an author sets one: docs/sharing.md")  # fmt: skip
    dvc_state.check_installed()
    try:
        dvc("pull")
    except EngineError as error:
        missing = _wanted(root)
        if missing:
            raise _incomplete(url, missing, error.context["it_said"]) from None


def configured(root: Path) -> tuple[str, set[str]]:
    """Address, or path, and options of the default remote in the configuration of this checkout; empty without one.

    Raises EngineError when the configuration cannot be read.
    """
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read([root / ".dvc/config", root / ".dvc/config.local"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise EngineError("cannot read DVC's configuration", folder=root / ".dvc", remedy="mend it") from error
    name = config.get("core", "remote", fallback="").strip("'\"")
    section = f"'remote \"{name}\"'"
    remote = dict(config[section]) if config.has_section(section) else {}
    url = remote.get("url", "").strip("'\"")
    if url and not urlparse(url).scheme:
        url = os.path.normpath(root / ".dvc" / os.path.expanduser(url))  # relative to the file that says it
    return url, set(remote)


def object_name(digest: str) -> str:
    """Where a remote has the bytes of this md5."""
    return f"files/md5/{digest[:2]}/{digest[2:]}"


def _wanted(root: Path) -> list[lockfile.Artefact]:
    """Artefacts that Git does not hold, and that are not here as they are recorded."""
    here = lockfile.Artefact.is_in
    return [item for item in lockfile.read(root) if not dvcfile.in_git(item.path) and not here(item, root)]


def _fetch(wanted: list[lockfile.Artefact], place: str) -> None:
    """`place`: path of a folder, or address."""
    for item in wanted:
        path = Path(item.path)
        if path.is_file() and not receipts.is_cached(files.md5(path)):
            raise EngineError("the recorded file would replace another one, of which there is no copy", file=path,
                              remedy="move yours away, or delete it, and run it again")  # fmt: skip
    digests = {item.md5 for item in wanted}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            answers = dict(zip(digests, pool.map(lambda digest: _into_cache(place, digest), digests)))
        finally:
            pool.shutdown(cancel_futures=True)
    for item in wanted:
        if not answers[item.md5]:
            receipts.take_from_cache(item.md5, Path(item.path))
    missing = [item for item in wanted if answers[item.md5]]
    if missing:
        raise _incomplete(place, missing, answers[missing[0].md5])


def _into_cache(place: str, digest: str) -> str:
    """What is wrong with the remote's object; empty where the cache has it now."""
    if receipts.is_cached(digest):
        return ""
    found = hashlib.md5()
    try:
        with files.atomic(receipts.cache_file(digest)) as temporary:
            with temporary.open("wb") as file:
                for chunk in _chunks(place, object_name(digest)):
                    found.update(chunk)
                    file.write(chunk)
            if found.hexdigest() != digest:
                raise _NotGiven("damaged: other bytes than its name says, or not all of them")
            os.chmod(temporary, 0o444)  # as DVC does
    except _NotGiven as error:
        return str(error)
    return ""


def _chunks(place: str, name: str) -> Iterator[bytes]:
    """The bytes of an object.

    Raises _NotGiven when it is not there, and EngineError when that cannot be known.
    """
    try:
        with _opened(place, name) as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, FileNotFoundError) and Path(place).is_dir():
            raise _NotGiven("it is not there") from None
        if isinstance(error, urllib.error.HTTPError) and error.code in NOT_THERE:
            raise _NotGiven(f"HTTP {error.code}") from None
        raise EngineError("the DVC remote cannot be read", remote=place, remedy=REMEDY) from error


def _opened(place: str, name: str) -> IO[bytes]:
    if "://" not in place:
        return Path(place, name).open("rb")
    request = urllib.request.Request(f"{place.rstrip('/')}/{name}", headers={"User-Agent": "postproof"})
    return urllib.request.urlopen(request, timeout=SILENCE)


def _incomplete(place: str, missing: list[lockfile.Artefact], it_said: str) -> EngineError:
    return EngineError(
        "the DVC remote does not give all that dvc.lock records",
        remote=place,
        missing=f"{len(missing)}, the first: {missing[0].path}",
        its_object=object_name(missing[0].md5),
        it_said=it_said,
        remedy=f"{REMEDY}. For the author: docs/sharing.md",
    )
