"""Any value, any bytes: one line, and nothing outside the run folder is touched."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from folders import contents
from hypothesis import given, settings
from hypothesis import strategies as st

from uni3d import config_io
from uni3d.errors import ConfigError, TeacherError, Uni3DError
from uni3d.run import finish
from uni3d.run.folder import MetricsLog, read_config
from uni3d.run.run import restore_scene
from uni3d.run.settings import RunConfig
from uni3d.storage import checkpoint
from uni3d.teacher.hub import find_folder
from uni3d.teacher.model import TeacherConfig, load_teacher

KEYS = sorted(config_io._dotted_keys(RunConfig))
ODD = [0, -1, 1, 2**40, 10**30, 0.5, -0.5, 1e308, "nan", "", "x", True, None, [], [0], {"a": 1}]
VALUE = st.one_of(st.sampled_from(ODD), st.integers(), st.floats(), st.text(max_size=5))


def check_value(data) -> None:
    key, value = data.draw(st.sampled_from(KEYS)), data.draw(VALUE)
    mapping: dict = {}
    inner = mapping
    *groups, last = key.split(".")
    for group in groups:
        inner = inner.setdefault(group, {})
    inner[last] = value
    try:
        config = config_io.load(RunConfig, mapping)
    except Uni3DError as error:
        assert str(error).strip()
        return
    assert config_io.load(RunConfig, yaml.safe_load(config_io.dump(config))) == config


FILES = ("config.yaml", "report.json", "metrics.jsonl", "checkpoint.safetensors")


def check_bytes(data, made: Path, folder: Path) -> None:
    """Some bytes of one file of a run are changed, or its end is cut; then it is read."""
    run = folder / "run"
    shutil.copytree(made, run)
    (run / "report.json").write_text('{"seconds_optimise": 3.0, "steps_done": 2}')
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\n')
    path = run / data.draw(st.sampled_from(FILES))
    raw = bytearray(path.read_bytes())
    # Of the checkpoint: its header, or its tensors.
    header = 8 + int.from_bytes(raw[:8], "little") if path.suffix == ".safetensors" else 0
    tensors = 0 < header < len(raw) and data.draw(st.booleans())
    first, end = (header, len(raw)) if tensors else (0, min(len(raw), max(header, 4000)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(first, end - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(
        raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    )
    try:
        config = read_config(run)
        with MetricsLog(run, 2) as log:
            log.write(3, {"loss": 0.1})
        known = read_config(made) if path.name != "config.yaml" else small_only(config)
        scene, _ = restore_scene(known, run)
        assert checkpoint.finite(scene.state())
        finish.write_report(run, {"steps_done": 2})
    except Uni3DError as error:
        assert str(error).strip()
    for line in (run / "metrics.jsonl").read_bytes().splitlines():
        assert path.name == "metrics.jsonl" or json.loads(line)
    assert [p.name for p in folder.iterdir()] == ["run"]
    shutil.rmtree(run)


def small_only(config: RunConfig) -> RunConfig:
    """A scene that a changed digit made huge is not built here."""
    field = config.scene.field
    if max(field.log2_table_size, field.levels, field.hidden // 64) > 16:
        raise ConfigError("too large for a test")
    return config


@settings(deadline=None, max_examples=300, derandomize=True)
@given(data=st.data())
def test_values_of_a_configuration_load_or_are_one_line(data):
    check_value(data)


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(data=st.data())
def test_two_thousand_values(data):
    check_value(data)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(data=st.data())
def test_bytes_of_a_run_are_read_or_are_one_line(data, made, tmp_path_factory):
    check_bytes(data, made, tmp_path_factory.mktemp("bytes"))


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(data=st.data())
def test_two_thousand_files(data, made, tmp_path_factory):
    check_bytes(data, made, tmp_path_factory.mktemp("bytes"))


def check_model(data, teacher: Path, folder: Path) -> None:
    """Bytes of a file of a model folder are changed, weights included; then it is loaded."""
    own = folder / "t"
    own.mkdir()
    texts = ("model_index.json", "scheduler/scheduler_config.json", "unet/config.json")
    weights = "unet/diffusion_pytorch_model.safetensors"
    for name in (*texts, weights):
        (own / name).parent.mkdir(exist_ok=True)
        shutil.copy(teacher / name, own / name)
    path = own / data.draw(st.sampled_from((*texts, weights)))
    raw = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(raw[:8], "little") if path.suffix == ".safetensors" else 0
    first = header if header and data.draw(st.booleans()) else 0
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(first, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(
        raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    )
    from diffusers import DDPMScheduler, UNet2DConditionModel

    from uni3d.teacher.texts import load_network, load_part, text_reader

    before = contents(folder)
    try:
        found = find_folder(str(own))
        text_reader(found.folder)
        load_part(found.folder, "scheduler", DDPMScheduler)
        network = load_network(found.folder, "unet", UNet2DConditionModel)
        assert checkpoint.finite(network.state_dict())
    except Uni3DError as error:
        assert str(error).strip()
    assert contents(folder) == before


def test_a_weight_that_is_not_finite_is_refused(tiny_folder, tmp_path):
    own = shutil.copytree(tiny_folder, tmp_path / "t")
    path = own / "unet" / "diffusion_pytorch_model.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-4:] = b"\xff" * 4  # NaN, in the last number of the last tensor
    path.write_bytes(raw)
    with pytest.raises(TeacherError, match="not finite"):
        load_teacher(TeacherConfig(name=str(own)))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(data=st.data())
def test_bytes_of_a_model_folder_are_read_or_are_one_line(data, tiny_folder, tmp_path_factory):
    check_model(data, tiny_folder, tmp_path_factory.mktemp("model"))


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(data=st.data())
def test_two_thousand_model_folders(data, tiny_folder, tmp_path_factory):
    check_model(data, tiny_folder, tmp_path_factory.mktemp("model"))
