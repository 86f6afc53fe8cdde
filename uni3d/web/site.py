"""What the page and the API both do: check a request, queue it, look a run up. No gradio here."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError
from uni3d.run.presets import PRESETS, STEPS, VIEWS
from uni3d.storage.whole import replace_all
from uni3d.web.requests import (
    LIMITS,
    LONGEST,
    parse_formats,
    parse_request,
    to_config,
    whole,
)
from uni3d.web.runs import ACTIVE, RunStore, Summary
from uni3d.web.words import small
from uni3d.web.worker import Job, Worker

__all__ = ["Site"]

ENGINE_SECONDS = 60.0  # that a reading waits for the engine


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """One server. `base`: its own differences from the presets; `teachers`: names to folders.

    `separate`: several people log in, and each sees their own runs only.
    """

    store: RunStore
    worker: Worker
    base: Mapping[str, Any]
    teachers: Mapping[str, str]
    separate: bool = False

    @functools.cached_property
    def instant(self) -> bool:
        """Whether the first teacher has a network that makes objects in one pass."""
        return self._instant_weights() is not None

    @functools.cached_property
    def instant_varies(self) -> bool:
        """Whether that network makes another object for another seed."""
        from uni3d.instant.files import varies

        weights = self._instant_weights()
        return weights is not None and varies(weights)

    def _instant_weights(self) -> Path | None:
        from uni3d.instant.files import find_weights

        named = self.base.get("instant", {}).get("weights", "")
        return find_weights(named, next(iter(self.teachers.values())))

    def user(self, request: Any) -> str:
        """The owner that counts for a gradio request; "" where all see all."""
        return str(getattr(request, "username", None) or "") if self.separate else ""

    def preset(self, name: str) -> dict[str, int]:
        """Steps and views that a preset stands for on this server."""
        values = {"steps": STEPS, "views": VIEWS} | PRESETS[name]
        return {key: int(self.base.get(key, values[key])) for key in ("steps", "views")}

    def reading(self, prompt: Any, teacher: Any) -> str:
        """What the teacher makes of a prompt while it is typed, as HTML; "" where it cannot say.

        Waits for the engine: what is typed before it is there must be read too.
        """
        if not (isinstance(prompt, str) and prompt.strip() and len(prompt) <= LONGEST):
            return ""
        if teacher not in list(self.teachers) or not self.worker.ready.wait(ENGINE_SECONDS):
            return ""
        from uni3d.teacher.abilities import abilities_of, teacher_for

        able = abilities_of(teacher_for(self.teachers[teacher], prompt))
        return small(able.read(prompt).note) if able else ""

    def start(self, values: Mapping[str, Any], user: str) -> str:
        """Queue a new run and return its id. ConfigError or PromptError for a bad request."""
        from uni3d.run.prompt import read_prompt

        request = parse_request(values, self.teachers)
        config = to_config(request, self.base, self.teachers)
        config, _ = read_prompt(config, anyway=request.anyway)
        run_id = self.store.create(config, user)
        try:
            self.worker.submit(Job(kind="make", run_id=run_id, owner=user))
        except ConfigError:
            self.store.change(run_id, state="failed")
            self.store.delete(run_id)
            raise
        return run_id

    def proceed(self, run_id: Any, more: Any, user: str) -> None:
        """Continue a run that was stopped; `more` steps on top where it is above 0."""
        folder = self.store.folder(run_id, user)
        self._idle(run_id)
        state, mapping = self.store.state(run_id), dict(self.store.config(run_id))
        extra = 0 if more == 0 and not isinstance(more, bool) else whole("steps", more)
        steps = mapping.get("steps", STEPS)
        if type(steps) is not int:
            raise ConfigError("run: its config.yaml is damaged; do: delete it and make it again")
        steps += extra
        if steps > LIMITS["steps"][1]:
            raise ConfigError(
                f"steps: got {steps} in all; wanted at most {LIMITS['steps'][1]}; do: add fewer"
            )
        if state.step >= steps:
            raise ConfigError("steps: this run has done all of its own; do: add more steps")
        path = folder / "config.yaml"
        before = path.read_bytes()
        if extra:
            from uni3d.run.settings import RunConfig

            config = config_io.load(RunConfig, mapping | {"steps": steps})
            replace_all({path: config_io.dump(config).encode()})
        try:
            self.worker.submit(Job(kind="resume", run_id=run_id, owner=user))
        except ConfigError:  # refused: the run is as long as it was
            replace_all({path: before})
            raise

    def export(self, run_id: Any, formats: Any, user: str) -> None:
        """Write the mesh files of a run again."""
        folder, chosen = self.store.folder(run_id, user), parse_formats(formats)
        self._idle(run_id)
        if not (folder / "checkpoint.safetensors").is_file():
            raise CheckpointError("run: it stopped before its first checkpoint; do: continue it")
        self.worker.submit(Job(kind="export", run_id=run_id, owner=user, formats=chosen))

    def left_out(self) -> list[str]:
        """Folders with a run that are not shown, for a page that one person looks at: names are
        not for the others."""
        return [] if self.separate else self.store.left_out()

    def cancel(self, run_id: Any, user: str) -> None:
        self.store.folder(run_id, user)
        self.worker.cancel(run_id)

    def delete(self, run_id: Any, user: str) -> None:
        self.store.folder(run_id, user)
        self._idle(run_id)
        self.store.delete(run_id, user)

    def _idle(self, run_id: str) -> None:
        if self.store.state(run_id).state in ACTIVE:
            raise CheckpointError("run: it is queued or running; do: cancel it or wait for it")

    def find(self, run_id: Any, user: str) -> tuple[Summary, dict[str, Path]] | None:
        """A run and its files, or None where there is none that this user may see."""
        try:
            return self.store.summary(run_id, user), self.store.files(run_id, user)
        except (CheckpointError, OSError):
            return None

    def status(self, run_id: str, user: str) -> dict[str, Any]:
        """A run as plain data, for the API."""
        one = self.store.summary(run_id, user)
        state = dataclasses.asdict(one.state)
        keys = ("state", "stage", "step", "steps", "seconds", "eta", "note", "error")
        return {
            "run": run_id,
            "prompt": one.prompt,
            **{key: state[key] for key in keys},
            "ahead": self.worker.position(run_id),
            "files": sorted(self.store.files(run_id, user)),
            "report": self.store.report(run_id),
        }
