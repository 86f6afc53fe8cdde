"""The shipped recogniser in a world that has grown since it was trained."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from uni3d.cameras import Cameras
from uni3d.errors import CheckpointError, NonFiniteError
from uni3d.toybox import dataset
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.recogniser import Recogniser, load_recogniser
from uni3d.toybox.recogniser_training import RecogniserConfig, _learning_rate, train_recogniser
from uni3d.toybox.world import KINDS, Description, build_toy


def test_the_weights_keep_the_names_they_were_trained_with():
    """Old weights, new kinds: a windmill is still a windmill, and a new kind has probability 0."""
    net = load_recogniser()
    assert net.names["kind"] == tuple(KINDS)[: len(net.names["kind"])]
    cameras = Cameras.orbit([40.0], 15.0)
    asked = ("corgi", "sofa", "rocket", "mug", "castle", "lighthouse", "windmill")
    for name in asked:
        rgba = render_toy(build_toy(Description(kind=name), np.random.default_rng(1)), cameras, 64)
        image = torch.from_numpy(rgba[:, :3] + (1 - rgba[:, 3:]) * 0.7).float()
        seen = net.judge(image)
        assert seen.kinds == [name]
        assert seen.kind_probability.argmax(1).item() == list(KINDS).index(name)
        assert seen.kind_probability.shape == (1, len(KINDS))
        assert (seen.kind_probability[:, len(net.names["kind"]) :] == 0).all()
    assert Recogniser().names["kind"] == tuple(KINDS)  # what is trained anew knows them all


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A training of four steps on one small shard that stays."""
    monkeypatch.setattr(dataset, "SHARD", 16)
    return RecogniserConfig(tmp_path / "whole.safetensors", steps=4, batch=8, shards=1, renew=0)


def test_a_training_that_stopped_goes_on_to_the_same_weights(few, tmp_path):
    losses = [loss for _, loss in train_recogniser(few)]
    parts = dataclasses.replace(few, out=tmp_path / "parts.safetensors")
    halves = []
    for _, loss in train_recogniser(parts, lambda: len(halves) == 2):
        halves.append(loss)
    assert len(halves) == 2 and not parts.out.exists()
    rest = list(train_recogniser(dataclasses.replace(parts, resume=True)))
    assert [step for step, _ in rest] == [3, 4]
    assert halves + [loss for _, loss in rest] == losses
    whole, resumed = load_file(few.out), load_file(parts.out)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert load_recogniser(few.out).names["kind"] == tuple(KINDS)


def test_the_first_loss_is_at_chance(few):
    """It is near: the logarithm of the rows, summed over the heads."""
    _, first = next(train_recogniser(few))
    chance = sum(np.log(len(rows)) for rows in Recogniser().names.values())
    assert abs(first - chance) < 0.15 * chance


def test_a_state_of_something_else_is_one_line(few):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        list(train_recogniser(dataclasses.replace(few, resume=True)))
    few.state.write_bytes(b"none")
    with pytest.raises(CheckpointError, match="not a whole checkpoint"):
        list(train_recogniser(dataclasses.replace(few, resume=True)))


def test_a_network_that_is_not_finite_is_not_saved_and_pictures_are_one_training_s(few):
    training = train_recogniser(dataclasses.replace(few, learning_rate=1e30))
    next(training)
    with pytest.raises(CheckpointError, match="another process"):
        next(train_recogniser(few))
    with pytest.raises(NonFiniteError):
        list(training)
    assert not few.state.exists() and not few.out.exists()


def test_the_learning_rate_rises_for_a_twentieth_and_falls_by_half_a_cosine(few):
    config = dataclasses.replace(few, steps=1000, learning_rate=2e-3)
    rates = [_learning_rate(config, step) for step in (0, 250, 500, 750, 1000)]
    cosine = np.array([1 / 50, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0])
    assert np.allclose(rates, 2e-3 * cosine, rtol=1e-9, atol=1e-12)
