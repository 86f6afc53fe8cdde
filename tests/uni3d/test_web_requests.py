"""What the page accepts: names equal to the tables, ranges kept, one line that repeats nothing."""

import dataclasses

import pytest

from uni3d import config_io
from uni3d.errors import Uni3DError
from uni3d.instruct import METHODS
from uni3d.instruct.names import FREE_METHODS
from uni3d.mesh.formats import FORMATS, MORE_FORMATS
from uni3d.run.presets import PRESETS
from uni3d.run.settings import RunConfig
from uni3d.teacher.prompts import LONGEST
from uni3d.web import requests
from uni3d.web.runs import SERVABLE

TEACHERS = {"toybox": "toybox", "tiny": "/somewhere/tiny"}


def test_the_copies_of_the_tables_are_true():
    assert FREE_METHODS == tuple(m for m in METHODS if METHODS[m].divergence is None)
    assert requests.LONGEST == LONGEST


def test_formats_are_those_of_the_exporter():
    assert requests.parse_formats(["ply", "glb"]) == ("glb", "ply")
    assert requests.parse_formats(["usdz", "stl"]) == ("stl", "usdz")
    assert all(f"mesh.{name}" in SERVABLE for name in (*FORMATS, *MORE_FORMATS))


def test_defaults_are_those_of_the_run():
    asked = requests.RunRequest(prompt="a corgi")
    config = requests.to_config(asked, {}, TEACHERS)
    plain = config_io.merge(PRESETS["default"], {"prompt": "a corgi", "checkpoint_every": 25})
    assert config == config_io.load(RunConfig, plain)


def test_a_request_becomes_a_configuration():
    values = {
        "prompt": "  a   corgi ",
        "teacher": "tiny",
        "preset": "draft",
        "method": "uni-instruct",
        "divergence": "hellinger",
        "seed": 7.0,
        "negative_prompt": "blurry",
        "guidance_scale": 7,
        "steps": 12,
        "views": 2,
    }
    base = {"scene": {"field": {"levels": 3}}, "steps": 99}
    config = requests.to_config(requests.parse_request(values, TEACHERS), base, TEACHERS)
    assert config.prompt == "a corgi"
    assert config.teacher.name == "/somewhere/tiny"
    assert (config.seed, config.steps, config.views) == (7, 12, 2)
    assert config.divergence == "hellinger"
    assert (config.guidance.scale, config.prompts.negative_prompt) == (7.0, "blurry")
    assert config.scene.field.levels == 3
    assert config.mesh.resolution == PRESETS["draft"]["mesh"]["resolution"]
    assert config.checkpoint_every == 3
    assert config.instant.use
    scratch = requests.parse_request(values | {"from_scratch": True, "preset": "instant"}, TEACHERS)
    start = requests.to_config(scratch, base, TEACHERS).instant
    assert not (start.use or start.only)
    # No method: the preset's, unless a divergence is asked for, which is uni-instruct's.
    asked = {"prompt": "a corgi", "preset": "draft"}
    for more, method in (({}, "sds"), ({"divergence": "hellinger"}, "uni-instruct")):
        request = requests.parse_request(asked | more, TEACHERS)
        assert requests.to_config(request, {}, TEACHERS).method == method


def test_what_was_not_asked_comes_from_server_then_preset():
    asked = requests.parse_request({"prompt": "a corgi", "preset": "high"}, TEACHERS)
    config = requests.to_config(asked, {"steps": 99}, TEACHERS)
    assert (config.steps, config.views) == (99, PRESETS["high"]["views"])


BAD = [
    ({}, "prompt"),
    ({"prompt": None}, "prompt"),
    ({"prompt": 3}, "prompt"),
    ({"prompt": ["a corgi"]}, "prompt"),
    ({"prompt": " \n"}, "prompt"),
    ({"prompt": "!?"}, "prompt"),
    ({"prompt": "x" * 1001}, "at most 1000"),
    ({"teacher": "/etc"}, "teacher"),
    ({"teacher": "../../tiny"}, "teacher"),
    ({"teacher": {}}, "teacher"),
    ({"preset": "ultra"}, "preset"),
    ({"method": "sdss"}, "method"),
    ({"method": True}, "method"),
    ({"divergence": "kl"}, "divergence"),
    ({"method": "sds", "divergence": "forward-kl"}, "which fixes its own"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**31}, "seed"),
    ({"seed": "0"}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"seed": True}, "seed"),
    ({"seed": float("nan")}, "seed"),
    ({"steps": -1}, "steps"),
    ({"steps": 3001}, "steps"),
    ({"steps": 1e300}, "steps"),
    ({"steps": False}, "steps"),
    ({"views": 9}, "views"),
    ({"views": None}, "views"),
    ({"guidance_scale": float("inf")}, "guidance_scale"),
    ({"guidance_scale": "5"}, "guidance_scale"),
    ({"guidance_scale": 31}, "guidance_scale"),
    ({"negative_prompt": "x" * 1001}, "negative_prompt"),
    ({"negative_prompt": 0}, "negative_prompt"),
    ({"out": "/etc"}, "unknown key"),
    ({"prompts.view_words": False}, "unknown key"),
]


@pytest.mark.parametrize(("values", "part"), BAD)
def test_what_is_outside_is_one_line(values, part):
    full = values if "prompt" in values or not values else {"prompt": "a corgi", **values}
    with pytest.raises(Uni3DError) as caught:
        requests.parse_request(full, TEACHERS)
    line = str(caught.value)
    assert part in line
    assert "\n" not in line


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(requests.RunRequest)])
def test_no_line_repeats_what_it_was_sent(field):
    hostile = "<script>alert(1)</script>" * 60
    with pytest.raises(Uni3DError) as caught:
        requests.parse_request({"prompt": "a corgi", field: hostile}, TEACHERS)
    assert "script" not in str(caught.value)


@pytest.mark.parametrize("value", [[], None, "glb", ["fbx"], ["glb", "../x"], {"glb": 1}, 3])
def test_bad_formats(value):
    with pytest.raises(Uni3DError, match="formats: wanted some of glb, obj, ply"):
        requests.parse_formats(value)
