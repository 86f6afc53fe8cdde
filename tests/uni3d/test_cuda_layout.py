"""The CUDA adapter on a CPU: stand-ins for tiny-cuda-nn and nerfacc, written from their rules.

That a table means the same to both grids is what lets a checkpoint move between them.
"""

import math
import sys
import types

import numpy as np
import pytest
import torch
from closeness import assert_close_report
from tiny import tiny_run, tiny_teacher
from twins.scene import composite_reference, encode_reference, march_reference

from uni3d.cameras import Cameras
from uni3d.errors import ConfigError, MissingExtraError
from uni3d.run import run as pipeline
from uni3d.run.run import Run, restore_scene
from uni3d.scene import backends, hashgrid
from uni3d.scene import march as marching
from uni3d.scene.composite import Composited
from uni3d.scene.field import FieldConfig, HashField
from uni3d.scene.hashgrid import HashGrid
from uni3d.scene.march import Samples
from uni3d.scene.scene import Scene, SceneConfig

PRIMES = (1, 2654435761, 805459861)


class _Encoding(torch.nn.Module):
    """tiny-cuda-nn's grid.h, one point and one corner at a time, from the settings alone."""

    def __init__(self, inputs, settings, seed=1337, dtype=None):
        super().__init__()
        assert inputs == 3 and settings["otype"] == "HashGrid" and dtype == torch.float32
        self.features = settings["n_features_per_level"]
        self.levels, start = [], 0
        for level in range(settings["n_levels"]):
            growth = np.exp2(np.float32(level) * np.log2(np.float32(settings["per_level_scale"])))
            scale = float(growth * np.float32(settings["base_resolution"]) - np.float32(1))
            resolution = math.ceil(scale) + 1
            size = min((resolution**3 + 7) // 8 * 8, 2 ** settings["log2_hashmap_size"])
            self.levels.append((start, size, resolution, scale))
            start += size
        self.params = torch.nn.Parameter(torch.zeros(start * self.features))

    def _slot(self, corner, resolution, size):
        stride, index = 1, 0
        for axis in range(3):
            if stride > size:
                break
            index += corner[axis] * stride
            stride *= resolution
        if size < stride:
            index = 0
            for axis in range(3):
                index ^= (corner[axis] * PRIMES[axis]) & 0xFFFFFFFF
        return index % size

    def forward(self, points):
        rows = self.params.reshape(-1, self.features)
        out = []
        for point in points:
            features = []
            for start, size, resolution, scale in self.levels:
                place = point * scale + 0.5
                cell = place.detach().floor()
                part = place - cell
                value = torch.zeros(self.features)
                for k in range(8):
                    bits = [(k >> axis) & 1 for axis in range(3)]
                    weight = math.prod(part[a] if bits[a] else 1 - part[a] for a in range(3))
                    corner = [int(cell[a]) + bits[a] for a in range(3)]
                    value = value + weight * rows[start + self._slot(corner, resolution, size)]
                features.append(value)
            out.append(torch.cat(features))
        return torch.stack(out)


@pytest.fixture
def cuda(monkeypatch):
    for name in ("tinycudann", "nerfacc"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["tinycudann"].Encoding = _Encoding
    return backends.cuda_backend()


@pytest.mark.parametrize(
    "grid",
    [
        HashGrid(levels=4, log2_table_size=10, base_resolution=4, max_resolution=40),
        HashGrid(levels=8, log2_table_size=15, base_resolution=8, max_resolution=128),
        HashGrid(levels=2, log2_table_size=19, base_resolution=16, max_resolution=64),
    ],
)
def test_a_table_means_the_same_to_both(cuda, grid):
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(12, 3, generator=generator) * 0.96 + 0.01
    table = torch.randn(2 * grid.entries, generator=generator)
    wanted = torch.randn(12, grid.outputs, generator=generator)
    results = []
    for encode in (hashgrid.encode, cuda.encode):
        leaf, place = table.clone().requires_grad_(), points.clone().requires_grad_()
        features = encode(place, leaf, grid)
        (features * wanted).sum().backward()
        results.append((features.detach(), leaf.grad, place.grad))
    for mine, theirs, what in zip(*results, ("features", "to the table", "to points"), strict=True):
        assert_close_report(theirs, mine, rtol=1e-4, what=what)


def test_a_checkpoint_moves_between_them(cuda):
    config = FieldConfig(levels=3, log2_table_size=10, max_resolution=16, hidden=8)
    mine = HashField(config, torch.Generator().manual_seed(1))
    with torch.no_grad():
        mine.table.mul_(1e4)
    theirs = HashField(config, torch.Generator().manual_seed(2), encode=cuda.encode)
    theirs.load_state_dict(mine.state_dict())
    points = torch.rand(10, 3, generator=torch.Generator().manual_seed(3)) - 0.5
    for a, b in zip(theirs(points), mine(points), strict=True):
        assert_close_report(a, b, rtol=1e-4)
    back = HashField(config, torch.Generator().manual_seed(4))
    back.load_state_dict(theirs.state_dict())
    assert torch.equal(back.table, mine.table)


class _Twins:
    """A backend of the slow twins, on the CPU; counts its calls."""

    name, device = "twins", torch.device("cpu")

    def __init__(self):
        self.calls = {"encode": 0, "sample": 0, "composite": 0}

    def encode(self, points, table, grid):
        self.calls["encode"] += 1
        return encode_reference(points, table, grid)

    def sample(self, field, occupied, rays, limits):
        self.calls["sample"] += 1
        found = march_reference(*rays[:2], occupied, rays.jitter, limits.step)
        with torch.no_grad():
            density = field(found.points(*rays[:2]))[0]
        return marching.prune(found, density, *limits[1:])

    def composite(self, densities, colors, samples):
        self.calls["composite"] += 1
        return composite_reference(densities, colors, samples)


def test_a_run_renders_on_the_backend_that_was_chosen(monkeypatch, tmp_path):
    teacher = tiny_teacher(tmp_path / "teacher")
    config = tiny_run(teacher, steps=2, method="sds", checkpoint_every=1)
    twins, tables = _Twins(), []
    for name, backend in (("cpu", backends.CPU), ("twins", twins)):
        monkeypatch.setattr(pipeline, "choose_backend", lambda *_, b=backend: (b, f"{b.name}!"))
        (tmp_path / name).mkdir()
        run = Run(config, tmp_path / name)
        records = [run.prepare(), *run.steps()]
        assert records[0].note == f"{name}!"
        # Its checkpoint is read back by the other backend, which is the CPU's.
        tables.append(restore_scene(config, tmp_path / name)[0].field.table.detach())
    assert min(twins.calls.values()) >= 2, twins.calls
    # In norm: Adam may turn single entries around whose gradients are of the order of rounding.
    moved = (tables[0] - Scene(config.scene, config.seed).field.table).norm()
    assert (tables[0] - tables[1]).norm() < 0.02 * moved


class _Elsewhere:
    """A backend on a device that holds no numbers but refuses tensors of any other."""

    name, device = "elsewhere", torch.device("meta")

    def _here(self, *tensors):
        assert {t.device.type for t in tensors} == {"meta"}

    def encode(self, points, table, grid):
        self._here(points, table)
        return points.sum() * table[: grid.outputs] + points[:, :1]

    def sample(self, field, occupied, rays, limits):
        self._here(occupied, *rays, field.density(rays.origins))
        one = torch.ones(len(rays.origins), device="meta")
        order = torch.arange(len(one) + 1, device="meta")
        return Samples(order, order[:-1], one, 2 * one)

    def composite(self, densities, colors, samples):
        weights = 1 - (-densities).exp()
        return Composited(weights[:, None] * colors, weights, weights * samples.midpoints, weights)


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["learned background", "random background"])
def test_a_scene_lies_where_its_backend_renders(share):
    scene = Scene(SceneConfig(random_background=share), 0, _Elsewhere())
    rendered = scene.shoot(Cameras.orbit([0.0, 90.0], 15.0), 8, torch.Generator().manual_seed(0))
    assert rendered.rgb.shape == (2, 3, 8, 8)
    rendered.rgb.sum().backward()
    learned = [scene.field.table, *(scene.background.parameters() if share == 0 else ())]
    assert {p.grad.device.type for p in learned} == {"meta"}
    assert {t.device.type for t in scene.occupancy.buffers()} == {"meta"}


def test_the_gpu_is_taken_where_a_trial_render_works(monkeypatch, cuda):
    gpu, cpu, asked = torch.device("cuda"), torch.device("cpu"), []
    answer = [(True, "")]
    monkeypatch.setattr(backends, "probe_cuda_backend", lambda: asked.append(1) or answer[0])
    monkeypatch.setattr(backends, "cuda_backend", lambda: cuda)
    assert backends.choose_backend("auto", gpu) == (cuda, "")
    assert backends.choose_backend("cuda", cpu) == (cuda, "")
    assert len(asked) == 2
    assert backends.choose_backend("auto", cpu) == (backends.CPU, "")
    assert backends.choose_backend("cpu", gpu) == (backends.CPU, "")
    assert len(asked) == 2, "a trial render takes seconds"
    answer[0] = (False, "no nerfacc")
    chosen, note = backends.choose_backend("auto", gpu)
    assert chosen is backends.CPU and note.endswith("on the CPU: no nerfacc")
    with pytest.raises(ConfigError, match=r"got cuda, but no nerfacc; do: --set scene.backend=cpu"):
        backends.choose_backend("cuda", gpu)


def test_without_the_packages_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    with pytest.raises(MissingExtraError, match=r"'\.\[cuda\]'"):
        backends.cuda_backend()


def test_the_probe_gives_one_line_and_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(backends, "_PROBE", "import time; time.sleep(60)")
    assert backends.probe_cuda_backend(timeout_s=0.5) == (
        False,
        "the trial render did not end within 0.5 s",
    )
    monkeypatch.setattr(backends, "_PROBE", "import os; os.abort()")
    works, why = backends.probe_cuda_backend()
    assert not works and "-6" in why
