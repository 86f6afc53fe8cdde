"""The scene's density and colour against the formulas, and the fused paths against torch."""

import math

import pytest
import torch
from closeness import assert_close_report
from twins.scene import encode_reference

from uni3d.errors import ConfigError
from uni3d.scene.field import Background, FieldConfig, HashField, random_background
from uni3d.scene.mlp import mlp, mlp_reference

CONFIG = FieldConfig(blob_density=5.0, blob_radius=0.5)


def trained_field(seed=0, config=CONFIG):
    """A field whose table is far from its tiny start, as after training."""
    generator = torch.Generator().manual_seed(seed)
    field = HashField(config, generator)
    with torch.no_grad():
        field.table.copy_(torch.randn(field.table.shape, generator=generator))
    return field


def in_box(count, seed=1):
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def reference(field, points):
    """The field in float64 from its equations."""
    p = {name: value.detach().double() for name, value in field.named_parameters()}
    points = points.double()
    features = encode_reference(points * 0.5 + 0.5, p["table"], field.grid)
    raw = (features @ p["density_hidden"]).clamp(min=0) @ p["density_out"]
    radius = points.norm(dim=-1)
    blob = field.config.blob_density * (1 - radius / field.config.blob_radius)
    density = torch.log1p(torch.exp(raw + blob)) * (radius < 1)
    color = (features @ p["color_hidden"]).clamp(min=0) @ p["color_out"]
    return density, 1 / (1 + torch.exp(-color))


def test_starts_as_a_grey_soft_ball():
    field = HashField(CONFIG, torch.Generator().manual_seed(3))
    points = torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [0, -0.7, 0], [0, 0, 0.99], [0.8, 0.8, 0]])
    density, color = field(points)
    # softplus(5), softplus(0), softplus(-2), softplus(-4.9), and outside the ball nothing
    want = torch.tensor([math.log1p(math.exp(x)) for x in (5, 0, -2, -4.9)])
    assert_close_report(density[:4], want, rtol=2e-3)
    assert density[4] == 0
    assert_close_report(color, torch.full((5, 3), 0.5), rtol=2e-3)


def test_forward_density_and_fused_density_equal_the_equations():
    field, points = trained_field(), in_box(3000)
    density, color = field(points)
    want_density, want_color = reference(field, points)
    assert_close_report(density, want_density, what="density")
    assert_close_report(color, want_color, what="color")
    assert_close_report(field.density(points), want_density, what="density with gradients")
    with torch.no_grad():
        assert_close_report(field.density(points), want_density, what="fused density")


def test_gradients_reach_all_parameters_and_equal_autograd_of_the_twin():
    field, points = trained_field(), in_box(1500)
    density, color = field(points)
    (density.sum() + (color * torch.tensor([1.0, 2, 3])).sum()).backward()
    twin = trained_field()
    # The same forward with the torch twins in place of the kernels.
    twin._encode, twin._mlp = encode_reference, mlp_reference
    density, color = twin(points)
    (density.sum() + (color * torch.tensor([1.0, 2, 3])).sum()).backward()
    for (name, ours), theirs in zip(field.named_parameters(), twin.parameters(), strict=True):
        assert_close_report(ours.grad, theirs.grad, rtol=3e-5, what=name)


def test_density_slope_to_positions_equals_central_differences_of_the_twin():
    field = trained_field()
    # Away from cell walls, where the slope jumps, a central difference of float64 is exact.
    points = in_box(400) * 0.55
    position = (points[:, :, None].double() * 0.5 + 0.5) * torch.from_numpy(field.grid.scales) + 0.5
    points = points[(position - position.round()).abs().amin((1, 2)) > 2e-3].requires_grad_()
    (slope,) = torch.autograd.grad(field.density(points).sum(), points)
    wide = points.detach().double()
    columns = []
    for axis in range(3):
        h = torch.zeros(3, dtype=torch.float64)
        h[axis] = 1e-7
        columns.append((reference(field, wide + h)[0] - reference(field, wide - h)[0]) / 2e-7)
    assert len(points) > 100
    # A ReLU kink between the two points or the two precisions is rare but possible.
    error = (slope - torch.stack(columns, -1)).norm(dim=-1) / slope.norm(dim=-1).mean()
    assert error.median() < 1e-5 and (error < 1e-3).float().mean() > 0.97


def test_slope_is_finite_at_the_centre():
    field = trained_field()
    points = torch.zeros(1, 3, requires_grad=True)
    field.density(points).sum().backward()
    assert points.grad.isfinite().all()


def test_same_seed_same_field():
    a, b, c = (HashField(CONFIG, torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert torch.equal(a.table, b.table) and not torch.equal(a.table, c.table)
    assert a.table.abs().max() <= 1e-4


@pytest.mark.parametrize("count", [1, 63, 64, 2500])
def test_mlp_equals_twin(count):
    generator = torch.Generator().manual_seed(count)
    shapes = [(count, 6), (6, 10), (10, 3)]
    ours = [torch.randn(s, generator=generator).requires_grad_() for s in shapes]
    twins = [x.detach().double().requires_grad_() for x in ours]
    slope = torch.randn(count, 3, generator=generator)
    out, want = mlp(*ours), mlp_reference(*twins)
    out.backward(slope)
    want.backward(slope.double())
    assert_close_report(out, want)
    for x, y, name in zip(ours, twins, ("inputs", "w1", "w2"), strict=True):
        assert_close_report(x.grad, y.grad, what=name)


def test_field_step_has_the_same_bits_for_every_thread_count():
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            field = trained_field()
            density, color = field(in_box(5000))
            (density.square().sum() + color.sum()).backward()
            results.append([p.grad for p in field.parameters()])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_background_starts_near_grey_depends_on_direction_and_learns():
    background = Background(torch.Generator().manual_seed(0))
    directions = torch.nn.functional.normalize(in_box(500), dim=-1)
    color = background(directions)
    assert (color - 0.5).abs().max() < 0.3 and color.std(dim=0).min() > 1e-3
    target = torch.where(directions[:, 2:] > 0, 0.9, 0.2).expand(-1, 3)  # a bright sky
    optimiser = torch.optim.Adam(background.parameters(), lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        (background(directions) - target).square().mean().backward()
        optimiser.step()
    assert (background(directions) - target).square().mean() < 0.01  # a constant leaves 0.12


def test_random_background_is_uniform_and_reproducible():
    colors = random_background(4000, torch.Generator().manual_seed(2))
    assert torch.equal(colors, random_background(4000, torch.Generator().manual_seed(2)))
    assert_close_report(colors.mean(0), torch.full((3,), 0.5), rtol=0.03)
    assert_close_report(colors.var(0), torch.full((3,), 1 / 12), rtol=0.06)


@pytest.mark.parametrize("change", [{"features": 4}, {"hidden": 0}, {"blob_radius": 0.0}])
def test_impossible_configs_are_refused(change):
    with pytest.raises(ConfigError, match="field"):
        FieldConfig(**change)
