"""View words, names of folders, and prompts that are refused."""

import math
import re

import pytest
import torch

from uni3d.cameras import CameraConfig, Cameras, sample_cameras
from uni3d.errors import ConfigError, PromptError
from uni3d.teacher.prompts import (
    PromptConfig,
    PromptSet,
    check_prompt,
    perp_neg_weights,
    slug,
    view_mix,
)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "expected"),
    [
        (0, 0, [1, 0, 0, 0]),
        (90, 0, [0, 1, 0, 0]),
        (-90, 20, [0, 1, 0, 0]),
        (180, 0, [0, 0, 1, 0]),
        (540, 0, [0, 0, 1, 0]),
        (30, 0, [2 / 3, 1 / 3, 0, 0]),
        (225, 0, [0, 0.5, 0.5, 0]),
        (0, 80, [0, 0, 0, 1]),
        (0, 60, [0.5, 0, 0, 0.5]),
    ],
)
def test_view_mix_at_known_angles(azimuth, elevation, expected):
    mix = view_mix(Cameras.orbit([azimuth], elevation))
    torch.testing.assert_close(mix, torch.tensor([expected], dtype=torch.float32))


def test_shares_of_random_cameras_sum_to_one_and_are_not_negative():
    cameras = sample_cameras(CameraConfig(), 500, torch.Generator().manual_seed(0))
    mix = view_mix(cameras)
    assert float((mix.sum(1) - 1).abs().max()) < 1e-6
    assert float(mix.min()) >= 0


def _encode(texts: list[str]) -> torch.Tensor:
    """One token whose feature is the number of the view named in the text; 9 for none."""
    names = ("front", "side", "back", "overhead")
    found = [next((float(i) for i, n in enumerate(names) if n in t), 9.0) for t in texts]
    return torch.tensor(found).reshape(-1, 1, 1)


def test_features_are_the_blend_of_the_named_views():
    prompts = PromptSet("a dog", PromptConfig(), _encode)
    told = prompts.at(Cameras.orbit([0.0, 45.0, 180.0, 0.0], torch.tensor([0.0, 0.0, 0.0, 60.0])))
    # 45 degrees: half front (0), half side (1). Elevation 60: half front (0), half overhead (3).
    torch.testing.assert_close(told.positive.flatten(), torch.tensor([0.0, 0.5, 2.0, 1.5]))
    torch.testing.assert_close(told.unconditional.flatten(), torch.full((4,), 9.0))
    assert told.weights.numel() == 0 and told.negatives.numel() == 0


def test_overridden_views_are_used_and_must_be_four():
    texts = ("x overhead", "x back", "x side", "x front")
    told = PromptSet("a", PromptConfig(view_prompts=texts), _encode).at(Cameras.orbit([0.0, 180.0]))
    torch.testing.assert_close(told.positive.flatten(), torch.tensor([3.0, 1.0]))
    with pytest.raises(ConfigError, match="got 3 texts; want 4"):
        PromptConfig(view_prompts=texts[:3])


def test_a_view_is_least_a_negative_where_it_holds():
    weights = perp_neg_weights(Cameras.orbit([0.0, 90.0, 180.0]))
    assert float(weights[0, 0]) == 0 and float(weights[2, 2]) == 0
    assert float(weights[1, 1]) == pytest.approx(math.exp(-math.pi))
    # Front as a negative at the back: exp(-2 (1 - 1)) = 1, and half as strongly scaled by 0.5.
    assert float(weights[2, 0]) == pytest.approx(1.0)
    told = PromptSet("a", PromptConfig(perp_neg=0.5), _encode).at(Cameras.orbit([180.0]))
    assert float(told.weights[0, 0]) == pytest.approx(0.5)
    assert told.negatives.flatten().tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a corgi astronaut", "a-corgi-astronaut"),
        ("../../etc/passwd", "etc-passwd"),
        ("A\nB\tC", "a-b-c"),
        ("C:\\con\x00.txt", "c-con-txt"),
        ("кот", "prompt-"),
        ("un café", "un-caf-"),
        ("--", "prompt-"),
    ],
)
def test_slug_of_hostile_prompts(prompt, expected):
    found = slug(prompt)
    assert re.sub(r"(?<=-)[0-9a-f]{6}$", "", found) == expected  # the hash where letters are lost


def test_slug_is_short_and_plain():
    name = slug("word " * 60)
    assert len(name) <= 40 and re.fullmatch(r"[a-z0-9](-?[a-z0-9])*", name)


def test_prompts_are_folded_and_bad_ones_refused():
    assert check_prompt("  a\n red\tfox ") == "a red fox"
    for empty in ("", " \n", "...", "!?"):
        with pytest.raises(PromptError, match="empty"):
            check_prompt(empty)
    assert check_prompt("x" * 1000) == "x" * 1000
    with pytest.raises(PromptError, match="has 1001 characters; wanted at most 1000"):
        check_prompt("x" * 1001)
