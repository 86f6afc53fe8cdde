"""Hostile and damaged pickles: one clear line each, and nothing in them runs."""

import builtins
import collections
import os
import pickle
import pickletools
import subprocess

import numpy as np
import pytest
import torch
from edm_files import EDM, NAMES, Call, evil_storage, write

from image_distill.pickles import ModuleNode, UnsafePickleError, read_pickle
from uni3d.errors import CheckpointError


def attacks(canary) -> dict:
    """Each creates the file `canary` when a plain unpickler reads it."""
    create = Call(os.system, f"touch '{canary}'")
    return {
        "os.system": create,
        "in ema": {"ema": create, "loss_fn": None},
        "nested reduce": {"ema": [collections.OrderedDict({"a": ({"b": create},)})]},
        "argument of an allowed call": Call(set, [create]),
        "builtins.eval": Call(builtins.eval, f"open({str(canary)!r}, 'w').close()"),
        "builtins.exec": Call(builtins.exec, f"open({str(canary)!r}, 'w').close()"),
        "subprocess": Call(subprocess.check_call, ["touch", str(canary)]),
        "torch.load": Call(torch.serialization.load, str(canary)),
        "numpy.load": Call(np.load, str(canary), None, True),
        "in a tensor's storage": {"ema": evil_storage(create)},
        "numpy object scalar": Call(np._core.multiarray.scalar, np.dtype("O"), create),
    }


RUNS = (
    "os.system",
    "in ema",
    "nested reduce",
    "argument of an allowed call",
    "builtins.eval",
    "builtins.exec",
    "subprocess",
    "in a tensor's storage",
)
NAMED = {
    "os.system": "posix.system",
    "in ema": "posix.system",
    "nested reduce": "posix.system",
    "argument of an allowed call": "posix.system",
    "builtins.eval": "builtins.eval",
    "builtins.exec": "builtins.exec",
    "subprocess": "subprocess.check_call",
    "torch.load": "torch.serialization.load",
    "numpy.load": "numpy.load",
    "in a tensor's storage": "posix.system",
}


def made(tmp_path, name, protocol=4):
    canary = tmp_path / "canary"
    return write(tmp_path / "evil.pkl", attacks(canary)[name], protocol), canary


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", sorted(attacks("x")))
def test_a_hostile_pickle_is_refused_in_one_line_and_nothing_runs(tmp_path, name, protocol):
    path, canary = made(tmp_path, name, protocol)
    with pytest.raises(UnsafePickleError) as caught:
        read_pickle(path)
    assert not canary.exists()
    message = str(caught.value)
    assert message.startswith(f"{path}: refused: ") and "\n" not in message
    if protocol == 4:
        assert NAMED.get(name, "") in message


@pytest.mark.parametrize("name", RUNS)
def test_the_plain_unpickler_would_have_run_it(tmp_path, name, monkeypatch):
    """The canary: without the guard the same files do their harm, so the guard matters."""
    path, canary = made(tmp_path, name)
    # What torch.storage._load_from_bytes does in the loader that the files were written for.
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    try:
        with path.open("rb") as stream:
            pickle.load(stream)
    except Exception:  # what comes after the harm does not matter
        pass
    assert canary.exists()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        # BUILD with a slot state on an allowed function: would replace its attributes.
        (b"ctorch._utils\n_rebuild_parameter\n(N}X\x01\x00\x00\x00aK\x01stb.", "tries to change"),
        # BUILD on an allowed class: would replace a method for every later node.
        (
            b"ctorch.nn.modules.container\nModuleDict\n(N}X\x08\x00\x00\x00childrenK\x01stb.",
            "not a pickle",
        ),
        (b"cnumpy\ndtype\n(N}X\x08\x00\x00\x00__init__K\x01stb.", "not a pickle"),
        (b"Psomewhere\n.", "outside the file"),
        (b"\x82\x01.", "not a pickle"),  # EXT1: the registry of copyreg
        (b"cos\nsystem\n.", "'os.system'"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93.", "OrderedDict.__init__"),
        (b"cimage_distill.pickles\n_Unpickler\n.", "image_distill.pickles._Unpickler"),
        (b"cnumpy\ndtype\n(X\x01\x00\x00\x00OtR.", "dtype 'O'"),
    ],
)
def test_crafted_opcodes_change_nothing(tmp_path, program, words):
    (tmp_path / "crafted.pkl").write_bytes(program)
    children = ModuleNode.children
    with pytest.raises(CheckpointError, match=words) as caught:
        read_pickle(tmp_path / "crafted.pkl")
    assert "\n" not in str(caught.value)
    assert ModuleNode.children is children


def test_program_text_in_the_file_is_dropped_unread(tmp_path):
    """`module_src` is replaced by text that would leave a trace if anything executed it."""
    source = (EDM / "vp_song.pkl").read_bytes()
    canary = tmp_path / "canary"
    text = f"open({str(canary)!r}, 'w').close()"
    assert pickle.dumps("", protocol=4)[-4:-2] == b"\x8c\x00"  # the empty string in the file
    harmful = source.replace(b"\x8c\x00", b"\x8c" + bytes([len(text)]) + text.encode(), 1)
    assert text in [argument for _, argument, _ in pickletools.genops(_unframed(harmful))]
    path = tmp_path / "text.pkl"
    path.write_bytes(_unframed(harmful))
    tensors = read_pickle(path)["ema"].tensors()
    expected = read_pickle(EDM / "vp_song.pkl")["ema"].tensors()
    assert all(torch.equal(tensors[name], value) for name, value in expected.items())
    assert not canary.exists()


def _unframed(data: bytes) -> bytes:
    """The same pickle without frames, whose lengths an edit would break."""
    pieces, position = [], 0
    while position < len(data):
        at = data.find(b"\x95", position)
        if at < 0:
            break
        length = int.from_bytes(data[at + 1 : at + 9], "little")
        if length > len(data):
            pieces.append(data[position : at + 1])
            position = at + 1
            continue
        pieces.append(data[position:at])
        position = at + 9
    return b"".join([*pieces, data[position:]])


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.01, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_one_clear_line(tmp_path, fraction):
    data = (EDM / "vp_song.pkl").read_bytes()
    path = tmp_path / "short.pkl"
    path.write_bytes(data[: int(len(data) * fraction)])
    with pytest.raises(CheckpointError, match="truncated") as caught:
        read_pickle(path)
    assert "\n" not in str(caught.value) and "download it again" in str(caught.value)


def test_other_files_are_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        read_pickle(tmp_path / "missing.pkl")
    (tmp_path / "text.pkl").write_text("<html>404</html>")
    with pytest.raises(CheckpointError, match="not a pickle"):
        read_pickle(tmp_path / "text.pkl")
    with pytest.raises(CheckpointError, match="holds a list; wanted a dict"):
        read_pickle(write(tmp_path / "list.pkl", [1, 2]))


@pytest.mark.parametrize("name", NAMES)
def test_published_structure_gives_only_inert_things(name):
    ema = read_pickle(EDM / f"{name}.pkl")["ema"]
    assert isinstance(ema, ModuleNode)
    kinds = set()

    def walk(value):
        kinds.add(type(value))
        if isinstance(value, ModuleNode):
            walk(value.state)
        elif isinstance(value, dict):
            for item in value.values():
                walk(item)
        elif isinstance(value, list | tuple | set):
            for item in value:
                walk(item)

    walk(ema)
    plain = {dict, list, tuple, set, str, int, float, bool, type(None)}
    assert kinds <= plain | {ModuleNode, torch.Tensor, collections.OrderedDict}


def test_numpy_scalars_and_torch_values_come_back_as_numbers(tmp_path):
    scalars = {
        "a": np.float64(-0.5773502691896257),
        "b": np.float32(1.5),
        "c": np.int32(-7),
        "d": np.bool_(True),
        "e": np.uint8(200),
        "f": np.float16(0.25),
    }
    values = read_pickle(write(tmp_path / "numbers.pkl", scalars))
    assert values == {key: value.item() for key, value in scalars.items()}
    assert all(type(value) in (float, int, bool) for value in values.values())
    content = {"size": torch.Size([2, 3]), "dtype": torch.float16, "set": {1, 2}}
    assert read_pickle(write(tmp_path / "torch.pkl", content)) == content


def test_tensors_keep_their_values_and_dtypes(tmp_path):
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    content = {"t": base.t(), "row": base[1], "half": base.half(), "p": torch.nn.Parameter(base)}
    found = read_pickle(write(tmp_path / "tensors.pkl", content))
    for name, value in content.items():
        assert torch.equal(found[name], value.detach()) and found[name].dtype == value.dtype
    assert not found["p"].requires_grad
