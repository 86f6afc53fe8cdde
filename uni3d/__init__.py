"""uni3d: a sentence to a textured 3D mesh, by Uni-Instruct f-divergence distillation."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uni3d import instruct as instruct
    from uni3d.api import Result, configure, generate, load_run, refine, render, start
    from uni3d.cameras import Cameras
    from uni3d.run.settings import RunConfig
    from uni3d.teacher.own import OwnTeacher

__version__ = "0.1.0"
__all__ = [
    "Cameras",
    "OwnTeacher",
    "Result",
    "RunConfig",
    "__version__",
    "configure",
    "generate",
    "load_run",
    "refine",
    "render",
    "start",
]

# Where a public name lives; it is loaded when first used (PEP 562), so importing uni3d is free.
_HOME: dict[str, str] = {
    "Cameras": "cameras",
    "OwnTeacher": "teacher.own",
    "Result": "api",
    "RunConfig": "run.settings",
    "configure": "api",
    "generate": "api",
    "load_run": "api",
    "refine": "api",
    "render": "api",
    "start": "api",
}


def __getattr__(name: str) -> Any:
    if name == "instruct":
        return importlib.import_module("uni3d.instruct")
    if name not in _HOME:
        raise AttributeError(f"module 'uni3d' has no attribute {name!r}")
    return getattr(importlib.import_module(f"uni3d.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
