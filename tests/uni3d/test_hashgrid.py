"""The hash encoding against a scalar uint32 implementation, its twin, and itself again."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from closeness import assert_close_report
from twins.scene import encode_reference

from uni3d.errors import ConfigError
from uni3d.scene.hashgrid import HashGrid, encode

GRID = HashGrid()
SMALL = HashGrid(levels=3, log2_table_size=6, base_resolution=2, max_resolution=9)


def random_case(grid, count=700, seed=0):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(count, 3, generator=generator)
    table = torch.randn(2 * grid.entries, generator=generator)
    slope = torch.randn(count, grid.outputs, generator=generator)
    return points, table, slope


def off_the_cell_walls(points, grid, margin=1e-3):
    """Only points whose slope is the same in float32 and float64: not on a wall of any cell."""
    position = points[:, :, None].double() * torch.from_numpy(grid.scales).double() + 0.5
    distance = (position - position.round()).abs().amin((1, 2))
    return distance > margin


def scalar_encode(point, table, grid):
    """tiny-cuda-nn's rules for one point, written with numpy's uint32 and no shared code."""
    out, start = [], 0
    growth = math.exp(math.log(grid.max_resolution / grid.base_resolution) / (grid.levels - 1))
    table = np.asarray(table).reshape(-1, 2)
    for level in range(grid.levels):
        scale = np.float32(2.0 ** (level * math.log2(growth)) * grid.base_resolution - 1)
        resolution = math.ceil(round(float(scale), 4)) + 1
        size = min((resolution**3 + 7) // 8 * 8, 2**grid.log2_table_size)
        position = np.float32(point) * scale + np.float32(0.5)
        cell = np.floor(position).astype(np.uint32)
        fraction = position - np.floor(position)
        total = np.zeros(2)
        for bits in itertools.product((0, 1), repeat=3):
            corner = cell + np.array(bits, dtype=np.uint32)
            if resolution**3 <= size:
                index = int(corner[0] + corner[1] * resolution + corner[2] * resolution**2) % size
            else:
                with np.errstate(over="ignore"):
                    keys = corner * np.array([1, 2654435761, 805459861], dtype=np.uint32)
                index = int(keys[0] ^ keys[1] ^ keys[2]) % size
            weight = np.prod([f if b else 1 - f for f, b in zip(fraction, bits, strict=True)])
            total += weight * table[start + index]
        out.extend(total)
        start += size
    return torch.tensor(np.array(out))


def test_layout_by_hand():
    # base 8, growth 16^(1/7): 27^3 = 19683 corners fit 2^15, rounded up to 19688; 40^3 do not.
    assert GRID.layout[:, 2].tolist() == [8, 12, 18, 27, 40, 58, 87, 128]
    assert GRID.layout[:, 1].tolist() == [512, 1728, 5832, 19688, *[32768] * 4]
    assert GRID.layout[:, 3].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert GRID.layout[:, 0].tolist() == [0, 512, 2240, 8072, 27760, 60528, 93296, 126064]
    assert GRID.entries == 158832


@pytest.mark.parametrize("grid", [GRID, SMALL])
def test_equals_the_scalar_rules(grid):
    points, table, _ = random_case(grid, count=40)
    points[0], points[1] = torch.zeros(3), torch.tensor([0.999, 0.5, 1.0])
    want = torch.stack([scalar_encode(p.numpy(), table.numpy(), grid) for p in points])
    assert_close_report(encode(points, table, grid), want, what="kernel")
    assert_close_report(encode_reference(points, table, grid), want, what="twin")


@pytest.mark.parametrize("grid", [GRID, SMALL, dataclasses.replace(GRID, levels=1)])
def test_kernel_equals_twin_in_value_and_gradients(grid):
    points, table, slope = random_case(grid, count=5000)  # several parallel pieces
    keep = off_the_cell_walls(points, grid)
    points, slope = points[keep].requires_grad_(), slope[keep]
    table.requires_grad_()
    twin_points = points.detach().double().requires_grad_()
    twin_table = table.detach().double().requires_grad_()
    out, want = encode(points, table, grid), encode_reference(twin_points, twin_table, grid)
    out.backward(slope)
    want.backward(slope.double())
    # float32 positions at scale 127 carry about 127 * 2^-24 = 8e-6 of a cell.
    assert_close_report(out, want, rtol=1e-5, what="features")
    assert_close_report(table.grad, twin_table.grad, rtol=1e-5, what="table gradient")
    assert_close_report(points.grad, twin_points.grad, rtol=1e-5, what="position gradient")


def test_twin_passes_gradcheck():
    points, table, _ = random_case(SMALL, count=6)
    points = points[off_the_cell_walls(points, SMALL)].double().requires_grad_()
    table = table.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda p, t: encode_reference(p, t, SMALL), (points, table))


def test_clamps_outside_and_survives_nan():
    _, table, _ = random_case(GRID)
    outside = torch.tensor([[-0.3, 0.5, 1.7]], requires_grad=True)
    inside = torch.tensor([[0.0, 0.5, 1.0]])
    out = encode(outside, table, GRID)
    assert torch.equal(out, encode(inside, table, GRID))
    out.sum().backward()
    assert outside.grad[0, 0] == 0 and outside.grad[0, 2] == 0 and outside.grad[0, 1] != 0
    nan = torch.full((1, 3), float("nan"))
    assert torch.equal(encode(nan, table, GRID), encode(torch.zeros(1, 3), table, GRID))


def test_no_points():
    table = torch.zeros(2 * SMALL.entries, requires_grad=True)
    encode(torch.zeros(0, 3), table, SMALL).sum().backward()
    assert not table.grad.any()


def test_same_bits_on_every_run_and_for_every_thread_count():
    points, table, slope = random_case(GRID, count=9001)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 1):  # numba caps this at NUMBA_NUM_THREADS
            torch.set_num_threads(threads)
            p, t = points.clone().requires_grad_(), table.clone().requires_grad_()
            out = encode(p, t, GRID)
            out.backward(slope)
            results.append((out.detach(), p.grad, t.grad))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize(
    "change", [{"levels": 0}, {"log2_table_size": 2}, {"base_resolution": 200}]
)
def test_impossible_grids_are_refused(change):
    with pytest.raises(ConfigError, match="hash grid"):
        dataclasses.replace(GRID, **change)
