"""The shipped recogniser in a world that has grown since it was trained."""

import numpy as np
import torch

from uni3d.cameras import Cameras
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.recogniser import Recogniser, load_recogniser
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
