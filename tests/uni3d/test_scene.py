"""The optimised scene: how far one update moves it."""

import pytest
import torch

from uni3d.scene.field import FieldConfig
from uni3d.scene.regularizers import Ramp
from uni3d.scene.scene import Scene, SceneConfig

SMALL = FieldConfig(levels=2, log2_table_size=8, base_resolution=4, max_resolution=8, hidden=8)


@pytest.mark.parametrize(("fraction", "share"), [(0.0, 1.0), (0.5, 1.0), (0.75, 0.55), (1.0, 0.1)])
def test_an_update_moves_less_as_the_run_cools_down(fraction, share):
    """Adam's first step is the rate itself whatever the gradient (Kingma & Ba 2015)."""
    cool_down = Ramp(before=1.0, after=0.1, start=0.5)
    scene = Scene(SceneConfig(field=SMALL, cool_down=cool_down, occupancy_every=1000), 0)
    before = {name: p.detach().clone() for name, p in scene.field.named_parameters()}
    for p in scene.field.parameters():
        p.grad = torch.full_like(p, 3.0)
    scene.update(1, fraction, torch.Generator())
    for name, p in scene.field.named_parameters():
        rate = 1e-2 if name == "table" else 1e-3
        moved = before[name] - p.detach()
        assert torch.allclose(moved, torch.full_like(moved, rate * share), rtol=1e-3), name
