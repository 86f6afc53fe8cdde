"""EDM2's published layout: a tiny file of its structure, and its numbers by the paper's equations
written out in float64."""

import copy
import json
import math

import pytest
import torch
from persistent import Persistent, module, write_snapshot
from tiny_run import recipe, run, write_data
from torch.nn import functional as F

from image_distill.denoisers import build
from image_distill.edm2 import EDM2UNet, Fourier, Weight, blend, join
from image_distill.teachers import import_pickle, load_denoiser
from uni3d.errors import CheckpointError

ARGUMENTS = {
    "img_resolution": 8,
    "img_channels": 1,
    "label_dim": 3,
    "model_channels": 64,
    "channel_mult": [1, 2],
    "num_blocks": 1,
    "attn_resolutions": [4],
}


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = build("EDM2UNet", ARGUMENTS)
        for parameter in made.parameters():
            if parameter.ndim == 0:  # gains begin at zero: nothing would reach the output
                parameter.data += 0.5 + 0.2 * torch.randn(())
    return made


def snapshot(network, **arguments):
    """As EDM2 writes it: half precision, a head for the loss's variance, an encoder beside it."""
    inner = copy.deepcopy(network.model).half()
    unet = module(inner, "UNet", _init_kwargs=ARGUMENTS | arguments)
    outer = torch.nn.Module()
    outer.logvar_fourier, outer.logvar_linear = Fourier(4), Weight(4, 1)
    ema = module(outer, "Precond", sigma_data=0.5, use_fp16=True, label_dim=3)
    ema.meta["state"]["_modules"]["unet"] = unet
    encoder = Persistent("StandardRGBEncoder", {"_init_args": (), "_init_kwargs": {}})
    return {"ema": ema, "encoder": encoder, "dataset_kwargs": {"path": "x"}, "loss_fn": None}


def plain(weights, x, sigma, labels):
    """D(x, sigma) from the file's tensors by the equations alone; blocks in the file's order."""
    weights = {name: value.double() for name, value in weights.items()}

    def linear(name, x, gain=1.0):
        w = weights[f"model.{name}.weight"]
        rows = w.flatten(1)
        rows = rows / (1e-4 + rows.square().mean(1, keepdim=True).sqrt())
        w = (rows * gain / math.sqrt(rows.shape[1])).reshape(w.shape)
        return x @ w.T if w.ndim == 2 else F.conv2d(x, w, padding="same")

    def silu(x):
        return x * torch.sigmoid(x) / 0.596

    def mix(a, b, t):
        return ((1 - t) * a + t * b) / math.sqrt((1 - t) ** 2 + t**2)

    def block(name, x, emb):
        encoder, has = name.startswith("enc"), f"model.{name}.conv_skip.weight" in weights
        if name.endswith("down"):
            x = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
        if name.endswith("up"):
            x = x.repeat_interleave(2, -1).repeat_interleave(2, -2)
        if encoder:
            x = linear(f"{name}.conv_skip", x) if has else x
            x = x / (1e-4 + x.square().mean(1, keepdim=True).sqrt())
        y = linear(f"{name}.conv_res0", silu(x))
        y = (
            y
            * (1 + linear(f"{name}.emb_linear", emb, weights[f"model.{name}.emb_gain"]))[
                :, :, None, None
            ]
        )
        y = linear(f"{name}.conv_res1", silu(y))
        x = linear(f"{name}.conv_skip", x) if has and not encoder else x
        x = mix(x, y, 0.3)
        if f"model.{name}.attn_qkv.weight" in weights:
            c, h, w = x.shape[1:]
            out = []
            for sample in linear(f"{name}.attn_qkv", x):
                heads = sample.reshape(c // 64, 64, 3, h * w)
                heads = heads / (1e-4 + heads.square().mean(1, keepdim=True).sqrt())
                rows = []
                for q, k, v in heads.permute(0, 2, 1, 3):
                    rows.append(v @ torch.softmax(q.T @ k / 8, 1).T)
                out.append(torch.cat(rows).reshape(c, h, w))
            x = mix(x, linear(f"{name}.attn_proj", torch.stack(out)), 0.3)
        return x.clip(-256, 256)

    x, sigma, labels = x.double(), sigma.double(), labels.double()
    level = sigma[:, None, None, None]
    angles = (sigma.log() / 4)[:, None] * weights["model.emb_fourier.freqs"]
    emb = linear("emb_noise", (angles + weights["model.emb_fourier.phases"]).cos() * math.sqrt(2))
    emb = silu(mix(emb, linear("emb_label", labels * math.sqrt(3)), 0.5))
    h = torch.cat([x / (level**2 + 0.25).sqrt(), torch.ones_like(x)], 1)
    h = linear("enc.8x8_conv", h)
    skips = [h]
    for name in ("8x8_block0", "4x4_down", "4x4_block0"):
        h = block(f"enc.{name}", h, emb)
        skips.append(h)
    names = "4x4_in0 4x4_in1 4x4_block0 4x4_block1 8x8_up 8x8_block0 8x8_block1"
    for name in names.split():
        if "block" in name:
            skip = skips.pop()
            n, m = h.shape[1], skip.shape[1]
            c = math.sqrt((n + m) / 0.5)
            h = torch.cat([c / math.sqrt(n) / 2 * h, c / math.sqrt(m) / 2 * skip], 1)
        h = block(f"dec.{name}", h, emb)
    raw = linear("out_conv", h, weights["model.out_gain"])
    return 0.25 / (level**2 + 0.25) * x + level * 0.5 / (level**2 + 0.25).sqrt() * raw


def test_a_file_of_the_published_layout_gives_the_papers_numbers(network, tmp_path):
    path = write_snapshot(tmp_path / "edm2.pkl", snapshot(network))
    folder = import_pickle(path, tmp_path / "edm2")
    description = json.loads((folder / "network.json").read_text())
    assert description["network"] == "EDM2UNet" and description["preconditioning"] == "EDMPrecond"
    denoiser = load_denoiser(folder)
    half = {name: value.half().float() for name, value in network.state_dict().items()}
    assert all(torch.equal(v, half[n]) for n, v in denoiser.state_dict().items())

    random = torch.Generator().manual_seed(1)
    sigma = torch.tensor([0.01, 0.5, 3.0, 80.0])
    x = torch.randn(4, 1, 8, 8, generator=random) * (sigma[:, None, None, None] + 0.5)
    labels = torch.eye(3)[[0, 2, 1, 0]]
    got, expected = denoiser(x, sigma, labels), plain(half, x, sigma, labels)
    moved = expected - x.double() * 0.25 / (sigma.double()[:, None, None, None] ** 2 + 0.25)
    for index in range(4):
        error = float((got[index].double() - expected[index]).norm())
        assert error < 1e-5 * float(moved[index].norm()), index
    # The class and the noise level reach the output.
    assert (denoiser(x, sigma, labels.roll(1, 1)) - got).norm() > 1e-3 * moved.norm()


def test_keys_and_shapes_are_the_published_ones(network):
    keys = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert keys["model.emb_fourier.freqs"] == keys["model.emb_fourier.phases"] == (64,)
    assert keys["model.emb_noise.weight"] == (128, 64) and keys["model.out_gain"] == ()
    assert keys["model.enc.8x8_conv.weight"] == (64, 2, 3, 3)
    assert keys["model.enc.4x4_block0.conv_res0.weight"] == (128, 128, 3, 3)
    assert keys["model.enc.4x4_block0.conv_skip.weight"] == (128, 64, 1, 1)
    assert keys["model.dec.4x4_block0.conv_res0.weight"] == (128, 256, 3, 3)
    assert keys["model.dec.4x4_in0.attn_qkv.weight"] == (384, 128, 1, 1)
    assert "model.dec.4x4_in1.attn_qkv.weight" not in keys
    assert keys["model.dec.8x8_block1.emb_linear.weight"] == (64, 128)


def test_the_papers_network_has_its_published_size():
    """Table 6 of 2312.02696: EDM2-S on ImageNet-64 has 280 million weights."""
    arguments = ARGUMENTS | {"img_resolution": 64, "img_channels": 3, "label_dim": 1000}
    arguments |= {"model_channels": 192, "channel_mult": [1, 2, 3, 4], "num_blocks": 3}
    made = build("EDM2UNet", arguments | {"attn_resolutions": [16, 8]}, device="meta")
    number = sum(p.numel() for p in made.parameters())
    assert 279e6 < number < 281e6


def test_sums_and_concatenations_keep_the_variance():
    random = torch.Generator().manual_seed(2)
    a, b = (torch.randn(64, n, 8, 8, generator=random) for n in (8, 24))
    assert float(blend(a, b[:, :8], 0.3).std()) == pytest.approx(1, abs=0.01)
    both = join(a, b, 0.5)
    assert float(both.square().mean()) == pytest.approx(1, abs=0.01)
    share = both[:, :8].square().sum() / both.square().sum()
    assert float(share) == pytest.approx(0.5, abs=0.01)
    linear = Weight(24, 16, 3)
    linear.weight.data *= 37  # only the direction counts
    with torch.no_grad():
        inside = linear(b)[:, :, 2:-2, 2:-2]
    assert float(inside.std()) == pytest.approx(1, abs=0.1)


def test_other_constants_than_the_published_are_refused(network, tmp_path):
    path = write_snapshot(tmp_path / "odd.pkl", snapshot(network, res_balance=0.5))
    with pytest.raises(CheckpointError, match=r"res_balance=0.5 is not supported; wanted 0.3"):
        import_pickle(path, tmp_path / "odd")
    path = write_snapshot(tmp_path / "wide.pkl", snapshot(network, num_blocks=2))
    with pytest.raises(CheckpointError, match="wrong architecture"):
        import_pickle(path, tmp_path / "wide")


def test_it_is_distilled_like_the_others(network, tmp_path):
    import_pickle(write_snapshot(tmp_path / "t.pkl", snapshot(network)), tmp_path / "teacher")
    write_data(tmp_path / "data.zip")
    records, tensors = run(recipe(tmp_path, tmp_path / "run", duration=32e-6, arch="edm2"))
    assert records[-1].step == 8
    start = load_denoiser(tmp_path / "teacher").state_dict()
    moved = max(float((tensors[f"generator/{n}"] - v).abs().max()) for n, v in start.items())
    assert 1e-4 < moved < 1
    assert isinstance(load_denoiser(tmp_path / "run" / "last").model, EDM2UNet)


@pytest.mark.parametrize("with_loss", [False, True])
def test_a_sid_snapshot_is_read(tmp_path, with_loss):
    """SiD and SiDA: the teacher's own classes and keys under `ema`; some write their loss too."""
    arguments = {"img_resolution": 8, "in_channels": 1, "out_channels": 1, "label_dim": 3}
    arguments |= {"model_channels": 16, "channel_mult": [1], "num_blocks": 1}
    arguments |= {"attn_resolutions": [], "augment_dim": 9, "channel_mult_noise": 1}
    arguments |= {"embedding_type": "positional", "resample_filter": [1, 1], "dropout": 0.0}
    ours = build("SongUNet", arguments)
    for parameter in ours.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape)
    ema = module(ours, "EDMPrecond", sigma_data=0.5, use_fp16=False, label_dim=3)
    ema.meta["state"]["_modules"]["model"] = module(
        ours.model, "SongUNet", _init_kwargs=arguments, label_dropout=0
    )
    content = {"ema": ema}
    if with_loss:
        loss = Persistent("SID_EDMLoss", {"P_mean": -1.2, "_init_args": (), "_init_kwargs": {}})
        content |= {"loss_fn": loss, "augment_pipe": None, "dataset_kwargs": {"use_labels": True}}
    folder = import_pickle(write_snapshot(tmp_path / "sid.pkl", content), tmp_path / "sid")
    x, sigma, labels = torch.randn(2, 1, 8, 8), torch.tensor([2.5, 0.3]), torch.eye(3)[:2]
    assert torch.equal(load_denoiser(folder)(x, sigma, labels), ours.eval()(x, sigma, labels))
