"""DVC remotes for tests, each behind a real server on the loopback: how DVC is told of it, and its objects' folder."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from workflow_helpers import Checkout

NAME = "store"


@dataclass(frozen=True)
class Remote:
    """`put` and `remove` change an object, by its name below the remote; `stop` ends the server."""

    url: str
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]
    stop: Callable[[], None]
    options: dict[str, str] = field(default_factory=dict)

    def add_to(self, checkout: Checkout) -> None:
        checkout.dvc("remote", "add", "--default", "--force", NAME, self.url)
        for option, value in self.options.items():
            checkout.dvc("remote", "modify", NAME, option, value)


def in_folder(folder: Path, url: str, stop: Callable[[], None] = lambda: None, **options: str) -> Remote:
    def put(name: str, content: bytes) -> None:
        remove(name)
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o444)  # as DVC leaves it

    def remove(name: str) -> None:
        (folder / name).unlink()

    return Remote(url, put, remove, stop, options)


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Remote]:
    """`stop`: the disk is not mounted."""
    yield in_folder(path / "store", str(path / "store"), lambda: (path / "store").rename(path / "elsewhere"))


@contextlib.contextmanager
def http_server(path: Path) -> Iterator[Remote]:
    """Read-only, as any server of static files."""
    with static_server(path / "store") as (url, stop):
        yield in_folder(path / "store", url, stop)


@contextlib.contextmanager
def static_server(
    path: Path, handler: type = http.server.SimpleHTTPRequestHandler
) -> Iterator[tuple[str, Callable[[], None]]]:
    path.mkdir(parents=True, exist_ok=True)
    quiet = type("Quiet", (handler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=str(path)))
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    try:
        yield f"http://127.0.0.1:{server.server_port}", stop
    finally:
        stop()


@contextlib.contextmanager
def ssh(path: Path) -> Iterator[Remote]:
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if sshd is None:
        pytest.skip("needs sshd (Debian: openssh-server)")
    pytest.importorskip("dvc_ssh")
    path.mkdir(parents=True, exist_ok=True)
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path / key], check=True)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it leaves its rights behind
    port = free_port()
    lines = (f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {path}/host", "PidFile none", "UsePAM no",
             f"AuthorizedKeysFile {path}/user.pub", "StrictModes no", "Subsystem sftp internal-sftp")  # fmt: skip
    (path / "sshd_config").write_text("\n".join(lines) + "\n")
    with running([sshd, "-D", "-e", "-f", str(path / "sshd_config")], port) as stop:
        yield in_folder(path / "store", f"ssh://127.0.0.1:{port}{path}/store", stop, keyfile=str(path / "user"),
                        timeout="20")  # fmt: skip


@contextlib.contextmanager
def webdav(path: Path) -> Iterator[Remote]:
    pytest.importorskip("dvc_webdav")
    pytest.importorskip("wsgidav")
    (path / "root/store").mkdir(parents=True)  # DVC makes the folders below, not this one
    port = free_port()
    line = [sys.executable, "-m", "wsgidav.server.server_cli", "--host=127.0.0.1", f"--port={port}",
            f"--root={path}/root", "--auth=anonymous"]  # fmt: skip
    with running(line, port) as stop:
        yield in_folder(path / "root/store", f"webdav://127.0.0.1:{port}/store", stop)


@contextlib.contextmanager
def s3(path: Path) -> Iterator[Remote]:
    pytest.importorskip("dvc_s3")
    pytest.importorskip("moto")
    import boto3

    port = free_port()
    with running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port) as stop:
        url, key, secret = f"http://127.0.0.1:{port}", "not-a-key", "not-a-secret"
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key,
                              aws_secret_access_key=secret)  # fmt: skip
        client.create_bucket(Bucket="posts")
        yield Remote(
            "s3://posts/store",
            lambda name, content: client.put_object(Bucket="posts", Key=f"store/{name}", Body=content),
            lambda name: client.delete_object(Bucket="posts", Key=f"store/{name}"),
            stop,
            dict(endpointurl=url, access_key_id=key, secret_access_key=secret, region="us-east-1"),
        )


PUSHED_TO = {"folder": folder, "ssh": ssh, "webdav": webdav, "s3": s3}


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[Callable[[], None]]:
    """A server, once it answers at its port; gives what stops it."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop() -> None:
        process.terminate()
        process.wait(timeout=30)

    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert process.poll() is None and time.monotonic() < deadline, f"{command} did not start"
            time.sleep(0.05)
        yield stop
    finally:
        stop()


def answers(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
