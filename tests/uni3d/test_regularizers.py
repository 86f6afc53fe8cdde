"""Regularisers on pictures made by hand."""

import math

import pytest
import torch
from closeness import assert_close_report

from uni3d.cameras import Cameras
from uni3d.errors import ConfigError
from uni3d.scene.field import FieldConfig, HashField
from uni3d.scene.regularizers import (
    Ramp,
    RegularizerConfig,
    entropy,
    finite_difference_normals,
    opacity,
    orientation,
    sparsity,
    total,
)
from uni3d.scene.render import Rendered, render


def picture(opacities, weights=(), points=(), directions=()):
    """A rendered picture with only what the regularisers read."""
    o = torch.tensor(opacities, requires_grad=True).reshape(1, 1, 1, -1)
    n = len(weights)
    return Rendered(
        rgb=torch.zeros(1, 3, *o.shape[2:]),
        opacity=o,
        depth=o * 0,
        weights=torch.tensor(weights),
        points=torch.tensor(points).reshape(n, 3),
        densities=torch.ones(n),
        directions=torch.tensor(directions).reshape(n, 3),
    )


def outward(points):
    """A density that falls away from the origin: normals point outwards."""
    return 2 - points.norm(dim=-1)


def test_image_terms_by_hand():
    image = picture([0.0, 0.5, 1.0])
    assert opacity(image).item() == pytest.approx(0.5)
    want = (0.1 + math.sqrt(0.26) + math.sqrt(1.01)) / 3 - 0.1
    assert sparsity(image).item() == pytest.approx(want)
    edge = -(0.001 * math.log(0.001) + 0.999 * math.log(0.999))
    assert entropy(image).item() == pytest.approx((math.log(2) + 2 * edge) / 3, rel=1e-5)


def test_slopes_push_where_they_should():
    for term, sign in ((opacity, 1), (sparsity, 1)):
        o = picture([0.3]).opacity
        (slope,) = torch.autograd.grad(term(Rendered(o, o, o)), o)
        assert slope.item() * sign > 0
    for value, sign in ((0.3, 1), (0.7, -1)):  # entropy: away from one half
        o = picture([value]).opacity
        (slope,) = torch.autograd.grad(entropy(Rendered(o, o, o)), o)
        assert slope.item() == pytest.approx(math.log((1 - value) / value), rel=1e-4)
        assert slope.item() * sign > 0


def test_finite_difference_normals_of_a_plane_and_a_ball():
    points = torch.tensor([[0.3, 0.1, -0.2], [0.0, 0.5, 0.5]])
    slope = torch.tensor([1.0, -2, 2])
    normals = finite_difference_normals(lambda p: p @ slope, points, 0.01)
    assert_close_report(normals, (-slope / 3).expand(2, 3), rtol=1e-4)
    normals = finite_difference_normals(outward, points, 0.01)
    assert_close_report(normals, torch.nn.functional.normalize(points, dim=-1), rtol=1e-2)
    # The error is of first order: a tenth of the distance, a tenth of the error.
    normals = finite_difference_normals(outward, points.double(), 0.001)
    want = torch.nn.functional.normalize(points.double(), dim=-1)
    assert_close_report(normals, want, rtol=1e-3)
    flat = finite_difference_normals(lambda p: p[:, 0] * 0 + 3, points, 0.01)
    assert not flat.any()


def test_orientation_by_hand():
    """Samples at +x: seen from the front cost nothing, from behind w * 1, from 60 degrees w/4."""
    behind, front, slanted = [1.0, 0, 0], [-1.0, 0, 0], [0.5, math.sqrt(0.75), 0]
    points = [[0.5, 0, 0]] * 4
    image = picture(
        [0.5, 0.5, 0.0], [0.4, 0.3, 0.2, 0.005], points, [behind, front, slanted, behind]
    )
    # The fourth sample is too faint to count; two pixels are not empty.
    got = orientation(image, outward, None)
    assert got.item() == pytest.approx((0.4 + 0.2 * 0.25) / 2, rel=1e-3)


def test_orientation_of_a_subset_is_unbiased_and_reproducible():
    generator = torch.Generator().manual_seed(0)
    n = 400
    directions = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=-1)
    image = picture([1.0], [0.02] * n, [[0.5, 0, 0]] * n, directions.tolist())
    full = orientation(image, outward, None, samples=n).item()
    draws = [
        orientation(image, outward, torch.Generator().manual_seed(s), samples=40).item()
        for s in range(200)
    ]
    assert sum(draws) / 200 == pytest.approx(full, rel=0.03)
    again = orientation(image, outward, torch.Generator().manual_seed(7), samples=40).item()
    assert again == draws[7] and draws[7] != draws[8]


def test_orientation_turns_the_field_but_not_the_weights():
    field = HashField(FieldConfig(), torch.Generator().manual_seed(0))
    image = render(field, None, Cameras.orbit([0.0, 180.0]), 16, 16)
    value = orientation(image, field.density, torch.Generator().manual_seed(0))
    value.backward()
    # The start is fog: rays that leave it see its back from inside.
    assert 1e-3 < value.item() < 1
    assert field.table.grad.isfinite().all() and field.table.grad.any()
    assert field.color_hidden.grad is None


def test_empty_pictures_give_finite_values_and_slopes():
    config = RegularizerConfig(opacity=Ramp(before=1.0, after=1.0))
    image = picture([0.0, 0.0])
    loss, values = total(image, outward, config, 1.0)
    (slope,) = torch.autograd.grad(loss, image.opacity)
    assert values["orientation"] == 0 and math.isfinite(loss.item()) and slope.isfinite().all()


def test_ramp():
    ramp = Ramp(before=1.0, after=3.0, start=0.2, end=0.6)
    assert [ramp.at(f) for f in (0, 0.2, 0.4, 0.6, 1)] == pytest.approx([1, 1, 2, 3, 3])
    step = Ramp(after=5.0, start=0.5, end=0.5)
    assert [step.at(f) for f in (0.49, 0.5, 1.0)] == [0, 5, 5]
    with pytest.raises(ConfigError, match="ramp"):
        Ramp(start=0.7, end=0.2)


def test_total_weighs_the_active_terms_only():
    config = RegularizerConfig(
        opacity=Ramp(after=2.0),
        sparsity=Ramp(),
        entropy=Ramp(after=4.0, start=0.5),
        orientation=Ramp(),
    )
    image = picture([0.5, 0.5])
    loss, values = total(image, outward, config, 0.75)
    assert values == {"opacity": 0.5, "entropy": pytest.approx(math.log(2))}
    assert loss.item() == pytest.approx(1.5 * 0.5 + 2.0 * math.log(2))
    assert total(image, outward, config, 0.0)[0].item() == 0
