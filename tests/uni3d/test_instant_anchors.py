"""What the anchors of the instant training say: deviations, colours, blurred pictures."""

import math

import pytest
import torch

from uni3d.cameras import Cameras
from uni3d.instant.diversity import (
    CELLS,
    DEVIATION,
    SCATTER,
    TRAITS,
    apart_from,
    deviations,
    likeness,
    traits,
    unlike,
)


def test_deviations_are_the_residuals_of_what_the_others_say():
    """Against leaving each one out by hand, with the noise level that makes them likeliest."""
    start = torch.Generator().manual_seed(4)
    texts = torch.randn(3, 8, generator=start)[torch.arange(40) % 3]
    cameras = Cameras.orbit(torch.rand(40, generator=start) * 360, 15.0)
    own = torch.randn(40, 2, generator=start)
    values = 5 * texts[:, :2] + torch.cos(cameras.azimuth_deg.deg2rad())[:, None] + 0.5 * own
    found = deviations(values, texts, cameras)
    kernel = likeness(texts.double(), cameras)
    standard = (values.double() - values.double().mean(0)) / values.double().std(0)
    likeliest, want = -math.inf, None
    for noise in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0):
        rows = []
        for k in range(40):
            rest = [i for i in range(40) if i != k]
            inner = kernel[rest][:, rest] + noise * torch.eye(39, dtype=torch.float64)
            weights = torch.linalg.solve(inner, standard[rest])
            certain = (
                kernel[k, k] + noise - kernel[k, rest] @ torch.linalg.solve(inner, kernel[rest, k])
            )
            rows.append((standard[k] - kernel[k, rest] @ weights, certain.sqrt().expand(2)))
        residual, sure = (torch.stack(column) for column in zip(*rows, strict=True))
        deviation = sure * (residual / sure).square().mean(0).sqrt()
        likely = float(torch.distributions.Normal(0.0, deviation).log_prob(residual).sum())
        if likely > likeliest:
            likeliest, want = likely, residual / deviation
    torch.testing.assert_close(found, want.clamp(-3, 3).float(), atol=1e-4, rtol=0)
    # They are what each differs in by itself, and neither the sentence nor the side.
    assert torch.corrcoef(torch.stack([found[:, 0], own[:, 0]]))[0, 1] > 0.6
    assert abs(torch.corrcoef(torch.stack([found[:, 0], texts[:, 0]]))[0, 1]) < 0.3


def test_traits_are_the_colour_of_the_object_over_any_background():
    pictures = torch.full((2, 3, 40, 40), 0.9)
    pictures[1] = torch.tensor([0.1, 0.9, 0.9])[:, None, None]
    red, orange = torch.tensor([1.0, 0.2, 0.0]), torch.tensor([1.0, 0.6, 0.0])
    pictures[:, :, 10:30, 15:20] = red[:, None, None]
    pictures[:, :, 10:30, 20:25] = orange[:, None, None]
    wanted = (red + orange)[None] / 2
    torch.testing.assert_close(traits(pictures), wanted.expand(2, 3))
    # A rendering with its opacity has the same ones, over any background; fog does not count.
    opacity, grounds = torch.zeros(1, 1, 40, 40), torch.tensor([[0.3, 0.4, 0.5]])
    opacity[:, :, 10:30, 15:25] = 1
    rgb = opacity * pictures[:1] + (1 - opacity) * grounds[:, :, None, None]
    assert float(apart_from(rgb, opacity, grounds, wanted)) < 1e-8
    halo = (opacity + 0.25).clamp(max=1)
    fog = torch.where(opacity > 0, rgb, 0.25 * 1.0 + 0.75 * grounds[:, :, None, None])
    assert float(apart_from(fog, halo, grounds, wanted)) < 1e-8
    less = rgb - 0.06 * opacity * torch.tensor([1.0, 0, 0])[None, :, None, None]
    cost = (0.06 / DEVIATION) ** 2 / 4 / TRAITS
    assert float(apart_from(less, opacity, grounds, wanted)) == pytest.approx(cost, 1e-4)


def test_a_rendering_is_as_unlike_its_anchor_as_their_blurred_pictures_are():
    """By hand, over any background; what is finer than a cell does not count."""
    start = torch.Generator().manual_seed(6)
    own, opacity = torch.rand(2, 3, 48, 48, generator=start), torch.zeros(2, 1, 48, 48)
    opacity[:, :, 12:36, 6:42] = torch.rand(2, 1, 24, 36, generator=start)
    own = own * opacity  # premultiplied, as rendered over black
    backgrounds, grounds = torch.rand(2, 2, 3, generator=start)
    pictures = torch.rand(2, 3, CELLS, CELLS, generator=start)
    wanted = 0.0
    for k in range(2):
        for c in range(3):
            for i in range(CELLS):
                for j in range(CELLS):
                    cell = own[k, c, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
                    light = 1 - opacity[k, 0, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
                    value = float((cell + light * grounds[k, c]).mean() - pictures[k, c, i, j])
                    wanted += value**2 / SCATTER**2 / pictures.numel()
    rgb = own + (1 - opacity) * backgrounds[:, :, None, None]
    assert float(unlike(rgb, opacity, backgrounds, pictures, grounds)) == pytest.approx(wanted)
