"""The teacher against diffusers' own scheduler, and against damaged folders."""

import json
import os
import shutil

import pytest
import torch
from closeness import assert_close_report

from uni3d.cameras import Cameras
from uni3d.errors import TeacherError
from uni3d.teacher.codecs import SpaceToDepth
from uni3d.teacher.hub import find_folder
from uni3d.teacher.model import Condition, fingerprint, load_teacher
from uni3d.teacher.prompts import PromptConfig, PromptSet


def _copy(folder, to, **scheduler):
    shutil.copytree(folder, to)
    path = to / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | scheduler))
    return to


@pytest.fixture(scope="module")
def teacher(tiny_folder):
    return load_teacher(str(tiny_folder))


@pytest.mark.parametrize("kind", ["sample", "epsilon", "v_prediction"])
def test_denoiser_is_the_schedulers_own_x0(tiny_folder, tmp_path, kind):
    from diffusers import DDPMScheduler

    folder = _copy(tiny_folder, tmp_path / "t", prediction_type=kind)
    teacher = load_teacher(str(folder))
    scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
    generator = torch.Generator().manual_seed(1)
    x0, eps = torch.randn(2, 1, 12, 8, 8, generator=generator)
    context, camera = teacher.encode_text(["a red fox"]), Cameras.orbit([33.0], 12.0).embedding
    for t in (20, 250, 500, 750, 980):
        noisy = scheduler.add_noise(x0, eps, torch.tensor([t]))
        with torch.no_grad():
            raw = teacher.unet(noisy, t, context, class_labels=camera).sample
            expected = scheduler.step(raw, t, noisy).pred_original_sample
            alpha = scheduler.alphas_cumprod[t].sqrt()
            sigma = ((1 - alpha**2) / alpha**2).sqrt().reshape(1)
            actual = teacher.denoise(noisy / alpha, sigma, Condition(context, camera))
        assert_close_report(actual, expected, rtol=1e-5, what=f"{kind} at t = {t}")


def test_unknown_prediction_type_is_refused(tiny_folder, tmp_path):
    folder = _copy(tiny_folder, tmp_path / "t", prediction_type="flow")
    with pytest.raises(TeacherError, match="'flow'; wanted one of epsilon"):
        load_teacher(str(folder))


def _guided(teacher, scale, **changes):
    views = PromptSet("a fox", PromptConfig(**changes), teacher.encode_text)
    cameras = Cameras.orbit([10.0, 200.0])
    told, camera = views.at(cameras), teacher.camera(cameras)
    x = torch.randn(2, 12, 8, 8, generator=torch.Generator().manual_seed(2)) * 3
    sigma = torch.tensor([2.0, 0.5])
    with torch.no_grad():
        return (
            teacher.guided(x, sigma, told, camera, scale),
            teacher.denoise(x, sigma, Condition(told.unconditional, camera)),
            teacher.denoise(x, sigma, Condition(told.positive, camera)),
        )


def test_guidance_zero_is_unconditional_one_conditional_three_extrapolates(teacher):
    guided, unconditional, _ = _guided(teacher, 0.0)
    assert_close_report(guided, unconditional, rtol=1e-6)
    guided, _, conditional = _guided(teacher, 1.0)
    assert_close_report(guided, conditional, rtol=1e-6)
    guided, unconditional, conditional = _guided(teacher, 3.0)
    assert float((conditional - unconditional).norm()) > 1e-3
    assert_close_report(guided, 3 * conditional - 2 * unconditional, rtol=1e-5)


def test_perp_neg_with_vanishing_weight_is_plain_guidance(teacher):
    plain, *_ = _guided(teacher, 4.0)
    faint, *_ = _guided(teacher, 4.0, perp_neg=1e-9)
    strong, *_ = _guided(teacher, 4.0, perp_neg=2.0)
    assert_close_report(faint, plain, rtol=1e-5)
    assert float((strong - plain).norm()) > 1e-3 * float(plain.norm())


def test_the_camera_is_heard(teacher):
    context, x = teacher.encode_text(["a fox"]), torch.zeros(1, 12, 8, 8)
    sigma = torch.ones(1)
    with torch.no_grad():
        front, back = (
            teacher.denoise(x, sigma, Condition(context, Cameras.orbit([a]).embedding))
            for a in (0.0, 180.0)
        )
    assert float((front - back).norm()) > 1e-3 * float(front.norm())


def test_codec_round_trip_and_scale():
    codec = SpaceToDepth(2, 16)
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    latents = codec.encode(images)
    assert latents.shape == (2, 12, 8, 8)
    assert_close_report(codec.decode(latents), images, rtol=1e-6)
    # Channel 0 holds the red of the upper left pixel of each block, scaled to [-1, 1].
    assert_close_report(latents[:, 0], images[:, 0, ::2, ::2] * 2 - 1, rtol=1e-6)


def test_pictures_of_another_size_are_resized(teacher):
    flat = torch.tensor([0.25, 0.5, 1.0]).reshape(1, 3, 1, 1)
    latents = teacher.encode(flat.expand(1, 3, 40, 40))
    expected = (flat * 2 - 1).repeat_interleave(4, dim=1).expand(1, 12, 8, 8)
    assert_close_report(latents, expected, rtol=1e-5)


def test_samples_follow_the_seed(teacher):
    views = PromptSet("a fox", PromptConfig(), teacher.encode_text).at(Cameras.orbit([0.0]))
    camera = Cameras.orbit([0.0]).embedding

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return teacher.sample(views, camera, scale=2.0, steps=3, generator=generator)

    assert torch.equal(draw(0), draw(0))
    assert float((draw(0) - draw(1)).abs().max()) > 1e-4


def _damage_weights(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def _damage_codec(folder):
    (folder / "codec" / "config.json").write_text('{"type": "space_to')


def _other_codec(folder):
    (folder / "codec" / "config.json").write_text('{"type": "wavelet", "levels": 2}')


def _no_text(folder):
    shutil.rmtree(folder / "text_encoder")


@pytest.mark.parametrize("damage", [_damage_weights, _damage_codec, _other_codec, _no_text])
def test_damaged_folders_are_one_line(tiny_folder, tmp_path, damage):
    folder = _copy(tiny_folder, tmp_path / "t")
    damage(folder)
    with pytest.raises(TeacherError) as caught:
        load_teacher(str(folder))
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["a linked part", "weights of the same time", "variant"])
def test_other_weights_are_another_fingerprint(tiny_folder, tmp_path, change):
    """The cache takes teachers of one fingerprint for the same."""
    folder, unet = tmp_path / "teacher", tmp_path / "unet"
    shutil.copytree(tiny_folder, folder)
    shutil.move(folder / "unet", unet)
    if change == "a linked part":
        (folder / "unet").symlink_to(unet, target_is_directory=True)
    else:
        unet = unet.rename(folder / "unet")
    for part in ("unet", "text_encoder"):
        (weights,) = (folder / part).glob("*.safetensors")
        shutil.copy2(weights, weights.with_suffix(".fp16.safetensors"))
    found = find_folder(str(folder))
    before = fingerprint(found, "")
    assert fingerprint(found, "") == before
    if change == "variant":
        assert fingerprint(found, "fp16") != before
        return
    for path in unet.glob("*.safetensors"):
        times = path.stat()
        path.write_bytes(path.read_bytes()[:-1] + b"\1")
        if change == "weights of the same time":
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint(found, "") != before


def test_unknown_teacher_is_one_line_and_names_what_is_known():
    with pytest.raises(TeacherError, match="'toybix' is not known; wanted toybox") as caught:
        load_teacher("toybix")
    assert "\n" not in str(caught.value)
