"""Reads the published `.pkl` checkpoints without running anything that they contain.

A pickle is a program: it may name any function and call it. Here the few names that a checkpoint
needs stand for small inert replacements of our own, and every other name is refused before it is
looked up. The program text that the files carry (`module_src`) is dropped unread.
"""

import collections
import io
import math
import pickle
import re
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch._utils import _rebuild_tensor

from uni3d.errors import CheckpointError

__all__ = ["ModuleNode", "UnsafePickleError", "read_pickle", "reason_of"]


class UnsafePickleError(CheckpointError):
    """The pickle asks for something outside the allow-list."""


class ModuleNode:
    """What is left of a module: its class name and its attributes. It has no behaviour."""

    __slots__ = ("class_name", "state")

    class_name: str
    state: Any

    def __new__(cls, class_name: Any = "ModuleDict", state: Any = None) -> "ModuleNode":
        # Not __init__: unpickling may skip that one.
        node = super().__new__(cls)
        node.class_name = class_name if isinstance(class_name, str) else "?"
        node.state = state
        return node

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def children(self, kind: str) -> dict[str, Any]:
        """`kind`: "_modules", "_parameters" or "_buffers"; without those that are None."""
        found = self.state.get(kind) if isinstance(self.state, dict) else None
        if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
            raise CheckpointError(
                f"module {self.class_name[:80]!r} has no {kind} dict; do: download the file again"
            )
        return {name: value for name, value in found.items() if value is not None}

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """The state dict under this node: dotted names in the order of `nn.Module.state_dict`."""
        result: dict[str, Tensor] = {}
        for kind in ("_parameters", "_buffers"):
            for name, value in self.children(kind).items():
                if not isinstance(value, Tensor):
                    raise CheckpointError(
                        f"{prefix}{name} is a {type(value).__name__}; wanted a tensor; "
                        "do: download the file again"
                    )
                result[prefix + name] = value
        for name, child in self.children("_modules").items():
            if not isinstance(child, ModuleNode):
                raise CheckpointError(
                    f"{prefix}{name} is a {type(child).__name__}; wanted a module; "
                    "do: download the file again"
                )
            result.update(child.tensors(f"{prefix}{name}."))
        return result


class _PlainDict(dict):
    """For dict subclasses whose attributes do not matter."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        """Attributes are dropped."""


class _DType:
    """A numpy scalar type by name, such as "<f8"; its state holds only the byte order."""

    __slots__ = ("name",)

    def __init__(self, name: Any, *_: Any) -> None:
        if not (isinstance(name, str) and re.fullmatch(r"[<|=]?(f[248]|[iu][1248]|b1)", name)):
            raise UnsafePickleError(f"numpy dtype {str(name)[:40]!r} is not allowed")
        self.name = name

    def __setstate__(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", "|", "=")):
            raise UnsafePickleError("a numpy dtype with a state that is not plain")


class _Callable:
    """One of our functions as the pickle sees it: it can be called and not altered."""

    __slots__ = ("_function",)  # a plain function has attributes that BUILD could replace

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise UnsafePickleError(f"the pickle tries to change {self._function.__name__}")


def _persistent_object(meta: Any) -> ModuleNode:
    if not (isinstance(meta, dict) and isinstance(meta.get("class_name"), str)):
        raise CheckpointError("a persistent object without its class name; the file is damaged")
    return ModuleNode(meta["class_name"], meta.get("state"))


def _load_storage(raw: Any) -> Any:
    """torch's own loader in the mode that refuses everything but tensors and storages."""
    if not isinstance(raw, bytes):
        raise CheckpointError("a tensor whose data are not bytes; the file is damaged")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged data; the error says it in one line
            return torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:
        raise UnsafePickleError(f"a tensor's data are refused: {reason_of(error)}") from error


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """A tensor on its storage; gradients and hooks are dropped. torch checks the bounds."""
    if not isinstance(storage, torch.storage.TypedStorage):
        raise CheckpointError("a tensor without a storage; the file is damaged")
    if math.prod(size) > storage._untyped_storage.nbytes() // storage.dtype.itemsize:
        raise CheckpointError("a tensor larger than its storage; the file is damaged")
    view = _rebuild_tensor(storage, offset, tuple(size), tuple(stride))
    return view.detach().clone()


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise CheckpointError("a parameter that is no tensor; the file is damaged")
    return data


def _scalar(dtype: Any, raw: Any) -> float | int | bool:
    kind, width = dtype.name.lstrip("<|=")[0], int(dtype.name[-1])
    if not (isinstance(raw, bytes) and len(raw) == width):
        raise CheckpointError("a numpy scalar of the wrong length; the file is damaged")
    if kind == "f":
        return struct.unpack({2: "<e", 4: "<f", 8: "<d"}[width], raw)[0]
    number = int.from_bytes(raw, "little", signed=kind == "i")
    return bool(number) if kind == "b" else number


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("dnnlib.util", "EasyDict"): _PlainDict,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Callable(_persistent_object),
    ("torch.nn.modules.container", "ModuleDict"): ModuleNode,
    ("torch._utils", "_rebuild_tensor_v2"): _Callable(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Callable(_parameter),
    ("torch.storage", "_load_from_bytes"): _Callable(_load_storage),
    ("torch", "Size"): tuple,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "scalar"): _Callable(_scalar),
    ("numpy._core.multiarray", "scalar"): _Callable(_scalar),
    **{
        ("torch", str(dtype)[6:]): dtype
        for dtype in (
            torch.float16,
            torch.bfloat16,
            torch.float32,
            torch.float64,
            torch.uint8,
            torch.int8,
            torch.int16,
            torch.int32,
            torch.int64,
            torch.bool,
        )
    },
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")
        for kind in (set, frozenset, list, dict, tuple)
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed = _ALLOWED.get((module, name))
        if allowed is None:
            raise UnsafePickleError(
                f"it asks for the global {f'{module}.{name}'[:120]!r}, which is not on the "
                "allow-list; do: use only checkpoints from a source that you trust"
            )
        return allowed

    def persistent_load(self, pid: Any) -> NoReturn:
        raise UnsafePickleError("it refers to objects outside the file")


def reason_of(error: BaseException) -> str:
    """One line from an unpickler's error, without torch's advice to load the file unsafely."""
    text = " ".join(str(error).split())
    if found := re.search(r"GLOBAL ([\w.]+)", text):
        return f"it asks for the global {found[1][:120]!r}"
    text = text.rpartition("WeightsUnpickler error: ")[2]
    if text.startswith("Weights only load failed"):
        text = "not only tensors and plain values"
    return f"{type(error).__name__}: {text[:160]}"


def read_pickle(path: Path) -> dict[str, Any]:
    """The dict in a published pickle, its modules as `ModuleNode`; nothing from the file runs.

    Raises:
        UnsafePickleError: it names a global that is not allowed (the message says which).
        CheckpointError: missing, truncated or not such a file.
    """
    try:
        with path.open("rb") as stream:
            content = _Unpickler(stream).load()
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{path}: refused: {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error.strerror or error}; do: check the path"
        ) from error
    except Exception as error:  # a damaged pickle can fail in any way
        raise CheckpointError(
            f"{path}: truncated or not a pickle ({reason_of(error)}); do: download it again"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: holds a {type(content).__name__}; wanted a dict with 'ema'; "
            "do: give a network snapshot of EDM, SiD or Uni-Instruct"
        )
    return content
