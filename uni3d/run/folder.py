"""The files of a run folder, and how each is written and read.

What export adds is in `uni3d.run.finish`.
"""

import json
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.errors import CheckpointError
from uni3d.run.settings import RunConfig

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "METRICS",
    "REPORT",
    "read_config",
    "write_config",
    "write_report",
]

CHECKPOINT, CONFIG = "checkpoint.safetensors", "config.yaml"
METRICS, REPORT = "metrics.jsonl", "report.json"


def write_config(config: RunConfig, run: Path) -> None:
    """Make `config` the one of the run folder."""
    temporary = (run / CONFIG).with_suffix(".tmp")
    temporary.write_text(config_io.dump(config), encoding="utf-8")
    temporary.replace(run / CONFIG)


def read_config(run: Path) -> RunConfig:
    """The configuration of a run folder; CheckpointError where there is none."""
    if not (run / CONFIG).is_file():
        raise CheckpointError(f"{run}: no run there; wanted a folder with {CONFIG}")
    return config_io.load(RunConfig, config_io.read_yaml(run / CONFIG))


def write_report(run: Path, entries: dict[str, Any]) -> None:
    """Merge entries into report.json, so that stages of several commands add up."""
    path = run / REPORT
    old = json.loads(path.read_text()) if path.exists() else {}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(old | entries, indent=2) + "\n")
    temporary.replace(path)
