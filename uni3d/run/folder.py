"""The files of a run folder: how each is written, read and cleared, and whose folder it is.

What export adds is in `uni3d.run.finish`.
"""

import contextlib
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError
from uni3d.run.settings import RunConfig
from uni3d.storage.whole import replace_all

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "METRICS",
    "REPORT",
    "MetricsLog",
    "chosen_folder",
    "clear",
    "digest_of",
    "forget_replaced",
    "fresh_folder",
    "given_folder",
    "put_back",
    "read_config",
    "read_report",
    "set_aside",
    "write_config",
    "write_report",
]

CHECKPOINT, CONFIG = "checkpoint.safetensors", "config.yaml"
METRICS, REPORT = "metrics.jsonl", "report.json"
# All that a run and its export leave, config.yaml and the page's state.json apart.
LEFT = (
    CHECKPOINT,
    REPORT,
    METRICS,
    *(f"mesh.{ending}" for ending in ("glb", "obj", "ply", "stl", "3mf", "usdz", "mtl", "png")),
    "mesh-obj.zip",
    "turntable.mp4",
    "turntable.gif",
    "sheet.png",
    "live.png",
    "progress-*.png",
)
FILES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".3mf", ".usdz", ".zip")


REPLACED = ".replaced"  # a run that is to be replaced waits here for the new one's checkpoint


def _left(folder: Path) -> list[Path]:
    return [path for pattern in LEFT for path in folder.glob(pattern)]


def clear(run: Path) -> None:
    """Remove what a run left that is not to be kept. Other files stay."""
    for path in _left(run):
        path.unlink()


def set_aside(run: Path) -> None:
    """Move what an earlier run left out of a new one's way: that must not be judged by it.

    It is gone when the new run has a checkpoint (`forget_replaced`) and comes back where that
    fails before (`put_back`). Files that no run writes stay where they are.
    """
    left, aside = _left(run), run / REPLACED
    if (aside / CONFIG).is_file():  # a run that was killed without a checkpoint
        clear(run)
    elif left:
        aside.mkdir(exist_ok=True)
        if (run / CONFIG).is_file():
            shutil.copy2(run / CONFIG, aside / CONFIG)
        for path in left:
            os.replace(path, aside / path.name)


def put_back(run: Path, *, unless_begun: bool = False) -> bool:
    """Undo `set_aside`; whether there was something.

    unless_begun: only where config.yaml is still the earlier run's, a kill having come before the
    new one's was written.
    """
    aside = run / REPLACED
    if not aside.is_dir():
        return False
    with contextlib.suppress(OSError):
        if unless_begun and (run / CONFIG).read_bytes() != (aside / CONFIG).read_bytes():
            return False
    if not unless_begun:
        clear(run)
    for path in sorted(aside.iterdir(), key=lambda path: path.name == CONFIG):
        os.replace(path, run / path.name)
    aside.rmdir()
    return True


def forget_replaced(run: Path) -> None:
    """The new run has a checkpoint: the earlier one is not needed."""
    shutil.rmtree(run / REPLACED, ignore_errors=True)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, by which report.json knows its meshes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fresh_folder(wanted: Path) -> Path:
    """`wanted`, made, or with -2, -3, ... where something is there already."""
    for number in itertools.count(2):
        try:
            wanted.parent.mkdir(parents=True, exist_ok=True)
            wanted.mkdir()
            return wanted
        except FileExistsError:
            stem = wanted.name if number == 2 else wanted.name.removesuffix(f"-{number - 1}")
            wanted = wanted.with_name(f"{stem}-{number}")
    raise AssertionError("the numbers do not end")


def _ours(name: str) -> bool:
    """Whether a file is what a run killed before its first step may leave."""
    return name in (".lock", ".probe", REPLACED) or (
        name.startswith(".") and name.endswith(".part")
    )


def _holds_a_run(folder: Path) -> bool:
    """Whether config.yaml is one that a run wrote: it has a run's id, or, from before there were
    ids, every key. Somebody's own settings may have the same name."""
    try:
        config = read_config(folder)
        written = config_io.read_yaml(folder / CONFIG)
    except (CheckpointError, ConfigError):
        return False
    whole = set(config_io.to_dict(config)) - {"run_id", "caption", "memory"}
    return bool(config.prompt) and bool(config.run_id or whole <= set(written))


def chosen_folder(text: str, overwrite: bool) -> Path:
    """The folder that --out names, made. What is in it is not touched yet.

    Raises ConfigError for a file, for a folder that holds something else than a run, and for one
    that holds a run, unless it may be overwritten.
    """
    run = _expanded(text)
    if not text.strip():
        raise ConfigError("--out: got nothing; wanted a folder; do: --out FOLDER, or leave it out")
    if run.suffix.lower() in FILES and not run.is_dir():
        raise ConfigError(
            f"--out: got {text}; wanted a folder for the whole run, mesh files included; "
            f"do: --out {run.with_suffix('')} --formats {run.suffix[1:].lower()}"
        )
    if run.exists() and not run.is_dir():
        raise ConfigError(f"--out: got {text}, a file; wanted a folder; do: another name")
    if run.is_dir() and any(not _ours(path.name) for path in run.iterdir()):
        if not _holds_a_run(run):
            raise ConfigError(
                f"--out: got {text}, which holds something that is no run of uni3d; wanted a new "
                "or empty folder; do: another name"
            )
        if not overwrite:
            raise ConfigError(
                f"--out: got {text}, which holds a run; wanted a new folder; do: another name, "
                f"--overwrite to replace that run, or: uni3d resume {text}"
            )
    run.mkdir(parents=True, exist_ok=True)
    return run


def _expanded(text: str) -> Path:
    """`~` is the home folder: a shell leaves it alone in --out=~/x."""
    return Path(os.path.expanduser(text))


def given_folder(text: str) -> Path:
    """The folder of a run that somebody names. Raises CheckpointError, saying what is meant."""
    run = _expanded(text)
    if not text.strip():
        raise CheckpointError("run: got nothing; wanted the folder of a run; do: outputs/NAME")
    if run.is_file():
        raise CheckpointError(f"{run}: got a file; wanted the folder of a run; do: {run.parent}")
    if run.is_dir() and not (run / CONFIG).is_file():
        inside = sorted(path.parent.name for path in run.glob(f"*/{CONFIG}"))
        if inside:
            raise CheckpointError(
                f"{run}: got a folder of runs; wanted one of them; do: {run / inside[0]}"
            )
    return run


def write_config(config: RunConfig, run: Path) -> None:
    """Make `config` the one of the run folder."""
    replace_all({run / CONFIG: config_io.dump(config).encode()})


def read_config(run: Path) -> RunConfig:
    """The configuration of a run folder; CheckpointError where there is none."""
    if not (run / CONFIG).is_file():
        raise CheckpointError(
            f"{run}: no run there; wanted a folder with {CONFIG}; do: check the path, or make one "
            "with: uni3d PROMPT"
        )
    mapping = config_io.read_yaml(run / CONFIG)
    with config_io.naming(run / CONFIG):
        return config_io.load(RunConfig, mapping)


def read_report(run: Path) -> dict[str, Any]:
    """report.json; empty where it is missing or damaged: it can be made again."""
    try:
        report = json.loads((run / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def write_report(run: Path, entries: Mapping[str, Any], forget: tuple[str, ...] = ()) -> None:
    """Merge entries into report.json, so that stages of several commands add up."""
    old = {key: value for key, value in read_report(run).items() if key not in forget}
    replace_all({run / REPORT: (json.dumps(old | dict(entries), indent=2) + "\n").encode()})


class MetricsLog:
    """metrics.jsonl: a line a step, each on its way to the disk before the next step begins."""

    def __init__(self, run: Path, step: int) -> None:
        """Go on after `step`: later lines, and what a kill cut off, are dropped."""
        path = run / METRICS
        kept = []
        if step and path.exists():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            kept = [line for line in lines if 0 < _step_of(line) <= step]
        replace_all({path: "".join(f"{line}\n" for line in kept).encode()})
        self._file = path.open("a", encoding="utf-8")

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _step_of(line: str) -> int:
    """The step of a line of metrics.jsonl; 0 for a line that is damaged."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
    return step if type(step) is int else 0
