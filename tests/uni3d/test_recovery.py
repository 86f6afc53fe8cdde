"""With a teacher that knows the answer, a run must find it: the whole loop against ground truth."""

import pytest
import torch
from tiny import TINY, tiny_run, tiny_teacher

from uni3d.cameras import Cameras
from uni3d.run.run import Run
from uni3d.scene import scene
from uni3d.teacher.model import Condition, Teacher
from uni3d.toybox.commands import truth
from uni3d.toybox.raytrace import render_toy

PROMPT, SIZE, STEPS = "a penguin", 16, 120
SCALE, SPREAD = 4.0, 0.2  # of the guidance; deviation of the teacher's pictures, in latents
CHANGES = {
    "prompt": PROMPT,
    "steps": STEPS,
    "views": 4,
    "checkpoint_every": STEPS,
    "camera": {"distance": [3.15, 3.15]},  # all that the embedding does not tell
    "guidance": TINY["guidance"] | {"scale": SCALE},
    "scene": {
        "random_background": 1.0,
        "cool_down": {"after": 1.0},  # 120 steps only approach the answer
        "field": {"levels": 6, "log2_table_size": 12, "max_resolution": 48, "hidden": 16},
        "occupancy": {"resolution": 24},
        "render": {"step_size": 0.05},
    },
}


def _picture(toy, cameras: Cameras, background: torch.Tensor) -> torch.Tensor:
    rgba = torch.from_numpy(render_toy(toy, cameras, SIZE))
    return rgba[:, :3] + (1 - rgba[:, 3:]) * background[:, :, None, None]


def _cameras_of(camera: torch.Tensor) -> Cameras:
    """The cameras of their embedding, at the one distance."""
    azimuth = torch.rad2deg(torch.atan2(camera[:, 0], camera[:, 1]))
    return Cameras.orbit(azimuth, torch.rad2deg(torch.atan2(camera[:, 2], camera[:, 3])))


class _Oracle:
    """In the place of the teacher's U-Net: exact posterior means, of pictures of the toy.

    Without the prompt it shows the background alone, and with it the toy to one part in SCALE: only
    guidance of that scale, with the branches in their places, shows all of it. Around each picture
    lies a Gaussian, so that the answer depends on x and sigma.
    """

    def __init__(self, monkeypatch):
        self.toy, self.background = truth(PROMPT, 0), torch.zeros(0, 3)
        guided, sample = Teacher.guided, Teacher.sample

        def guided_here(teacher, *arguments, **options):
            self.teacher, network = teacher, teacher.denoise
            try:
                teacher.denoise = self.denoise
                return guided(teacher, *arguments, **options)
            finally:
                teacher.denoise = network  # the fake score is a real network

        def sample_here(teacher, views, camera, *, generator, **options):
            self.background = torch.rand(len(camera), 3, generator=generator)
            return sample(teacher, views, camera, generator=generator, **options)

        def background_here(batch, generator):
            self.background = torch.rand(batch, 3, generator=generator)
            return self.background

        monkeypatch.setattr(Teacher, "guided", guided_here)
        monkeypatch.setattr(Teacher, "sample", sample_here)
        monkeypatch.setattr(scene, "random_background", background_here)

    def denoise(self, x, sigma, cond: Condition):
        copies = len(x) // len(self.background)
        backgrounds = self.background.repeat(copies, 1)
        empty = backgrounds[:, :, None, None].expand(-1, -1, SIZE, SIZE)
        whole = _picture(self.toy, _cameras_of(cond.camera), backgrounds)
        unprompted = (cond.context == self.teacher.encode_text([""])).flatten(1).all(1)
        share = torch.where(unprompted, 0.0, 1 / SCALE)[:, None, None, None]
        mean = self.teacher.codec.encode(empty + share * (whole - empty))
        gain = SPREAD**2 / (SPREAD**2 + sigma[:, None, None, None] ** 2)
        return mean + gain * (x - mean)


@pytest.mark.parametrize(
    ("method", "divergence"),
    [
        ("uni-instruct", "forward-kl"),
        pytest.param("vsd", "", marks=pytest.mark.slow),
        pytest.param("uni-instruct", "reverse-kl", marks=pytest.mark.slow),
    ],
)
def test_a_run_finds_what_a_perfect_teacher_shows(
    method, divergence, tmp_path, tmp_path_factory, monkeypatch
):
    oracle = _Oracle(monkeypatch)
    config = tiny_run(
        tiny_teacher(tmp_path_factory.mktemp("t")), method=method, divergence=divergence, **CHANGES
    )
    run = Run(config, tmp_path)
    run.prepare()
    for _ in run.steps():
        pass
    views = Cameras.orbit(torch.arange(6) * 60.0, 15.0)
    wanted = _picture(oracle.toy, views, torch.full((6, 3), 0.8))
    error = (run.parts.scene.picture(views, SIZE, 0.8).rgb - wanted).square().mean()
    psnr = -10 * torch.log10(error)
    empty = -10 * torch.log10((0.8 - wanted).square().mean())
    # 8.8 dB without any object; a run reached 15.9. With a camera half a turn off (a penguin is
    # white in front and black behind) 14.1, with a guidance scale of 1 9.0, with its branches
    # exchanged 8.8.
    assert float(empty) < 9 and float(psnr) > 15.2, (float(empty), float(psnr))
