"""Pictures of an analytic ball against closed forms, and of a hash field against the slow twin."""

import math
import resource

import pytest
import torch
from closeness import assert_close_report
from torch import nn
from twins.scene import render_reference

from uni3d.cameras import Cameras
from uni3d.errors import ConfigError
from uni3d.scene.backends import CPU, probe_cuda_backend
from uni3d.scene.field import Background, FieldConfig, HashField
from uni3d.scene.march import Limits, Rays, lattice, march, prune
from uni3d.scene.occupancy import OccupancyGrid
from uni3d.scene.render import RenderConfig, render

EXACT = RenderConfig(alpha_min=0.0, transmittance_min=0.0)
RADIUS = 0.6


class Ball(nn.Module):
    """Constant density in a ball at the origin, coloured by position."""

    def __init__(self, density=2.0):
        super().__init__()
        self.sigma = nn.Parameter(torch.tensor(density))

    def density(self, points):
        return self.sigma * (points.norm(dim=-1) < RADIUS)

    def forward(self, points):
        return self.density(points), points * 0.5 + 0.5


def solid_field(seed=0):
    """An opaque lump with a textured, uneven surface."""
    generator = torch.Generator().manual_seed(seed)
    field = HashField(FieldConfig(blob_density=60.0, blob_radius=0.6), generator)
    with torch.no_grad():
        field.table.copy_(torch.randn(field.table.shape, generator=generator))
    return field


def trained(field):
    occupancy = OccupancyGrid()
    occupancy.update(field.density, torch.Generator().manual_seed(0))
    return occupancy


def chords(cameras, size):
    """Lengths of the rays' ways through the ball, and distances of their middles."""
    origins, directions = cameras.rays(size, size)
    middle = -(origins * directions).sum(-1)
    closest = (origins + middle[..., None] * directions).square().sum(-1)
    return 2 * (RADIUS**2 - closest).clamp(min=0).sqrt(), middle


def test_ball_has_the_closed_form_opacity_and_depth():
    cameras, ball = Cameras.orbit([15.0, 120.0], [20.0, -10.0]), Ball(density=2.0)
    config = RenderConfig(step_size=0.005, alpha_min=0.0, transmittance_min=0.0)
    out = render(ball, trained(ball), cameras, 32, 32, config=config)
    chord, middle = chords(cameras, 32)
    want = 1 - torch.exp(-2.0 * chord)
    # The midpoint rule misses a chord by up to one step: 2 * 0.005 in optical depth.
    assert (out.opacity[:, 0] - want).abs().max() < 0.0101
    assert abs((out.opacity[:, 0] - want).mean()) < 3e-4
    # Mean free path before the exit: t_in + 1/s - c exp(-s c) / (1 - exp(-s c))
    inside = chord > 0.3
    mean = 1 / 2.0 - chord * torch.exp(-2.0 * chord) / (1 - torch.exp(-2.0 * chord))
    depth = (middle - chord / 2 + mean)[inside]
    assert (out.depth[:, 0][inside] - depth).abs().max() < 0.005
    assert not out.depth[:, 0][chord == 0].any() and not out.opacity[:, 0][chord == 0].any()


def test_ball_gradient_is_the_closed_form():
    cameras, ball = Cameras.orbit(0.0), Ball(density=1.3)
    config = RenderConfig(step_size=0.005, alpha_min=0.0, transmittance_min=0.0)
    render(ball, None, cameras, 24, 24, config=config).opacity.mean().backward()
    chord, _ = chords(cameras, 24)
    want = (chord * torch.exp(-1.3 * chord)).mean().item()
    assert ball.sigma.grad.item() == pytest.approx(want, rel=5e-3)


def test_fast_path_equals_reference_without_dropping():
    """Same samples, hence the same numbers, values and gradients, if nothing is dropped."""
    cameras, solid = Cameras.orbit([40.0, 260.0], 10.0), torch.tensor([[1.0, 0, 0], [0, 0.5, 1]])
    results = []
    for renderer in (render, render_reference):
        field = solid_field()
        extra = {"background": solid, "config": EXACT}
        jitter = torch.Generator().manual_seed(3)
        args = (field, None) if renderer is render else (field,)
        out = renderer(*args, cameras, 12, 12, jitter_generator=jitter, **extra)
        # Weighted: the depth of a ray of opacity 1e-6 is a quotient of roundings.
        distance = out.depth * out.opacity
        (out.rgb.square().sum() + out.opacity.sum() + distance.sum()).backward()
        results.append((out.rgb, out.opacity, distance, field.table.grad))
    for ours, twin, name in zip(*results, ("rgb", "opacity", "distance", "grad"), strict=True):
        assert_close_report(ours, twin, rtol=1e-4, what=name)


def test_dropping_and_occupancy_cost_less_than_promised():
    cameras, field = Cameras.orbit([40.0, 260.0], 10.0), solid_field()
    occupancy = trained(field)
    fast, slow = render(field, occupancy, cameras, 24, 24), render_reference(field, cameras, 24, 24)
    assert len(fast.weights) < 0.2 * len(slow.weights)
    # Fog around the lump: at most a few dozen dropped samples of opacity below 0.001.
    assert (fast.opacity - slow.opacity).abs().max() < 0.01
    assert (fast.rgb - slow.rgb).abs().max() < 0.01
    assert (fast.opacity - slow.opacity).abs().mean() < 1e-3
    # The gradient that is lost is small against the whole.
    (fast.rgb.mean() + 0 * fast.opacity.sum()).backward()
    ours = field.table.grad.clone()
    field.zero_grad()
    slow.rgb.mean().backward()
    assert_close_report(ours, field.table.grad, rtol=0.03, what="table gradient")


def test_fused_walk_keeps_what_march_and_prune_keep():
    field = solid_field()
    occupied = trained(field).occupied
    origins, directions = Cameras.orbit([77.0], 33.0).rays(40, 40)
    origins, directions = origins.reshape(-1, 3).contiguous(), directions.reshape(-1, 3)
    jitter = torch.rand(1600, generator=torch.Generator().manual_seed(2))
    rays, limits = Rays(origins, directions, jitter), Limits(0.025, 1e-3, 1e-3)
    fused = CPU.sample(field, occupied, rays, limits)
    found = march(origins, directions, occupied, jitter, 0.025)
    with torch.no_grad():
        twin = prune(found, field.density(found.points(origins, directions)), *limits[1:])
    # A sample within rounding of a limit may fall on either side.
    first, _, most = lattice(origins, directions, jitter, 0.025)

    def places(samples):
        """Which step of which ray each sample is, as one number."""
        step = (samples.midpoints - first[samples.ray_indices]) / 0.025
        assert (step - step.round()).abs().max() < 1e-3
        return set((samples.ray_indices * most + step.round().long()).tolist())

    ours, theirs = places(fused), places(twin)
    assert len(ours ^ theirs) <= 3 and len(theirs) > 1000
    assert len(theirs) < 0.8 * len(found.t_starts)


def test_background_shows_where_the_object_is_not():
    cameras, ball = Cameras.orbit([0.0, 90.0]), Ball(density=0.0)
    solid = torch.tensor([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]])
    out = render(ball, None, cameras, 4, 6, background=solid)
    assert_close_report(out.rgb, solid[:, :, None, None].expand(2, 3, 4, 6))
    background = Background(torch.Generator().manual_seed(0))
    out = render(ball, None, cameras, 4, 6, background=background)
    want = background(cameras.rays(4, 6)[1].reshape(-1, 3)).reshape(2, 4, 6, 3)
    assert_close_report(out.rgb, want.permute(0, 3, 1, 2))
    assert not render(ball, None, cameras, 4, 6).rgb.any()


def test_evaluation_in_pieces_equals_the_whole_and_keeps_no_samples():
    cameras, field = Cameras.orbit([10.0, 100.0, 190.0]), solid_field()
    whole = render(field, trained(field), cameras, 20, 16)
    with torch.no_grad():
        pieces = render(field, trained(field), cameras, 20, 16, config=RenderConfig(chunk_rays=77))
    assert_close_report(pieces.rgb, whole.rgb)
    assert_close_report(pieces.depth, whole.depth)
    assert pieces.weights is None and len(whole.weights) == len(whole.ray_indices)
    weights = torch.zeros(3 * 20 * 16).index_add(0, whole.ray_indices, whole.weights)
    assert_close_report(weights, whole.opacity.flatten())


def test_same_seed_same_bits_for_every_thread_count():
    cameras, before, results = Cameras.orbit([0.0, 120.0], 20.0), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 1):
            torch.set_num_threads(threads)
            field = solid_field()
            jitter = torch.Generator().manual_seed(5)
            out = render(field, trained(field), cameras, 32, 32, jitter_generator=jitter)
            (out.rgb - 0.3).square().mean().backward()
            results.append([out.rgb.detach(), *(p.grad for p in field.parameters())])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_large_evaluation_stays_within_memory():
    field = solid_field()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.no_grad():
        out = render(field, trained(field), Cameras.orbit([0.0, 90.0]), 256, 256)
    assert 0.2 < out.opacity.mean() < 0.6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


def test_optimisation_recovers_a_colour_and_a_silhouette():
    """60 steps towards pictures of a smaller red ball, from the default start."""
    generator = torch.Generator().manual_seed(0)
    field, occupancy = HashField(FieldConfig(), generator), OccupancyGrid()
    optimiser = torch.optim.Adam(field.parameters(), lr=0.02)
    cameras = Cameras.orbit([0.0, 90.0, 180.0, 270.0], 20.0)
    origins, directions = cameras.rays(24, 24)
    middle = -(origins * directions).sum(-1)
    mask = ((origins + middle[..., None] * directions).norm(dim=-1) < 0.4)[:, None].float()
    target = mask * torch.tensor([0.9, 0.1, 0.1])[:, None, None] + (1 - mask)
    for step in range(60):
        if step % 10 == 0:
            occupancy.update(field.density, generator)
        out = render(
            field,
            occupancy,
            cameras,
            24,
            24,
            background=torch.ones(4, 3),
            jitter_generator=generator,
        )
        loss = (out.rgb - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.01
    assert ((out.opacity > 0.5) == (mask > 0)).float().mean() > 0.95


def test_no_gpu_is_said_and_not_raised():
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is present")
    assert probe_cuda_backend() == (False, "torch sees no CUDA device")


def test_a_background_of_the_wrong_batch_and_impossible_configs_are_refused():
    with pytest.raises(AssertionError, match="background"):
        render(Ball(), None, Cameras.orbit([0.0, 1.0]), 4, 4, background=torch.zeros(1, 3))
    with pytest.raises(ConfigError, match="step_size"):
        RenderConfig(step_size=0.0)
    with pytest.raises(ConfigError, match="alpha_min"):
        RenderConfig(alpha_min=1.0)


def test_fog_opacity_does_not_depend_on_the_step():
    ball, cameras = Ball(density=1.0), Cameras.orbit(0.0)
    generator = torch.Generator().manual_seed(0)
    means = []
    for step in (0.1, 0.01):
        config = RenderConfig(step_size=step, alpha_min=0.0, transmittance_min=0.0)
        out = render(ball, None, cameras, 64, 64, config=config, jitter_generator=generator)
        means.append(out.opacity.mean().item())
    assert means[0] == pytest.approx(means[1], rel=0.01) and not math.isnan(means[0])
