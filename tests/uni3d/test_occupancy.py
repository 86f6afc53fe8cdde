"""The occupancy grid on a ball that is known exactly."""

import pytest
import torch

from uni3d.errors import ConfigError
from uni3d.scene.occupancy import OccupancyConfig, OccupancyGrid


def ball(points, radius=0.4, density=20.0, centre=(0.1, -0.2, 0.3)):
    return density * ((points - torch.tensor(centre)).norm(dim=-1) < radius)


def is_occupied(grid, points):
    cell = ((points + 1) / 2 * grid.config.resolution).long()
    return grid.occupied[cell[:, 0], cell[:, 1], cell[:, 2]]


def updated(seed=0, times=1, density=ball):
    grid, generator = OccupancyGrid(), torch.Generator().manual_seed(seed)
    for _ in range(times):
        grid.update(density, generator)
    return grid


def test_everything_counts_at_the_start():
    assert OccupancyGrid().fraction == 1


def test_covers_the_whole_ball_but_not_much_more():
    grid = updated()
    points = torch.rand(200_000, 3, generator=torch.Generator().manual_seed(9)) * 2 - 1
    distance = (points - torch.tensor([0.1, -0.2, 0.3])).norm(dim=-1)
    assert is_occupied(grid, points)[distance < 0.4].all()
    # A cell with a hit reaches at most its diagonal past the ball; its neighbour one more.
    diagonal = 3**0.5 * 2 / grid.config.resolution
    assert not is_occupied(grid, points)[distance > 0.4 + 2 * diagonal].any()


def test_decay_forgets_an_object_that_went_away():
    grid, generator = updated(), torch.Generator().manual_seed(1)
    moved = lambda points: ball(points, centre=(-0.4, 0.4, -0.4))  # noqa: E731
    old = torch.tensor([[0.1, -0.2, 0.3]])
    # 20 * 0.95^k falls below the threshold of 0.1 at k = ln(200) / -ln(0.95) = 103.3
    for _ in range(100):
        grid.update(moved, generator)
    assert is_occupied(grid, old).item()
    for _ in range(4):
        grid.update(moved, generator)
    assert not is_occupied(grid, old).item()


def test_faint_scenes_are_judged_by_their_own_mean():
    grid = updated(density=lambda points: ball(points, density=1e-3))  # far below the threshold
    assert is_occupied(grid, torch.tensor([[0.1, -0.2, 0.3]])).item()
    assert 0 < grid.fraction < 0.2


def test_never_empties_totally():
    grid = updated(density=lambda points: torch.zeros(len(points)))
    assert grid.fraction == 1


def test_same_seed_same_grid_and_survives_a_checkpoint():
    a, b = updated(seed=4, times=3), updated(seed=4, times=3)
    assert torch.equal(a.density, b.density)
    c = OccupancyGrid()
    c.load_state_dict(a.state_dict())
    assert torch.equal(c.occupied, a.occupied) and torch.equal(c.density, a.density)
    assert c.fraction < 1


def test_x_is_the_first_axis_and_centres_are_used_without_a_generator():
    seen = []
    grid = OccupancyGrid(OccupancyConfig(resolution=2))
    grid.update(lambda points: seen.append(points) or points[:, 0].clamp(min=0), None)
    assert seen[0].tolist()[:3] == [[-0.5, -0.5, -0.5], [-0.5, -0.5, 0.5], [-0.5, 0.5, -0.5]]
    assert grid.density[1].min() == 0.5 and grid.density[0].max() == 0


def test_impossible_configs_are_refused():
    with pytest.raises(ConfigError, match="occupancy"):
        OccupancyConfig(decay=1.0)
