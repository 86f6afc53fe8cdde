"""uni3d from Python: the mesh of the file in world axes, every step, a teacher of one's own."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from tiny import TINY, small_pictures

import uni3d
from uni3d import api
from uni3d.errors import CheckpointError, ConfigError, PromptError, Uni3DError
from uni3d.mesh.formats import check_formats
from uni3d.mesh.rasterize import shade
from uni3d.run.finish import read_mesh
from uni3d.teacher.model import TeacherConfig, load_teacher

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        small_pictures(patch)
        yield


@pytest.fixture(scope="module")
def made(_small, tiny_folder, tmp_path_factory):
    """(result, records) of one run with the tiny teacher."""
    records, folder = [], tmp_path_factory.mktemp("api") / "run"
    result = uni3d.generate(
        "a corgi",
        out=folder,
        progress=records.append,
        formats=("glb",),
        teacher=str(tiny_folder),
        **TINY,
    )
    return result, records


def test_every_step_and_stage_is_told_in_order(made):
    _, records = made
    assert [r.step for r in records if r.stage == "optimising"] == [0, 1, 2, 3, 4, 5, 6]
    assert [r.stage for r in records[7:]] == ["meshing", "writing", "picturing", "done"]
    assert [r.seconds for r in records[:7]] == sorted(r.seconds for r in records[:7])


def test_the_mesh_is_the_one_of_the_file_in_world_axes(made):
    result, _ = made
    (theirs,) = trimesh.load_scene(result.folder / "mesh.glb", process=False).geometry.values()
    ours, (left, up, front) = result.mesh, theirs.vertices.T  # glTF's axes
    np.testing.assert_allclose(ours.vertices, np.stack([front, left, up], 1), atol=1e-6)
    np.testing.assert_array_equal(ours.faces, theirs.faces)
    assert len(ours.faces) == result.report["mesh"]["faces"]
    assert ours.is_winding_consistent and ours.volume == pytest.approx(
        result.report["mesh"]["volume"], rel=1e-3
    )


def test_a_run_is_found_again_and_rendered(made):
    again = uni3d.load_run(made[0].folder)
    assert again.config == made[0].config and again.report == made[0].report
    views = uni3d.render(again, uni3d.Cameras.orbit([0, 90, 180], 20), 24)
    # White where nothing is; opaque where the mesh, drawn by the other renderer, is.
    assert views.rgb.shape == (3, 3, 24, 24)
    assert torch.allclose(views.rgb[:, :, 0, 0], torch.ones(3, 3), atol=2e-3)
    drawn = shade(read_mesh(again.folder), uni3d.Cameras.orbit([0, 90, 180], 20), 24, 24)
    mesh = (drawn < 0.99).any(1)
    solid = views.opacity[:, 0] > 0.5
    assert float((mesh & solid).sum() / (mesh | solid).sum()) > 0.75


def test_what_is_wrong_is_raised_before_any_work(tmp_path):
    for error, line, arguments in (
        (ConfigError, "preset: got 'quick'", {"preset": "quick"}),
        (ConfigError, "did you mean guidance.scale", {"guidance": {"scael": 3}}),
        (ConfigError, "formats: got 'stlx'", {"formats": ("stlx",)}),
    ):
        with pytest.raises(error, match=line):
            uni3d.start("a corgi", out=tmp_path / "r", **arguments)
    with pytest.raises(PromptError, match="the prompt is empty"):
        uni3d.start("  ", out=tmp_path / "r")
    with pytest.raises(CheckpointError, match="no run there"):
        uni3d.load_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda r: uni3d.generate(None), "prompt: got NoneType; wanted a text"),
        (lambda r: uni3d.generate(b"a cat"), "prompt: got bytes"),
        (lambda r: uni3d.generate("a cat", preset=["draft"]), "preset: got"),
        (lambda r: uni3d.generate("a cat", formats=3), "formats: got 3"),
        (lambda r: uni3d.generate("a cat", formats=[3]), "formats: got"),
        (lambda r: uni3d.generate("a cat", out=5), "out: got int"),
        (lambda r: uni3d.generate("a cat", out="/proc/x"), "cannot be written"),
        (lambda r: uni3d.refine(5), "source: got int"),
        (lambda r: uni3d.refine(r, preset="foo"), "preset: got 'foo'"),
        (lambda r: uni3d.render(r, uni3d.Cameras.orbit([0.0]), 0), "size: got 0"),
        (lambda r: uni3d.render(r, uni3d.Cameras.orbit([0.0]), 10**9), "size: got 1000000000"),
        (lambda r: uni3d.render(r, 3, 64), "wanted a Result"),
        (lambda r: uni3d.Cameras.orbit("abc", 15), "cameras: got"),
        (lambda r: uni3d.Cameras.orbit([float("nan")], 15), "wanted finite numbers"),
        (lambda r: uni3d.Cameras.orbit([0, 1], [1, 2, 3]), "cameras: got"),
    ],
)
def test_other_types_are_one_of_our_errors(made, tmp_path, monkeypatch, call, part):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Uni3DError) as caught:
        call(made[0])
    assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_formats_may_be_one_text():
    assert check_formats("glb, .STL") == ("glb", "stl")


def test_a_preset_and_what_is_said_beside_it():
    config = uni3d.configure("a  corgi", preset="draft", seed=3, mesh={"texture_size": 64})
    assert (config.prompt, config.seed, config.steps) == ("a corgi", 3, 300)
    assert (config.mesh.resolution, config.mesh.texture_size) == (72, 64)
    assert (config.method, config.views) == ("sds", 2)
    # A divergence is uni-instruct's, whatever the preset's method; a method that is named stays.
    asked = uni3d.configure("a corgi", preset="draft", divergence="hellinger")
    assert (asked.method, asked.divergence) == ("uni-instruct", "hellinger")
    assert uni3d.configure("a corgi", preset="draft", method="vsd").method == "vsd"
    with pytest.raises(ConfigError, match="wanted reverse-kl, which sds fixes"):
        uni3d.configure("a corgi", preset="draft", method="sds", divergence="hellinger")
    assert uni3d.configure("a", teacher="sd").teacher.name == "sd"


def test_importing_brings_nothing_and_using_a_name_does():
    code = "import sys, uni3d; a = 'torch' in sys.modules; uni3d.instruct.uni_instruct_loss"
    code += "; print(a, 'torch' in sys.modules, hasattr(uni3d, 'nothing'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True", "False"]


def _example(path: str, after: str) -> str:
    """The first Python block after a heading."""
    text = (ROOT / path).read_text().partition(after)[2]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found, (path, after)
    return found[1]


def test_the_example_of_a_teacher_of_ones_own_makes_a_red_ball(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = _example("docs/api.md", "## A teacher of your own")
    assert len([x for x in source.splitlines() if x.strip()]) <= 34
    names: dict = {}
    exec(compile(source, "docs/api.md", "exec"), names)
    mesh = names["result"].mesh
    # A disc of 0.55 half pictures at distance 3.15: the ball whose outline it is.
    tangent = 0.55 * np.tan(np.radians(20))
    radius = 3.15 * np.sin(np.arctan(tangent))
    np.testing.assert_allclose(mesh.extents / 2, radius, rtol=0.15)
    red, green, blue = np.asarray(mesh.visual.to_color().vertex_colors)[:, :3].mean(0)
    assert red > 150 and max(green, blue) < 120, (red, green, blue)


def test_a_loaded_teacher_serves_one_run_after_another(tiny_folder, tmp_path):
    teacher = load_teacher(TeacherConfig(name=str(tiny_folder)))
    small = TINY | {"method": "vsd", "steps": 2}
    tables = []
    for folder in ("one", "two"):
        made = uni3d.generate(
            "a corgi", teacher=teacher, out=tmp_path / folder, formats=("glb",), **small
        )
        tables.append(made.scene.field.table)
        assert not [name for name, _ in teacher.unet.named_parameters() if ".fake." in name]
    assert torch.equal(*tables)


def test_a_teacher_of_ones_own_has_no_fake_score(tmp_path):
    teacher = uni3d.OwnTeacher(lambda x, sigma, condition: x, "mine")
    with pytest.raises(ConfigError, match="method: got vsd with the teacher 'mine'"):
        uni3d.generate("a ball", teacher=teacher, method="vsd", out=tmp_path / "r")


def test_the_python_of_the_readme_runs(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    configure = api.configure
    small = TINY | {"teacher": str(tiny_folder)}
    monkeypatch.setattr(api, "configure", lambda prompt, **k: configure(prompt, **(k | small)))
    monkeypatch.setattr(api, "read_prompt", lambda config, **_: (config, ""))
    names: dict = {}
    exec(compile(_example("README.md", "From Python"), "README.md", "exec"), names)
    assert names["views"].rgb.shape == (4, 3, 128, 128)
    printed = trimesh.load_mesh(tmp_path / "corgi.stl")
    assert len(printed.faces) == names["result"].report["mesh"]["faces"]


def test_links_of_the_documents_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in DOCS)):
        page = ROOT / name
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{name}: {link}"


def test_every_file_that_the_design_names_exists():
    text = (ROOT / "docs" / "design.md").read_text()
    named = re.findall(r"`(uni3d/[\w/.]+)`", text)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).exists()] == []
