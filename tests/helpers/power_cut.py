"""A small file system that forgets at a power cut what was not flushed: `python power_cut.py FOLDER` mounts one.

What a file holds is on disk after its fsync, what a folder lists after the folder's. Of all that came later a cut keeps
any part: of a file the old bytes, the new ones, the new ones cut off or with old or empty blocks among them; of a name
any file that it stood for since, the two names of a renaming apart. A random generator with a seed chooses.

It is steered by extended attributes of its root: `user.settle` (all is on disk, and the state to come back to),
`user.again` (back to it), `user.cut_at` N (the N-th change from now fails, and all after it), `user.power` SEED (on
again), `user.changes` (how many changes there were since one of these).
"""

from __future__ import annotations

import copy
import errno
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

BLOCK = 512  # bytes that a disk writes at once


def why_not() -> str:
    """Why none can be mounted here; empty where it can be tried."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "there is no /dev/fuse that may be used"
    if shutil.which("fusermount3") is None:
        return "there is no fusermount3 (Debian: apt install fuse3)"
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        return f"no mfusepy: {error}"
    return ""


class PowerCut:
    """A mounted file system, for tests."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        self.process = subprocess.Popen([sys.executable, __file__, str(folder)], stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while not os.path.ismount(self.folder) and self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)

    @property
    def is_mounted(self) -> bool:
        return os.path.ismount(self.folder)

    def tell(self, what: str, value: int = 0) -> None:
        """And mounts it anew, since the kernel keeps pages of what is there no longer; nobody may be in it then."""
        here = Path.cwd()
        os.setxattr(self.folder, f"user.{what}", str(value).encode())
        os.chdir(self.folder.parent)
        subprocess.run(["fusermount3", "-u", str(self.folder)], check=True)
        self._wait()
        os.chdir(here)

    @property
    def changes(self) -> int:
        return int(os.getxattr(self.folder, "user.changes"))

    def unmount(self) -> None:
        self.process.kill()
        self.process.wait()
        subprocess.run(["fusermount3", "-u", "-z", str(self.folder)], check=False)


class File:
    def __init__(self, mode: int):
        self.mode, self.mtime = stat.S_IFREG | mode, time.time_ns()
        self.data, self.on_disk = bytearray(), b""

    def flush(self) -> None:
        self.on_disk = bytes(self.data)

    def after_a_cut(self, choose: random.Random) -> None:
        new, old = bytes(self.data), self.on_disk
        if new != old:
            self.data = bytearray(
                choose.choice([old, new, new[: choose.randint(0, len(new))], mixed(old, new, choose)])
            )
        self.flush()


class Folder:
    def __init__(self, mode: int = 0o755):
        self.mode, self.mtime = stat.S_IFDIR | mode, time.time_ns()
        self.entries: dict[str, File | Folder] = {}
        self.flush()

    def flush(self) -> None:
        # For each name what it stood for since the last fsync, None for nothing.
        self.stood_for: dict[str, list[File | Folder | None]] = {name: [each] for name, each in self.entries.items()}

    def set(self, name: str, node: File | Folder | None) -> None:
        self.stood_for.setdefault(name, [None]).append(node)
        if node is None:
            del self.entries[name]
        else:
            self.entries[name] = node

    def after_a_cut(self, choose: random.Random) -> None:
        kept = {name: choose.choice(nodes) for name, nodes in self.stood_for.items()}
        self.entries = {name: node for name, node in kept.items() if node is not None}
        for node in self.entries.values():
            node.after_a_cut(choose)
        self.flush()

    def settle(self) -> None:
        for node in self.entries.values():
            node.settle() if isinstance(node, Folder) else node.flush()
        self.flush()


def mixed(old: bytes, new: bytes, choose: random.Random) -> bytes:
    """The length of the new content, with blocks of the old one or of zeros."""
    blocks = (slice(start, min(start + BLOCK, len(new))) for start in range(0, len(new), BLOCK))
    old = old.ljust(len(new), b"\0")
    return b"".join(choose.choice([new[block], old[block]]) for block in blocks)


def operations():
    """The file system as mfusepy wants it."""
    import mfusepy

    class Volatile(mfusepy.Operations):
        use_ns = True

        def __init__(self):
            self.root, self.settled = Folder(), Folder()
            self.changes, self.cut_at = 0, None

        # Steering.

        def setxattr(self, path, name, value, options, position=0):
            value, what = int(value), name.removeprefix("user.")
            if what == "settle":
                self.root.settle()
                self.settled = copy.deepcopy(self.root)
            elif what == "again":
                self.root = copy.deepcopy(self.settled)
            elif what == "power":
                self.root.after_a_cut(random.Random(value))
            elif what != "cut_at":
                raise mfusepy.FuseOSError(errno.ENOTSUP)
            self.changes, self.cut_at = 0, value if what == "cut_at" else None
            return 0

        def getxattr(self, path, name, position=0):
            if name != "user.changes":
                raise mfusepy.FuseOSError(errno.ENODATA)
            return str(self.changes).encode()

        def changed(self):
            self.changes += 1
            self.powered()

        def powered(self):
            if self.cut_at is not None and self.changes >= self.cut_at:
                raise mfusepy.FuseOSError(errno.EIO)

        # Looking.

        def find(self, path):
            self.powered()
            node = self.root
            for part in PurePosixPath(path).parts[1:]:
                node = node.entries.get(part) if isinstance(node, Folder) else None
                if node is None:
                    raise mfusepy.FuseOSError(errno.ENOENT)
            return node

        def above(self, path):
            path = PurePosixPath(path)
            return self.find(path.parent), path.name

        def getattr(self, path, fh=None):
            node = self.find(path) if path != "/" else self.root  # steered also while it is off
            size = len(node.data) if isinstance(node, File) else 0
            times = {name: node.mtime for name in ("st_atime", "st_mtime", "st_ctime")}
            return {"st_mode": node.mode, "st_size": size, "st_nlink": 1, "st_uid": os.getuid(), **times}

        def readdir(self, path, fh):
            return [".", "..", *self.find(path).entries]

        def open(self, path, flags):
            self.find(path)
            return self.truncate(path, 0) if flags & os.O_TRUNC else 0  # libfuse 3 leaves that to us

        def read(self, path, size, offset, fh):
            return bytes(self.find(path).data[offset : offset + size])

        def statfs(self, path):
            return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1 << 20, "f_bavail": 1 << 19, "f_bfree": 1 << 19}

        # Changing.

        def create(self, path, mode, fi=None):
            self.changed()
            folder, name = self.above(path)
            folder.set(name, File(mode & 0o777))
            return 0

        def write(self, path, data, offset, fh):
            self.changed()
            file = self.find(path)
            file.data.extend(b"\0" * (offset - len(file.data)))
            file.data[offset : offset + len(data)] = data
            file.mtime = time.time_ns()
            return len(data)

        def truncate(self, path, length, fh=None):
            self.changed()
            file = self.find(path)
            file.data = file.data[:length].ljust(length, b"\0")
            file.mtime = time.time_ns()
            return 0

        def mkdir(self, path, mode):
            self.changed()
            folder, name = self.above(path)
            folder.set(name, Folder(mode & 0o777))
            return 0

        def unlink(self, path):
            self.changed()
            folder, name = self.above(path)
            self.find(path)
            folder.set(name, None)
            return 0

        rmdir = unlink

        def rename(self, old, new):
            self.changed()
            node = self.find(old)
            (source, old_name), (target, new_name) = self.above(old), self.above(new)
            target.set(new_name, node)
            source.set(old_name, None)
            return 0

        def chmod(self, path, mode):
            self.changed()
            node = self.find(path)
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
            return 0

        def utimens(self, path, times=None):
            self.find(path).mtime = times[1] if times else time.time_ns()
            return 0

        def fsync(self, path, datasync, fh):
            self.changed()
            self.find(path).flush()
            return 0

        def fsyncdir(self, path, datasync, fh):
            return self.fsync(path, datasync, fh)

    return Volatile()


def main(folder: str) -> None:
    import mfusepy

    disk = operations()
    while True:  # mounted anew, with what it holds, until the process is killed
        mfusepy.FUSE(disk, folder, foreground=True, nothreads=True)


if __name__ == "__main__":
    main(sys.argv[1])
