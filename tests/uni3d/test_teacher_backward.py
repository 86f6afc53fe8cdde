"""The gradient of a scene's loss through networks of half precision, against single precision."""

import torch

from uni3d.cameras import Cameras
from uni3d.instruct import add_noise, uni_instruct_loss
from uni3d.teacher.fake_score import FakeScore, FakeScoreConfig
from uni3d.teacher.model import Condition, TeacherConfig, load_teacher


def _gradient(precision, plain):
    """Of the loss per latent number to x0, through teacher and fake score."""
    teacher = load_teacher(TeacherConfig(name="toybox", precision=precision, device="cpu"))
    fake = FakeScore(teacher, FakeScoreConfig(), 0, ratio=False)
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in fake.parameters.items():
            if "lora_B" in name:
                parameter.copy_(0.02 * torch.randn(parameter.shape, generator=source))
    x0 = (torch.randn(2, *teacher.latent_shape, generator=source) * 0.5).requires_grad_()
    sigma, eps = torch.tensor([0.5, 1.0]), torch.randn(x0.shape, generator=source)
    camera = Cameras.orbit([0.0, 90.0], 10.0).embedding
    condition = Condition(teacher.encode_text(["a red car"]).expand(2, -1, -1), camera)
    x = add_noise(x0, sigma, eps)
    predicted, _ = fake.predict(x, sigma, condition)
    terms = uni_instruct_loss(
        x0, teacher.denoise(x, sigma, condition), predicted, sigma, divergence="reverse-kl"
    )
    loss = terms.per_sample.mean() / x0[0].numel()
    if plain:
        loss.backward()
    else:
        teacher.backward(loss, [x0])
    return x0.grad.flatten().double()


def test_float16_networks_do_not_lose_the_scenes_gradient():
    single = _gradient("float32", plain=True)
    torch.testing.assert_close(_gradient("float32", plain=False), single)
    half = _gradient("float16", plain=False)
    assert torch.cosine_similarity(single, half, dim=0) > 0.99
    assert abs(half.norm() / single.norm() - 1) < 0.03
    # What `backward` is for: without its scale most of it is lost.
    lost = _gradient("float16", plain=True)
    assert torch.cosine_similarity(single, lost, dim=0) < 0.9
