"""Augmentation: zero probability is the identity, and every transformation has its geometry."""

import math

import pytest
import torch
from tiny_run import recipe, run, write_data, write_teacher

from image_distill import edm
from image_distill.augment import SYM6, Transforms, draw_transforms, warp
from image_distill.data import ImageDataset
from image_distill.teachers import load_denoiser
from uni3d.errors import ConfigError


def spot(x, y, side=32, width=2.0):
    """A smooth bump at (x, y), in sides from the middle, y down."""
    places = (torch.arange(side, dtype=torch.float64) + 0.5) / side - 0.5
    column, row = places[:, None], places[None]
    return torch.exp(-((row - x) ** 2 + (column - y) ** 2) * side**2 / (2 * width**2))[None, None]


def centre(image):
    """(x, y, spread along x, spread along y) of a bump on black."""
    side = image.shape[-1]
    places = (torch.arange(side, dtype=torch.float64) + 0.5) / side - 0.5
    weight = image[0, 0].double().clamp(min=0)
    weight = torch.where(weight > 0.02, weight, 0.0)
    weight = weight / weight.sum()
    x, y = (weight.sum(0) * places).sum(), (weight.sum(1) * places).sum()
    wide = (weight.sum(0) * (places - x) ** 2).sum().sqrt()
    high = (weight.sum(1) * (places - y) ** 2).sum().sqrt()
    return [float(v) for v in (x, y, wide, high)]


def test_the_filter_is_sym6():
    """Orthonormal to its shifts by two, and six vanishing moments: that is what defines it."""
    taps = torch.tensor(SYM6, dtype=torch.float64)
    assert float(taps.sum()) == pytest.approx(math.sqrt(2), abs=1e-10)
    for shift in range(0, 12, 2):
        product = float((taps[shift:] * taps[: 12 - shift]).sum())
        assert product == pytest.approx(float(shift == 0), abs=1e-10)
    signs, k = (-1.0) ** torch.arange(12), torch.arange(12, dtype=torch.float64) - 5.5
    for moment in range(6):
        assert abs(float((signs * taps * k**moment).sum())) < 1e-6


def test_zero_probability_is_the_identity():
    images = torch.rand(16, 3, 8, 8)
    transforms = draw_transforms(0.0, (0, "a"), range(16))
    assert torch.equal(transforms(images), images) and not transforms.labels.any()


def test_the_warp_of_the_identity_changes_nothing():
    images = torch.rand(3, 2, 16, 16, dtype=torch.float64)
    matrices = torch.eye(2, 3, dtype=torch.float64).expand(3, 2, 3)
    assert float((warp(images, matrices) - images).abs().max()) < 1e-7


def applied(image, label, matrix):
    labels = torch.zeros(1, 9)
    for column, value in label.items():
        labels[0, column] = value
    return Transforms(labels, torch.tensor([matrix], dtype=torch.float64))(image)


STILL = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def test_flips_are_exact():
    image = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    assert torch.equal(applied(image, {0: 1.0}, STILL), image.flip(3))
    assert torch.equal(applied(image, {1: 1.0}, STILL), image.flip(2))


def test_a_shift_by_whole_pixels_is_exact_inside():
    image = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    moved = applied(image, {7: 1.0, 8: 1.0}, [[1, 0, 3 / 16], [0, 1, -2 / 16]])
    assert float((moved[..., :14, 3:] - image[..., 2:, :13]).abs().max()) < 1e-7
    # What comes in is mirrored at the edge pixel.
    assert float((moved[..., :14, 2] - image[..., 2:, 1]).abs().max()) < 1e-7


def one(column, probability=1.0):
    """The first of many draws with everything on: (labels, matrix)."""
    made = draw_transforms(probability, (column,), range(50))
    return made.labels.double(), made.matrices


def test_the_matrix_is_the_product_of_what_the_labels_say():
    labels, matrices = one(0)
    for label, matrix in zip(labels, matrices, strict=True):
        a2, cos, sin = float(label[2]), float(label[3]) + 1, float(label[4])
        assert cos**2 + sin**2 == pytest.approx(1, abs=1e-6)
        a5 = math.hypot(*label[5:7].tolist())
        # With the sign of a5 unknown, (a5, a4) and (-a5, a4 + pi) are the same stretch twice over.
        u = label[5:7] / a5
        turn = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
        found = matrix[:, :2] @ torch.linalg.inv(turn) / 2 ** (0.2 * a2)
        assert float(torch.linalg.det(found)) == pytest.approx(1, abs=1e-6)
        values = torch.linalg.eigvalsh((found + found.T) / 2)
        assert float(values[1]) == pytest.approx(2 ** (0.2 * a5), rel=1e-5)
        assert float((found - found.T).abs().max()) < 1e-5
        assert matrix[:, 2].tolist() == pytest.approx((label[7:9] / 8).tolist(), abs=1e-6)
        # Stretched by 2^(0.2 a5) along a4, which is measured counterclockwise: y is down.
        axis = torch.tensor([float(u[0]), -float(u[1])], dtype=torch.float64)
        along = float(axis @ found @ axis)
        assert along == pytest.approx(2 ** (0.2 * a5), rel=1e-5) or along == pytest.approx(
            2 ** (-0.2 * a5), rel=1e-5
        )


def only(which, seed, every=False):
    """A draw in which just the transformation with these labels happened."""
    others = [c for c in range(9) if c not in which]
    for number in range(4000):
        made = draw_transforms(0.15, (seed,), [number])
        here = made.labels[0, which] != 0
        if (here.all() if every else here.any()) and not made.labels[0, others].any():
            return made
    raise AssertionError("none in 4000")


def test_a_rotation_turns_counterclockwise():
    made = only([3, 4], seed=1)
    angle = math.atan2(float(made.labels[0, 4]), float(made.labels[0, 3]) + 1)
    x, y, *_ = centre(made(spot(0.15, 0.0)))
    assert (x, y) == pytest.approx((0.15 * math.cos(angle), -0.15 * math.sin(angle)), abs=0.01)


def test_scaling_grows_what_is_seen():
    made = only([2], seed=2)
    factor = 2 ** (0.2 * float(made.labels[0, 2]))
    before, after = centre(spot(0.1, -0.05)), centre(made(spot(0.1, -0.05)))
    assert after[:2] == pytest.approx([factor * 0.1, factor * -0.05], abs=0.01)
    assert after[2] / before[2] == pytest.approx(factor, rel=0.06)


def test_a_stretch_keeps_the_area_and_has_its_direction():
    made = only([5, 6], seed=3, every=True)
    a, b = made.labels[0, 5:7].double().tolist()
    amount, angle = math.hypot(a, b), math.atan2(b, a)
    far = torch.tensor([0.1 * math.cos(angle), -0.1 * math.sin(angle)])
    x, y, *_ = centre(made(spot(*far.tolist())))
    reached = (x * far[0] + y * far[1]) / far.square().sum()
    factor = 2 ** (0.2 * amount)
    assert min(abs(reached - factor), abs(reached - 1 / factor)) < 0.03
    assert abs(x * far[1] - y * far[0]) < 0.02 * 0.1  # along the axis


def test_a_shift_goes_right_and_down():
    made = only([7, 8], seed=4)
    a6, a7 = made.labels[0, 7:9].tolist()
    x, y, *_ = centre(made(spot(0.0, 0.0, width=1.5)))
    assert (x, y) == pytest.approx((a6 / 8, a7 / 8), abs=0.02)


def test_how_often_each_happens():
    labels = draw_transforms(0.2, (0,), range(4000)).labels
    share = (labels != 0).double().mean(0).tolist()
    # x-flips half of the time; a y-flip is a coin toss in a fifth of the images.
    # A stretch is along x in half of the cases: its second number is 0 there.
    assert share == pytest.approx([0.5, 0.1, 0.2, 0.2, 0.2, 0.2, 0.1, 0.2, 0.2], abs=0.03)
    scaled = labels[labels[:, 2] != 0, 2]
    assert float(scaled.std()) == pytest.approx(1, abs=0.06)


def test_gradients_go_through():
    made = draw_transforms(1.0, (0,), range(2))
    images = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(made, (images,))


AUGMENTED = {"augment_dim": 9}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_teacher(folder / "teacher", **AUGMENTED)
    write_teacher(folder / "plain")
    write_data(folder / "data.zip")
    return folder


def test_an_augmented_run_resumes_and_is_another(world, tmp_path):
    options = {"augment": 0.5, "batch_gpu": 3, "duration": 48e-6}
    _, whole = run(recipe(world, tmp_path / "whole", **options))
    run(recipe(world, tmp_path / "cut", **options | {"duration": 24e-6}))
    _, cut = run(recipe(world, tmp_path / "cut", resume=str(tmp_path / "cut"), **options))
    assert [n for n in whole if not torch.equal(whole[n], cut[n])] == []
    _, plain = run(recipe(world, tmp_path / "plain", **options | {"augment": 0.0}))
    told = "fake/model.map_augment.weight"
    start = load_denoiser(world / "teacher").state_dict()["model.map_augment.weight"]
    assert torch.equal(plain[told], start) and not torch.equal(whole[told], start)


def test_a_teacher_without_the_input_is_refused(world, tmp_path):
    chosen = recipe(world, tmp_path / "run", augment=0.1, edm_model=str(world / "plain"))
    with pytest.raises(ConfigError, match=r"augment: got 0.1 with a teacher"):
        run(chosen)
    with pytest.raises(ConfigError, match=r"augment: got 1\.5; want 0 to 1"):
        recipe(world, tmp_path / "run", augment=1.5)


def test_a_teacher_learns_what_was_done(world, tmp_path):
    chosen = edm.TeacherRecipe(
        data=str(world / "data.zip"),
        outdir=str(tmp_path / "teacher"),
        model_channels=16,
        channel_mult=(1,),
        num_blocks=1,
        attn_resolutions=(),
        batch=4,
        duration=24e-6,
        tick=0.008,
        augment=0.5,
    )
    list(edm.train(chosen))
    made = load_denoiser(tmp_path / "teacher" / "network")
    fresh, _ = edm.network_of(chosen, ImageDataset(chosen.data, use_labels=False))
    assert not torch.equal(made.model.map_augment.weight, fresh.model.map_augment.weight)
    noise, flipped = torch.zeros(1), torch.eye(9)[:1]
    plain = made.model.embed(noise, None, None)
    assert (made.model.embed(noise, None, flipped) - plain).abs().max() > 1e-4
    assert torch.equal(made.model.embed(noise, None, 0 * flipped), plain)
