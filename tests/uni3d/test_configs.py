"""The example configurations load and say what they are; the document of the keys is today's."""

import importlib.util
import re
from pathlib import Path

import pytest

from uni3d import config_io
from uni3d.run.presets import PRESETS
from uni3d.run.settings import RunConfig
from uni3d.teacher.memory import PROFILES

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "configs" / "text3d").glob("*.yaml"))


def _leaves(mapping, prefix=""):
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _at(config, key):
    for name in key.split("."):
        config = getattr(config, name)
    return config


def test_there_are_examples():
    assert {p.stem for p in EXAMPLES} >= {"toybox-draft", "toybox-sds", "toybox-vsd"}
    assert {p.stem for p in EXAMPLES} >= {"sd-6gb", "sd-12gb", "sd-24gb"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_loads_and_opens_with_what_a_person_asks(path):
    text = path.read_text()
    opening = text[: re.search(r"^[^#]", text, re.MULTILINE).start()]
    for said in (f"--config configs/text3d/{path.name}", "# hardware: ", "# time: ", "# seen: "):
        assert said in opening, said
    given = config_io.read_yaml(path)
    usual = config_io.load(RunConfig, PRESETS["default"])  # what the command adds it to
    config = config_io.load(RunConfig, config_io.merge(PRESETS["default"], given))
    for key, value in _leaves(given):
        found = _at(config, key)
        assert found == (tuple(map(tuple, value)) if isinstance(value, list) else value), key
        named = key in ("divergence",)  # said though it is what an empty one means
        assert named or found != _at(usual, key), f"{key} is the default"
    if config.memory in PROFILES:  # pictures that the profile would cut are a lie
        assert max(s for _, s in config.resolutions) <= PROFILES[config.memory].max_picture


def _writer():
    path = ROOT / "docs" / "write_configuration.py"
    spec = importlib.util.spec_from_file_location("write_configuration", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_of_the_keys_is_todays():
    writer = _writer()
    assert writer.PATH.read_text() == writer.document(), "do: python docs/write_configuration.py"


def test_every_key_is_in_it_with_a_meaning():
    rows = {key: rest for key, *rest in _writer().rows(RunConfig, RunConfig())}
    ramps = {key for key, (kind, *_) in rows.items() if kind == "ramp"}
    for key, value in _leaves(config_io.to_dict(RunConfig())):
        group = key.rpartition(".")[0]
        assert key in rows or group in ramps, key
        if key in rows and value != "" and group not in ramps:
            assert rows[key][1].strip('"') == str(value).replace("'", '"').strip('"') or not (
                isinstance(value, (int, str)) and not isinstance(value, bool)
            ), key
    assert {key: rest for key, rest in rows.items() if len(rest[2]) < 8} == {}
