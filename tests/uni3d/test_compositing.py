"""Compositing by hand, against the twin, and its gradient against finite differences."""

import math

import pytest
import torch
from closeness import assert_close_report
from twins.scene import composite_reference

from uni3d.scene.composite import composite
from uni3d.scene.march import Samples


def make_samples(counts, seed=0):
    """Packed samples with random gaps and lengths; some rays may be empty."""
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    starts, ends = [], []
    for count in counts:
        cuts = (torch.rand(2 * count, generator=generator) * 3 + 1).sort().values
        starts.append(cuts[::2])
        ends.append(cuts[1::2])
    index = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return Samples(offsets, index, torch.cat(starts), torch.cat(ends))


def test_transmittance_by_hand():
    # alpha = 0, 0.3, 0.8, 0.5 -> T = 1, 1, 0.7, 0.14 -> w = 0, 0.3, 0.56, 0.07
    alpha = torch.tensor([0.0, 0.3, 0.8, 0.5])
    samples = Samples(
        torch.tensor([0, 0, 4]),  # a first ray without samples
        torch.ones(4, dtype=torch.int64),
        torch.arange(4.0),
        torch.arange(4.0) + 0.5,
    )
    out = composite(-torch.log1p(-alpha) / 0.5, torch.eye(4)[:, :3].contiguous(), samples)
    assert_close_report(out.weights, torch.tensor([0, 0.3, 0.56, 0.07]))
    assert_close_report(out.opacity, torch.tensor([0, 0.93]))
    assert_close_report(out.rgb, torch.tensor([[0, 0, 0], [0, 0.3, 0.56]]))
    assert_close_report(out.distance, torch.tensor([0, 0.3 * 1.25 + 0.56 * 2.25 + 0.07 * 3.25]))


def test_kernel_equals_twin_in_value_and_gradients():
    samples = make_samples([3, 0, 40, 1, 7, 0] * 30)
    generator = torch.Generator().manual_seed(1)
    n, rays = len(samples.t_starts), len(samples.offsets) - 1
    density = (torch.rand(n, generator=generator) * 20).requires_grad_()
    color = torch.rand(n, 3, generator=generator).requires_grad_()
    slopes = [torch.randn(s, generator=generator) for s in ((rays, 3), (rays,), (rays,), (n,))]
    twins = [x.detach().double().requires_grad_() for x in (density, color)]
    for composite_, inputs in ((composite, (density, color)), (composite_reference, twins)):
        out = composite_(*inputs, samples)
        parts = (out.rgb, out.opacity, out.distance, out.weights)
        sum((p * s).sum() for p, s in zip(parts, slopes, strict=True)).backward()
        if composite_ is composite:
            ours = parts
    names = ("rgb", "opacity", "distance", "weights")
    for a, b, name in zip(ours, parts, names, strict=True):
        assert_close_report(a, b, what=name)
    assert_close_report(density.grad, twins[0].grad, what="density gradient")
    assert_close_report(color.grad, twins[1].grad, what="color gradient")


def test_twin_passes_gradcheck():
    samples = make_samples([3, 0, 2])
    density = (torch.rand(5).double() * 4).requires_grad_()
    color = torch.rand(5, 3).double().requires_grad_()

    def outputs(d, c):
        out = composite_reference(d, c, samples)
        return out.rgb, out.opacity, out.distance, out.weights

    assert torch.autograd.gradcheck(outputs, (density, color))


@pytest.mark.parametrize("density", [0.7, 3.0])
def test_constant_fog_has_the_closed_form_opacity(density):
    edges = torch.linspace(2, 4, 65)
    samples = Samples(
        torch.tensor([0, 64]), torch.zeros(64, dtype=torch.int64), edges[:-1], edges[1:]
    )
    out = composite(torch.full((64,), density), torch.full((64, 3), 0.25), samples)
    want = 1 - math.exp(-density * 2)
    assert out.opacity.item() == pytest.approx(want, rel=1e-5)
    assert out.rgb[0].tolist() == pytest.approx([want / 4] * 3, rel=1e-5)


def test_extreme_densities_stay_finite():
    samples = make_samples([4])
    density = torch.tensor([0.0, 1e6, 1e6, 0.0], requires_grad=True)
    out = composite(density, torch.ones(4, 3), samples)
    out.rgb.sum().backward()
    assert out.opacity.item() == 1 and density.grad.isfinite().all()
