"""The published-format test files and hostile pickles made by hand."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

EDM = Path(__file__).parents[1] / "data" / "edm"
NAMES = ("song_uncond", "song_cond", "vp_song", "adm_cond")


def published_keys(name: str) -> dict[str, tuple[int, ...]]:
    """`keys_NAME.txt`: lines such as "model.map_layer0.bias [512]"."""
    result = {}
    for line in (EDM / f"keys_{name}.txt").read_text().splitlines():
        key, _, shape = line.partition(" ")
        result[key] = tuple(int(size) for size in shape.strip("[]").split(",") if size.strip())
    return result


class Call:
    """Pickles as a call of `function` with `arguments`: what an attacker writes."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


def evil_storage(payload: Any) -> Call:
    """A tensor whose storage bytes are themselves a pickle with `payload` in it."""
    inner = io.BytesIO()
    torch.save({"x": payload}, inner, _use_new_zipfile_serialization=False)
    storage = Call(torch.storage._load_from_bytes, inner.getvalue())
    return Call(torch._utils._rebuild_tensor_v2, storage, 0, (1,), (1,), False, OrderedDict())


def write(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path
