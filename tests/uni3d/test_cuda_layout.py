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

from uni3d import backends, hashgrid
from uni3d.errors import MissingExtraError
from uni3d.field import FieldConfig, HashField
from uni3d.hashgrid import HashGrid

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


def test_without_the_packages_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    with pytest.raises(MissingExtraError, match=r"uni3d\[cuda\]"):
        backends.cuda_backend()


def test_the_probe_gives_one_line_and_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(backends, "_PROBE", "import time; time.sleep(60)")
    assert backends.probe_cuda_backend(timeout_s=0.5) == (
        False, "the trial render did not end within 0.5 s",
    )  # fmt: skip
    monkeypatch.setattr(backends, "_PROBE", "import os; os.abort()")
    works, why = backends.probe_cuda_backend()
    assert not works and "-6" in why
