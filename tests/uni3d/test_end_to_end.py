"""From the command line to a GLB: it opens, it repeats byte for byte, and it survives a kill."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny import TINY

import uni3d
from uni3d.run import finish
from uni3d.toybox.judge import evaluate_run

# Every run in a process of its own: what else a process has computed changes last bits.
RUN = """
import os, signal, sys
import torch
from uni3d.run import finish
from uni3d.cli import main
from uni3d.scene.scene import Scene
torch.set_num_threads(1)
finish.TURNTABLE_FRAMES, finish.TURNTABLE_SIZE, finish.SHEET_SIZE = 3, 32, 32
update = Scene.update
def stop(scene, step, fraction, generator):
    update(scene, step, fraction, generator)
    if step == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
Scene.update = stop
sys.exit(main(sys.argv[2:]))
"""
NEVER = -1


ROOT = Path(finish.__file__).parents[2]


def _run(kill_at: int, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, str(kill_at), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=180,
    )


def _arguments(teacher: Path, folder: Path, run: str) -> list[str]:
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY | {"teacher": str(teacher)}))
    return ["a corgi", "--config", str(config), "--out", str(folder / run), "--formats", "glb"]


@pytest.mark.slow
def test_a_sentence_becomes_the_same_mesh_even_after_a_kill(tiny_folder, tmp_path):
    import trimesh

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = _run(NEVER, *_arguments(tiny_folder, tmp_path, "whole"))
    assert (done.returncode, done.stdout) == (0, f"{whole}\n"), done.stderr[-2000:]
    surface = trimesh.load(whole / "mesh.glb", force="mesh")
    report = json.loads((whole / "report.json").read_text())
    assert len(surface.faces) == report["mesh"]["faces"] > 50
    # The scene starts from a ball of radius 0.5 and six steps do not move it far.
    assert 0.2 < abs(surface.bounds).max() < 0.8
    assert report["steps_done"] == 6 and report["interrupted"] is False
    lines = (whole / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {"sheet.png", "config.yaml", "checkpoint.safetensors"} <= {
        p.name for p in whole.iterdir()
    }

    expected = (whole / "mesh.glb").read_bytes()
    assert _run(NEVER, *_arguments(tiny_folder, tmp_path, "again")).returncode == 0
    assert (tmp_path / "again" / "mesh.glb").read_bytes() == expected

    done = _run(4, *_arguments(tiny_folder, tmp_path, "killed"))
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert (killed / "checkpoint.safetensors").exists() and not (killed / "mesh.glb").exists()
    assert _run(NEVER, "resume", str(killed), "--formats", "glb").returncode == 0
    assert (killed / "mesh.glb").read_bytes() == expected


@pytest.mark.slow
def test_the_run_that_compiles_the_kernels_makes_the_same_mesh(tiny_folder, tmp_path):
    shutil.copytree(
        ROOT / "uni3d", tmp_path / "uni3d", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("cold", "warm"):
        done = _run(NEVER, *_arguments(tiny_folder, tmp_path, name), cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / "uni3d").rglob("*.nbc"))  # they were compiled there
    cold, warm = ((tmp_path / name / "mesh.glb").read_bytes() for name in ("cold", "warm"))
    assert cold == warm


@pytest.mark.slow
def test_a_short_run_of_the_built_in_teacher_is_a_mesh_of_the_colour_asked_for(
    tmp_path, monkeypatch
):
    """Sixty steps show a blue body, not yet a car; the scene they start from is grey."""
    monkeypatch.setattr(finish, "TURNTABLE_FRAMES", 3)
    result = uni3d.generate(
        "a blue car",
        preset="draft",
        method="sds",
        instant={"use": False},
        steps=60,
        resolutions=[[0.0, 32]],
        mesh={"resolution": 48, "target_faces": 3000, "texture_size": 128},
        formats=("glb",),
        out=tmp_path / "car",
    )
    verdict = evaluate_run(result.config, result.folder)
    assert verdict["colors"].count("blue") >= 7  # 8 were seen
    assert verdict["best_iou"] > 0.55  # 0.645 was seen
    assert result.report["silhouette_iou"] > 0.9  # 0.958 was seen
    assert result.report["mesh"]["watertight"]
