"""What a batch leaves: a folder an object, and the history of all of them.

    DIR/NAME/            a whole object: a run folder with its status.json
    DIR/.work/NAME/      an object begun; moved to DIR/NAME by one rename when it is whole
    DIR/manifest.jsonl   a line for everything that happened; never rewritten

Whoever holds the lock of DIR/.work/NAME makes the object. A kill lets go of the lock, and what was
made so far is gone on with. That DIR/NAME is there means that the object is done.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from uni3d.errors import CheckpointError
from uni3d.run.folder import read_report
from uni3d.storage.lock import held, is_held
from uni3d.storage.whole import replace_all

__all__ = ["MANIFEST", "STATUS", "Entry", "Record", "Status", "facts_of"]

MANIFEST, STATUS, WORK = "manifest.jsonl", "status.json", ".work"
STATES = ("queued", "running", "done", "failed")
CHUNK = 1 << 16  # bytes of one write of many lines


@dataclasses.dataclass(frozen=True, kw_only=True)
class Status:
    """status.json of an object. Before there is one, it is queued.

    attempts: how often it was begun, kills included. failures: how many of these ended in `error`.
    seconds: of work, all attempts together. started: Unix time of the running attempt.
    """

    state: str = "queued"
    attempts: int = 0
    failures: int = 0
    seconds: float = 0.0
    started: float = 0.0
    error: str = ""
    host: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """An object as the manifest tells it: the last word on everything."""

    name: str
    state: str
    facts: dict[str, Any]  # prompt, seed, line, seconds, attempts, error, note, formats, ...


class Record:
    """The folder of a batch."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def whole(self, name: str) -> Path:
        return self.root / name

    def working(self, name: str) -> Path:
        return self.root / WORK / name

    def is_whole(self, name: str) -> bool:
        return (self.root / name / STATUS).is_file()

    def is_running(self, name: str) -> bool:
        """Whether some process makes it now."""
        return is_held(self.working(name))

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[Path | None]:
        """The working folder, held by this process alone; None where the object is whole.

        Raises CheckpointError where another process makes it.
        """
        folder = self.working(name)
        with contextlib.ExitStack() as stack:
            while not self.is_whole(name):
                folder.mkdir(parents=True, exist_ok=True)
                try:
                    stack.enter_context(held(folder))
                    break
                except FileNotFoundError:  # it was moved to its place at this moment
                    continue
            # Made by another between our look and our lock: what we hold is a new, empty folder.
            if self.is_whole(name):
                if folder.is_dir():
                    with contextlib.suppress(OSError):
                        (folder / ".lock").unlink()
                        folder.rmdir()
                yield None
                return
            yield folder

    def finish(self, name: str) -> None:
        """Move a claimed object to its place. What is in it is on the disk before."""
        for path in self.working(name).iterdir():
            if path.is_file():
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
        os.rename(self.working(name), self.whole(name))
        directory = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def status(self, name: str) -> Status:
        """Its status.json; the one of an object not begun where there is none, or a damaged one."""
        for folder in (self.whole(name), self.working(name)):
            try:
                values = json.loads((folder / STATUS).read_text(encoding="utf-8"))
                status = Status(**values)
                if status.state in STATES:
                    return status
            except (OSError, ValueError, TypeError, RecursionError):
                continue
        return Status()

    def write_status(self, folder: Path, status: Status) -> None:
        text = json.dumps(dataclasses.asdict(status), indent=2)
        replace_all({folder / STATUS: f"{text}\n".encode()})

    def append(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Add lines to the manifest: whole lines, whoever else adds some at the same time."""
        self.root.mkdir(parents=True, exist_ok=True)
        stamp = {"time": round(time.time(), 3), "host": socket.gethostname(), "pid": os.getpid()}
        lines = [json.dumps({**event, **stamp}, ensure_ascii=False) + "\n" for event in events]
        with (self.root / MANIFEST).open("a+b", buffering=0) as file:
            # O_APPEND suffices on a local disk; over a network the lock is what keeps lines whole.
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            size = os.fstat(file.fileno()).st_size
            torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            chunk = b"\n" if torn else b""  # a full disk or a kill cut the last line off
            for line in lines:
                chunk += line.encode("utf-8", "replace")
                if len(chunk) >= CHUNK:
                    file.write(chunk)
                    chunk = b""
            if chunk:
                file.write(chunk)

    def events(self) -> Iterator[dict[str, Any]]:
        """The lines of the manifest; damaged ones are left out."""
        try:
            with (self.root / MANIFEST).open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    with contextlib.suppress(ValueError, RecursionError):
                        event = json.loads(line)
                        if isinstance(event, dict) and isinstance(event.get("event"), str):
                            yield event
        except FileNotFoundError:
            return

    def entries(self) -> dict[str, Entry]:
        """Every object that the manifest knows, by name, in the order in which it was queued."""
        facts: dict[str, dict[str, Any]] = {}
        states: dict[str, str] = {}
        for event in self.events():
            name, state = event.get("name"), event["event"]
            if not isinstance(name, str):
                continue
            facts.setdefault(name, {}).update(event)
            if state in STATES and states.get(name) != "done":
                states[name] = state
        return {n: Entry(name=n, state=states.get(n, "queued"), facts=facts[n]) for n in facts}

    def catch_up(self, names: Iterable[str]) -> None:
        """Tell the manifest of objects that are whole, and whose maker was killed before it did."""
        recorded = {name for name, entry in self.entries().items() if entry.state == "done"}
        for name in names:
            if name in recorded or not self.is_whole(name):
                continue
            with contextlib.suppress(CheckpointError, OSError), held(self.whole(name)):
                # Its maker holds the lock until it has told; so may have done another catcher-up.
                if self.entries()[name].state != "done":
                    status = self.status(name)
                    done = {"seconds": status.seconds, "attempts": status.attempts}
                    self.append(
                        [{"event": "done", "name": name, **done, **facts_of(self.whole(name))}]
                    )


def facts_of(folder: Path) -> dict[str, Any]:
    """What a finished run folder says of its object, for the manifest and the page."""
    report = read_report(folder)
    facts: dict[str, Any] = {"silhouette_iou": report.get("silhouette_iou")}
    mesh, verdict = report.get("mesh"), report.get("recogniser")
    if isinstance(mesh, dict):
        facts |= {"faces": mesh.get("faces"), "watertight": mesh.get("watertight")}
    if isinstance(verdict, dict):
        facts |= {"right_views": verdict.get("right_views"), "views": verdict.get("views")}
        facts["kinds"] = verdict.get("kinds")
    facts["files"] = sorted(path.name for path in folder.glob("mesh.*"))
    return facts
