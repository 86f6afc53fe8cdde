"""The networks against the published key lists and against arithmetic done another way."""

import math

import numpy as np
import pytest
import torch
from edm_files import published_keys

from image_distill.denoisers import build
from image_distill.networks import Block, BlockStyle, Conv, attend
from uni3d.errors import CheckpointError
from uni3d.instruct import EDMDenoiser

CIFAR = {
    "img_resolution": 32,
    "in_channels": 3,
    "out_channels": 3,
    "augment_dim": 9,
    "channel_mult": [2, 2, 2],
}
IMAGENET = {"img_resolution": 64, "in_channels": 3, "out_channels": 3, "label_dim": 1000}
TINY = {
    "img_resolution": 8,
    "in_channels": 3,
    "out_channels": 3,
    "model_channels": 16,
    "channel_mult": [1, 2],
    "num_blocks": 1,
    "attn_resolutions": [4],
}


def shapes_and_count(network: str, arguments: dict) -> tuple[dict, int]:
    denoiser = build(network, arguments, device="meta")
    shapes = {name: tuple(value.shape) for name, value in denoiser.state_dict().items()}
    return shapes, sum(parameter.numel() for parameter in denoiser.parameters())


def test_cifar_network_has_the_published_keys_shapes_and_count():
    shapes, count = shapes_and_count("SongUNet", CIFAR | {"label_dim": 10})
    assert shapes == published_keys("song_cifar10_cond")
    assert (len(shapes), count) == (427, 55_735_299)


def test_unconditional_cifar_network_lacks_only_the_label_map():
    shapes, count = shapes_and_count("SongUNet", CIFAR)
    expected = published_keys("song_cifar10_cond")
    for name in ("model.map_label.weight", "model.map_label.bias"):
        del expected[name]
    assert shapes == expected
    assert (len(shapes), count) == (425, 55_733_891)


def test_imagenet_network_has_the_published_keys_shapes_and_count():
    shapes, count = shapes_and_count("DhariwalUNet", IMAGENET)
    assert shapes == published_keys("adm_imagenet64")
    assert (len(shapes), count) == (553, 295_899_267)


def test_faces_network_has_the_published_count():
    faces = CIFAR | {"img_resolution": 64, "channel_mult": [1, 2, 2, 2]}
    shapes, count = shapes_and_count("SongUNet", faces)
    assert (len(shapes), count) == (553, 61_805_571)


def test_attention_is_the_textbook_loop():
    heads, width, pixels = 2, 3, 4
    qkv = torch.randn(1, 3 * heads * width, 2, 2, generator=torch.Generator().manual_seed(0))
    array = qkv.double().numpy().reshape(heads, width, 3, pixels)
    expected = np.zeros((heads, width, pixels))
    for head in range(heads):
        q, k, v = (array[head, :, index] for index in range(3))
        for i in range(pixels):
            weights = np.array([math.exp(q[:, i] @ k[:, j] / math.sqrt(width)) for j in range(4)])
            expected[head, :, i] = v @ (weights / weights.sum())
    np.testing.assert_allclose(attend(qkv, heads).numpy().ravel(), expected.ravel(), atol=1e-6)


def test_attention_softmax_is_in_float32_when_the_network_is_not():
    qkv = torch.randn(2, 48, 4, 4, generator=torch.Generator().manual_seed(1)).mul(30)
    half = qkv.to(torch.bfloat16)
    seen: list[torch.dtype] = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if "softmax" in str(func):
                seen.append(args[0].dtype)
            return func(*args, **(kwargs or {}))

    with Watch():
        assert attend(half, 1).dtype == torch.bfloat16
    assert seen == [torch.float32]


@pytest.mark.parametrize("resample", ["up", "down"])
def test_resampling_is_the_published_box_filter(resample):
    module = Conv(3, 3, 0, resample)
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    box = module.resample_filter.tile(3, 1, 1, 1)
    if resample == "up":
        expected = torch.nn.functional.conv_transpose2d(x, box * 4, stride=2, groups=3)
    else:
        expected = torch.nn.functional.conv2d(x, box, stride=2, groups=3)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-6)


def test_edm_preconditioning_agrees_with_the_core_adapter():
    torch.manual_seed(0)
    denoiser = build("SongUNet", TINY, options={"sigma_data": 0.7}).eval()
    _randomise(denoiser)
    x, sigma = torch.randn(3, 3, 8, 8), torch.tensor([0.01, 1.0, 60.0])

    def network(scaled, noise, _):
        embedding = denoiser.model.embed(noise, None, None)
        return denoiser.model.decode(denoiser.model.encode(scaled, embedding), embedding)

    expected = EDMDenoiser(network, 0.7)(x, sigma)
    torch.testing.assert_close(denoiser(x, sigma), expected, rtol=1e-5, atol=1e-5)
    assert (denoiser(x, sigma) - x).abs().max() > 1  # the network took part


def test_vp_noise_index_inverts_the_sigma_of_the_schedule():
    denoiser = build("SongUNet", TINY, "VPPrecond")
    time = torch.tensor([1e-3, 0.1, 0.5, 1.0], dtype=torch.float64)
    sigma = (0.5 * 19.9 * time**2 + 0.1 * time).expm1().sqrt()
    scaled, noise = denoiser.scaled(torch.ones(4, 3, 8, 8), sigma.float())
    torch.testing.assert_close(noise.double(), 999 * time, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(
        scaled[:, 0, 0, 0].double(), (1 + sigma**2).rsqrt(), rtol=1e-5, atol=1e-7
    )


def _randomise(denoiser: torch.nn.Module) -> None:
    """Fresh networks end in zeros; that would hide what is tested."""
    generator = torch.Generator().manual_seed(3)
    for parameter in denoiser.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = 0.1 * noise + (1.0 if parameter.ndim == 1 else 0.0)


@pytest.mark.parametrize("network", ["SongUNet", "DhariwalUNet"])
def test_missing_labels_and_augmentation_are_zeros_and_given_ones_count(network):
    arguments = TINY | {"label_dim": 5, "augment_dim": 9, "model_channels": 64}
    denoiser = build(network, arguments).eval()
    _randomise(denoiser)
    x, sigma = torch.randn(2, 3, 8, 8), torch.tensor(2.0)
    plain = denoiser(x, sigma)
    zeros = denoiser(x, sigma.repeat(2), torch.zeros(2, 5), torch.zeros(2, 9))
    assert torch.equal(plain, zeros)
    labelled = denoiser(x, sigma, torch.eye(5)[:2])
    augmented = denoiser(x, sigma, None, torch.ones(2, 9))
    assert (labelled - plain).abs().max() > 1e-3
    assert (augmented - plain).abs().max() > 1e-3
    assert torch.equal(denoiser(x, sigma, torch.eye(5)[:1])[0], labelled[0])


def test_encoder_features_are_what_the_decoder_starts_from():
    denoiser = build("DhariwalUNet", TINY | {"model_channels": 64}).eval()
    _randomise(denoiser)
    x, sigma, seen = torch.randn(2, 3, 8, 8), torch.tensor([0.5, 3.0]), []
    handle = denoiser.model.dec["4x4_in0"].register_forward_pre_hook(
        lambda _, arguments: seen.append(arguments[0])
    )
    denoiser(x, sigma)
    handle.remove()
    assert torch.equal(denoiser.features(x, sigma), seen[0])
    assert denoiser.model.feature_channels == seen[0].shape[1]


def test_every_parameter_gets_a_gradient():
    arguments = TINY | {"label_dim": 5, "augment_dim": 9}
    denoiser = build("SongUNet", arguments)
    _randomise(denoiser)
    out = denoiser(
        torch.randn(2, 3, 8, 8), torch.tensor([0.5, 3.0]), torch.eye(5)[:2], torch.ones(2, 9)
    )
    out.square().mean().backward()
    lacking = [
        name
        for name, parameter in denoiser.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 0
    ]
    assert lacking == []


@pytest.mark.parametrize("network", ["SongUNet", "DhariwalUNet"])
def test_a_fresh_network_starts_near_zero_output(network):
    denoiser = build(network, TINY | {"model_channels": 64}).eval()
    x = torch.randn(2, 3, 8, 8)
    expected = 0.25 / (1 + 0.25) * x  # c_skip at sigma 1
    torch.testing.assert_close(denoiser(x, torch.tensor(1.0)), expected, rtol=0, atol=1e-3)


def test_dropout_and_label_dropout_act_only_in_training():
    torch.manual_seed(1)
    denoiser = build("SongUNet", TINY | {"label_dim": 5, "label_dropout": 1.0, "dropout": 0.0})
    _randomise(denoiser)
    x, sigma, labels = torch.randn(2, 3, 8, 8), torch.tensor(1.0), torch.eye(5)[:2]
    assert torch.equal(denoiser.train()(x, sigma, labels), denoiser.eval()(x, sigma))
    style = BlockStyle(8, 1e-5, 1.0, True, 0, 64, 0.5)
    block, y, emb = Block(8, 8, style, False), torch.randn(1, 8, 4, 4), torch.randn(1, 8)
    assert not torch.equal(block.train()(y, emb), block.train()(y, emb))
    assert torch.equal(block.eval()(y, emb), block.eval()(y, emb))


@pytest.mark.parametrize(
    ("network", "extra", "words"),
    [
        ("DDPMpp", {}, "'DDPMpp' is not known"),
        ("SongUNet", {"embedding_type": "fourier"}, "embedding_type='fourier'"),
        ("SongUNet", {"resample_filter": [1, 3, 3, 1]}, "resample_filter"),
        ("DhariwalUNet", {"surprise": 1}, "surprise=1"),
        ("SongUNet", {"model_channels": "wide"}, "cannot be built"),
        ("SongUNet", {"model_channels": 3}, "cannot be built"),
    ],
)
def test_what_is_not_supported_is_named_in_one_line(network, extra, words):
    with pytest.raises(CheckpointError, match=words) as caught:
        build(network, TINY | extra, device="meta")
    assert "\n" not in str(caught.value)
