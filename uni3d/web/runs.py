"""The run store: one folder per run below one outputs folder, and what may be done with each.

A run made by the page has a `state.json` beside its `config.yaml`; one made by the command line
has none, and its state follows from the files it left. Ids are checked against a strict pattern
and never come from a prompt.
"""

import dataclasses
import json
import os
import re
import secrets
import shutil
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError
from uni3d.storage.lock import held, is_held
from uni3d.storage.whole import replace_all

__all__ = ["ACTIVE", "DAMAGE", "SERVABLE", "RunState", "RunStore", "Summary"]

ID = re.compile(r"\w[\w .+-]{0,119}")  # a folder name: no separators, no leading dot
ACTIVE = ("queued", "running")
STATES = (*ACTIVE, "interrupted", "cancelled", "done", "failed")
# What the page may hand out of a run folder: pictures and meshes, not the texts of its owner.
SERVABLE = (
    "mesh.glb",
    "mesh.obj",
    "mesh.ply",
    "mesh.stl",
    "mesh.3mf",
    "mesh.usdz",
    "mesh-obj.zip",
    "turntable.mp4",
    "turntable.gif",
    "sheet.png",
    "live.png",
)
# What reading JSON raises where bytes were changed, and what its numbers do when used.
DAMAGE = (TypeError, ValueError, OverflowError, RecursionError)
NOT_THERE = "run: there is no such run here; do: choose one from the gallery"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunState:
    """What `state.json` holds. Times in seconds; `created` is Unix time."""

    state: str
    owner: str = ""
    created: float = 0.0
    stage: str = ""
    step: int = 0
    steps: int = 0
    seconds: float = 0.0  # optimising, all sessions together
    eta: float = -1.0  # seconds to go, negative when not known
    note: str = ""  # something the person should know
    error: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """A run as lists show it."""

    run_id: str
    state: RunState
    config: dict[str, Any]

    @property
    def prompt(self) -> str:
        return str(self.config.get("prompt", ""))

    @property
    def label(self) -> str:
        """Method, divergence and seed in one short text."""
        method = str(self.config.get("method", "?"))
        divergence = str(self.config.get("divergence") or "")
        named = f"{method} ({divergence})" if divergence else method
        steps = "" if self.state.state in ACTIVE else f", {self.state.step} steps"
        return f"{named}, seed {self.config.get('seed', '?')}{steps}"


class RunStore:
    """All runs below `root`. `user` is the name that logged in, "" where nobody has to."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root.resolve()
        self._configs: dict[str, tuple[int, dict[str, Any]]] = {}  # when written, what it says
        self._lock = threading.Lock()

    def create(self, config, owner: str) -> str:
        """A folder for a new run, queued; its id, which nobody can guess."""
        run_id = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(8)
        folder = self.root / run_id
        folder.mkdir()
        replace_all({folder / "config.yaml": config_io.dump(config).encode()})
        state = RunState(state="queued", owner=owner, created=time.time(), steps=config.steps)
        self.write(run_id, state)
        return run_id

    def folder(self, run_id: Any, user: str = "") -> Path:
        """The folder of a run that `user` may see.

        Raises CheckpointError, the same for a bad id, a missing run and somebody else's.
        """
        if not isinstance(run_id, str) or not ID.fullmatch(run_id):
            raise CheckpointError(NOT_THERE)
        folder = self.root / run_id
        if folder.is_symlink() or not (folder / "config.yaml").is_file():
            raise CheckpointError(NOT_THERE)
        if user and self.state(run_id).owner != user:
            raise CheckpointError(NOT_THERE)
        return folder

    def state(self, run_id: str) -> RunState:
        """The state of a run whose id was checked."""
        folder = self.root / run_id
        try:
            values = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            state = _checked(RunState(**values))
            if state.state not in STATES:
                raise ValueError(state.state)
            if state.state not in ACTIVE and is_held(folder):
                return dataclasses.replace(state, state="running")  # from a command line
            return state
        except FileNotFoundError:
            return self._state_of_files(folder)
        except (OSError, *DAMAGE):
            return RunState(state="failed", error="state.json of this run is damaged")

    def _state_of_files(self, folder: Path) -> RunState:
        report = self.report(folder.name)
        config, made = self.config(folder.name), (folder / "config.yaml").stat().st_mtime
        state = "interrupted" if report.get("interrupted") or "mesh" not in report else "done"
        if is_held(folder):
            state = "running"  # from a command line
        try:
            return _checked(
                RunState(
                    state=state,
                    created=made,
                    step=int(report.get("steps_done", 0)),
                    steps=int(config.get("steps", 0)),
                    seconds=float(report.get("seconds_optimise", 0.0)),
                )
            )
        except DAMAGE:
            return RunState(state="failed", created=made, error="the files of this run are damaged")

    def write(self, run_id: str, state: RunState) -> None:
        """Replace state.json whole."""
        path = self.root / run_id / "state.json"
        temporary = path.with_name(f".state.{threading.get_ident()}.part")
        temporary.write_text(json.dumps(dataclasses.asdict(state)), encoding="utf-8")
        os.replace(temporary, path)

    def change(self, run_id: str, **changes: Any) -> RunState:
        """The state with some fields changed, written."""
        with self._lock:
            state = dataclasses.replace(self.state(run_id), **changes)
            self.write(run_id, state)
        return state

    def config(self, run_id: str) -> dict[str, Any]:
        """config.yaml as plain data; empty when damaged. YAML is slow to read, so it is kept."""
        path = self.root / run_id / "config.yaml"
        try:
            written = path.stat().st_mtime_ns
            if self._configs.get(run_id, (0, {}))[0] != written:
                self._configs[run_id] = written, config_io.read_yaml(path)
            return self._configs[run_id][1]
        except (OSError, ConfigError):
            return {}

    def report(self, run_id: str) -> dict[str, Any]:
        """report.json, or an empty mapping."""
        try:
            values = json.loads((self.root / run_id / "report.json").read_text(encoding="utf-8"))
            return values if isinstance(values, dict) else {}
        except (OSError, *DAMAGE):
            return {}

    def metrics(self, run_id: str) -> dict[str, list[tuple[int, float]]]:
        """The curves of a run: name -> (step, value), each step once and in order."""
        steps: dict[int, dict[str, Any]] = {}
        try:
            with (self.root / run_id / "metrics.jsonl").open(
                encoding="utf-8", errors="replace"
            ) as lines:
                for line in lines:
                    try:
                        entry = json.loads(line)
                        step = int(entry.pop("step"))
                        if 0 <= step < 1e9:
                            steps[step] = entry
                    except (*DAMAGE, KeyError, AttributeError):
                        continue  # the last line of a server that was killed
        except OSError:
            return {}
        curves: dict[str, list[tuple[int, float]]] = {}
        for step in sorted(steps):
            for name, value in steps[step].items():
                if isinstance(value, (int, float)) and abs(value) < 1e300:  # not NaN either
                    curves.setdefault(name, []).append((step, float(value)))
        return curves

    def summary(self, run_id: str, user: str = "") -> Summary:
        self.folder(run_id, user)
        return Summary(run_id=run_id, state=self.state(run_id), config=self.config(run_id))

    def runs(self, user: str = "") -> list[Summary]:
        """The runs `user` may see, newest first."""
        found = []
        for folder in self.root.iterdir():
            try:
                found.append(self.summary(folder.name, user))
            except (CheckpointError, OSError):
                continue  # not a run, not theirs, or deleted while we looked
        return sorted(found, key=lambda one: -one.state.created)

    def files(self, run_id: str, user: str = "") -> dict[str, Path]:
        """What the run left that may be handed out: file name -> path. The OBJ comes zipped too."""
        folder = self.folder(run_id, user)
        there = {name: folder / name for name in SERVABLE if (folder / name).is_file()}
        if "mesh.obj" in there and self.state(run_id).state not in ACTIVE:
            there["mesh-obj.zip"] = _zipped(folder)
        pictures = sorted(folder.glob("progress-*.png"))
        if pictures and "live.png" not in there:
            there["live.png"] = pictures[-1]
        return there

    def delete(self, run_id: str, user: str = "") -> None:
        """Remove a run that is not active, with all its files."""
        folder = self.folder(run_id, user)
        if self.state(run_id).state in ACTIVE:
            raise CheckpointError("run: it is still queued or running; do: cancel it first")
        with held(folder):  # a command line may begin at this moment
            shutil.rmtree(folder)
        self._configs.pop(run_id, None)

    def mark_interrupted(self) -> None:
        """On start: what a server left as queued or running when it ended is interrupted."""
        for one in self.runs():
            if one.state.state in ACTIVE and not is_held(self.root / one.run_id):
                report = self.report(one.run_id)
                whole = "mesh" in report and report.get("steps_done") == one.state.steps
                state = "done" if whole else "interrupted"  # done: only its files were to be made
                self.change(one.run_id, state=state, stage="", eta=-1.0)

    def left_out(self) -> list[str]:
        """Names of folders with a run that are not shown: links, and names with odd letters."""
        return sorted(
            path.name
            for path in self.root.iterdir()
            if (path / "config.yaml").is_file()
            and (path.is_symlink() or not ID.fullmatch(path.name))
        )


def _checked(state: RunState) -> RunState:
    """The state, if every field is of its type and every number finite; else ValueError."""
    for field in dataclasses.fields(RunState):
        value, wanted = getattr(state, field.name), type(field.default)
        if field.name == "state" or wanted is str:
            good = isinstance(value, str)
        else:
            kinds = (int, float) if wanted is float else int
            good = isinstance(value, kinds) and abs(value) < 1e15
        if not good or isinstance(value, bool):
            raise ValueError(field.name)
    return state


def _zipped(folder: Path) -> Path:
    """mesh.obj with its material and texture in one archive, made anew when the OBJ is newer."""
    path, source = folder / "mesh-obj.zip", folder / "mesh.obj"
    if path.is_file() and path.stat().st_mtime_ns >= source.stat().st_mtime_ns:
        return path
    temporary = folder / f".mesh-obj.{threading.get_ident()}.part"
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in (source, *sorted(folder.glob("mesh*.mtl")), *sorted(folder.glob("mesh*.png"))):
            archive.write(part, part.name)
    os.replace(temporary, path)
    return path
