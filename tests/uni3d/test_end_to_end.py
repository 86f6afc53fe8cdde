"""From the command line to a GLB: it opens, it repeats byte for byte, and it survives a kill."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny import TINY

from uni3d import finish
from uni3d.__main__ import main

KILLED = """
import os, signal, sys
import torch
from uni3d.__main__ import main
from uni3d.scene import Scene
torch.set_num_threads(int(sys.argv[1]))
update = Scene.update
def stop(scene, step, generator):
    update(scene, step, generator)
    if step == 4:
        os.kill(os.getpid(), signal.SIGKILL)
Scene.update = stop
main(sys.argv[2:])
"""


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch):
    monkeypatch.setattr(finish, "TURNTABLE_FRAMES", 3)
    monkeypatch.setattr(finish, "TURNTABLE_SIZE", 32)
    monkeypatch.setattr(finish, "SHEET_SIZE", 32)


def _arguments(teacher: Path, folder: Path, run: str) -> list[str]:
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY | {"teacher": str(teacher)}))
    return ["a corgi", "--config", str(config), "--out", str(folder / run), "--formats", "glb"]


# Slow, and it passes alone but was seen to fail in the last bits when the whole suite had run
# before it in the same process: the killed run is another process than the one it is compared with.
@pytest.mark.slow
def test_a_sentence_becomes_the_same_mesh_even_after_a_kill(tiny_folder, tmp_path, capsys):
    import torch
    import trimesh

    assert main(_arguments(tiny_folder, tmp_path, "whole")) == 0
    whole = tmp_path / "whole"
    assert capsys.readouterr().out == f"{whole}\n"
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

    assert main(_arguments(tiny_folder, tmp_path, "again")) == 0
    expected = (whole / "mesh.glb").read_bytes()
    assert (tmp_path / "again" / "mesh.glb").read_bytes() == expected

    killed = tmp_path / "killed"
    arguments = [str(torch.get_num_threads()), *_arguments(tiny_folder, tmp_path, "killed")]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        cwd=Path(finish.__file__).parents[1], capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert (killed / "checkpoint.safetensors").exists() and not (killed / "mesh.glb").exists()
    assert main(["resume", str(killed), "--formats", "glb"]) == 0
    assert (killed / "mesh.glb").read_bytes() == expected
