"""The prompt of a run as its teacher takes it: as a caption of its own, where it can read."""

import dataclasses

from uni3d.errors import PromptError
from uni3d.run.settings import RunConfig
from uni3d.teacher.abilities import abilities_of, teacher_for

__all__ = ["read_prompt"]


def read_prompt(
    config: RunConfig, *, strict: bool = False, anyway: bool = False
) -> tuple[RunConfig, str]:
    """The configuration with the teacher and the caption for its prompt, and a line for the reader.

    A teacher that cannot read gets the prompt itself. Raises PromptError before any work where
    the teacher does not know the subject (unless `anyway`: then it gets the prompt), or, if
    `strict`, where anything is left out.
    """
    asked = config.teacher.name
    name = teacher_for(asked, config.prompt)
    if name != asked:
        config = dataclasses.replace(config, teacher=dataclasses.replace(config.teacher, name=name))
    able = abilities_of(name)
    if able is None:
        return config, ""
    reading = able.read(config.prompt)
    if not reading.drawable:
        if anyway:
            return config, f"{name}: {reading.note}; going on with the words as they are"
        raise PromptError(
            f"{name}: {reading.note}; do: use one of these, or --anyway (on the page: Advanced)"
        )
    if strict and not reading.understood:
        raise PromptError(f"{name}: {reading.note}; do: leave these words out, or drop --strict")
    config = dataclasses.replace(config, caption=reading.caption)
    notes = [reading.note] if reading.note else []
    if name != asked:  # it is not as sure of what it draws, and that should be known
        notes.append(f"drawn by it, as {asked} does not know the subject")
    return config, f"{name}: {'; '.join(notes)}" if notes else ""
