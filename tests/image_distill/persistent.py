"""Snapshots in the published structure, made here: modules as EDM's `persistence` pickles them."""

import contextlib
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

from torch import nn

_HOME = "torch_utils.persistence"


class Persistent:
    """Pickles as a call of the published loader with what it is given; nothing of it is code."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = {"type": "class", "version": 6, "module_src": "", "class_name": class_name}
        self.meta["state"] = state

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return sys.modules[_HOME]._reconstruct_persistent_obj, (self.meta,)


def module(source: nn.Module, class_name: str, **state: Any) -> Persistent:
    """`source` and all below it; containers stay torch's own, as in the published files."""
    children: OrderedDict[str, Any] = OrderedDict()
    for name, child in source.named_children():
        if isinstance(child, nn.ModuleDict):
            container = nn.ModuleDict()
            for key, entry in child.items():
                container._modules[key] = module(entry, type(entry).__name__)  # type: ignore
            children[name] = container
        else:
            children[name] = module(child, type(child).__name__)
    return Persistent(
        class_name,
        {
            "training": False,
            "_parameters": OrderedDict(source.named_parameters(recurse=False)),
            "_buffers": OrderedDict(source.named_buffers(recurse=False)),
            "_modules": children,
            "_init_args": (),
            **state,
        },
    )


@contextlib.contextmanager
def _published_loader():
    package, home = types.ModuleType("torch_utils"), types.ModuleType(_HOME)

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("this must not run")

    _reconstruct_persistent_obj.__module__ = _HOME
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    home._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore
    package.persistence = home  # type: ignore
    sys.modules |= {"torch_utils": package, _HOME: home}
    try:
        yield
    finally:
        del sys.modules["torch_utils"], sys.modules[_HOME]


def write_snapshot(path: Path, content: dict[str, Any]) -> Path:
    """The pickle of a snapshot whose modules are `Persistent`."""
    with _published_loader():
        path.write_bytes(pickle.dumps(content, protocol=4))
    return path
