"""Samples along rays: by hand, against the twin, and as a quadrature."""

import math
import os
import subprocess
import sys

import pytest
import torch
from closeness import assert_close_report
from twins.scene import composite_reference, march_reference

from uni3d.cameras import Cameras
from uni3d.scene.march import ball_interval, march, prune


def camera_rays(size=24):
    origins, directions = Cameras.orbit([20.0, 200.0], [10.0, 60.0]).rays(size, size)
    return origins.reshape(-1, 3).contiguous(), directions.reshape(-1, 3).contiguous()


def some_cells(resolution=16, share=0.2):
    generator = torch.Generator().manual_seed(7)
    return torch.rand(resolution, resolution, resolution, generator=generator) < share


def test_ball_interval_by_hand():
    origins = torch.tensor([[3.0, 0, 0], [3, 0.6, 0], [3, 1.5, 0], [0, 0, 0], [3, 0, 0]])
    directions = torch.tensor([[-1.0, 0, 0]] * 4 + [[1.0, 0, 0]])
    near, far = ball_interval(origins, directions)
    # Through the centre; a chord of half length 0.8; past it; from inside; looking away.
    assert_close_report(near, torch.tensor([2, 2.2, 0, 0, 0]))
    assert_close_report(far, torch.tensor([4, 3.8, 0, 1, 0]))


def test_midpoints_by_hand():
    origins, directions = torch.tensor([[3.0, 0, 0]]), torch.tensor([[-1.0, 0, 0]])
    left_half = torch.tensor([True, False])[:, None, None].expand(2, 2, 2)  # x < 0
    samples = march(origins, directions, left_half.contiguous(), torch.tensor([0.25]), 0.4)
    # Midpoints 2.1, 2.5, 2.9 are at x > 0; 3.3, 3.7 are kept; 4.1 is past the ball.
    assert_close_report(samples.midpoints, torch.tensor([3.3, 3.7]))
    assert_close_report(samples.t_starts, torch.tensor([3.1, 3.5]))
    assert samples.offsets.tolist() == [0, 2] and samples.ray_indices.tolist() == [0, 0]
    assert_close_report(
        samples.points(origins, directions), torch.tensor([[-0.3, 0, 0], [-0.7, 0, 0]])
    )


@pytest.mark.parametrize("step", [0.02, 0.11])
def test_equals_the_twin_exactly(step):
    origins, directions = camera_rays()
    jitter = torch.rand(len(origins), generator=torch.Generator().manual_seed(0))
    ours = march(origins, directions, some_cells(), jitter, step)
    twin = march_reference(origins, directions, some_cells(), jitter, step)
    assert torch.equal(ours.offsets, twin.offsets)
    assert torch.equal(ours.ray_indices, twin.ray_indices)
    assert torch.equal(ours.t_starts, twin.t_starts) and torch.equal(ours.t_ends, twin.t_ends)
    assert ours.offsets[-1] > 1000


def test_random_phase_is_unbiased():
    """The mean over phases of sum f step is the integral of f, even for a coarse step."""
    rays, step = 20_000, 0.5
    origins = torch.tensor([[3.0, 0.3, 0.2]]).repeat(rays, 1)
    directions = torch.tensor([[-1.0, 0, 0]]).repeat(rays, 1)
    jitter = torch.rand(rays, generator=torch.Generator().manual_seed(1))
    everywhere = torch.ones(1, 1, 1, dtype=torch.bool)
    samples = march(origins, directions, everywhere, jitter, step)
    points = samples.points(origins, directions)
    got = points[:, 0].square().sum().item() * step / rays
    half = math.sqrt(1 - 0.3**2 - 0.2**2)
    assert got == pytest.approx(2 * half**3 / 3, rel=0.01)


def test_prune_by_hand():
    origins = torch.tensor([[3.0, 0, 0], [0, 3, 0]])
    samples = march(origins, -origins / 3, torch.ones(1, 1, 1).bool(), torch.full((2,), 0.5), 0.5)
    assert samples.offsets.tolist() == [0, 4, 8]
    ln2 = math.log(2) / 0.5  # density at which a sample of length 0.5 has opacity 1/2
    densities = torch.tensor([ln2, ln2, ln2, ln2, 0.01, ln2, 0.01, ln2])
    kept = prune(samples, densities, alpha_min=0.1, transmittance_min=0.2)
    # Ray 0: light before its samples is 1, 1/2, 1/4, 1/8 -> three stay. Ray 1: faint ones go.
    assert kept.offsets.tolist() == [0, 3, 5]
    assert_close_report(kept.midpoints, torch.tensor([2.25, 2.75, 3.25, 2.75, 3.75]))


def test_pruning_changes_opacity_by_less_than_promised():
    origins, directions = camera_rays()
    samples = march(origins, directions, some_cells(), torch.full((len(origins),), 0.5), 0.05)
    generator = torch.Generator().manual_seed(3)
    densities = torch.rand(len(samples.t_starts), generator=generator) ** 8 * 60
    kept = prune(samples, densities, alpha_min=1e-3, transmittance_min=1e-2)
    # Find the kept densities again by their place.
    place = {
        (r, t): i
        for i, (r, t) in enumerate(
            zip(samples.ray_indices.tolist(), samples.t_starts.tolist(), strict=True)
        )
    }
    pairs = zip(kept.ray_indices.tolist(), kept.t_starts.tolist(), strict=True)
    index = torch.tensor([place[pair] for pair in pairs])
    grey = torch.ones(len(densities), 3)
    full = composite_reference(densities, grey, samples).opacity
    less = composite_reference(densities[index], grey[index], kept).opacity
    assert len(index) < 0.8 * len(densities)
    assert ((full - less) >= -1e-6).all() and (full - less).max() < 1e-2 + 1e-3 * 42


def test_kernels_leave_torch_its_number_of_threads():
    """numba's threads start with the first kernel, and bring torch to as many as they are."""
    program = """
import torch
from uni3d.cameras import Cameras
from uni3d.scene.backends import CPU
from uni3d.scene.march import Limits
from uni3d.scene.render import flat_rays

class Fog:
    def density(self, points):
        return points[:, 0] * 0 + 1

rays = flat_rays(Cameras.orbit([0.0], [0.0]), 4, 4, None, torch.device("cpu"))
CPU.sample(Fog(), torch.ones(1, 1, 1, dtype=torch.bool), rays, Limits(0.1, 0, 0))
print(torch.get_num_threads())
"""
    told = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=told, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
