"""Tiny pipelines of every published family, against diffusers' own pipelines and schedulers."""

import json
import shutil

import pytest
import torch
from closeness import assert_close_report
from families import FAMILIES, save_family

from uni3d.cameras import Cameras
from uni3d.errors import MissingExtraError, PromptError, TeacherError
from uni3d.instruct import add_noise
from uni3d.teacher.fake_score import FakeScore, FakeScoreConfig
from uni3d.teacher.model import Condition, load_teacher
from uni3d.teacher.prompts import PromptConfig, PromptSet, ViewConditioning

TIMES = (0, 20, 111, 250, 333, 500, 642, 750, 888, 990)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("families")
    return {name: save_family(name, base / name) for name in FAMILIES}


@pytest.fixture(params=FAMILIES)
def family(request, folders):
    return request.param, folders[request.param]


def _noisy(teacher, seed=0, batch=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, batch, *teacher.latent_shape, generator=generator)


def _pipeline_words(name, folder, prompt):
    """What diffusers' own pipeline hands to its U-Net for `prompt` and for no prompt."""
    import diffusers

    kind = json.loads((folder / "model_index.json").read_text())["_class_name"]
    pipe = getattr(diffusers, kind).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    told = {"device": "cpu", "do_classifier_free_guidance": True, "num_images_per_prompt": 1}
    out = pipe.encode_prompt(prompt, **told)
    if name == "sdxl":
        tokens, empty, pooled, empty_pooled = out
        ids = torch.tensor([[16.0, 16.0, 0.0, 0.0, 16.0, 16.0]])
        extra = [
            {"added_cond_kwargs": {"text_embeds": p, "time_ids": ids}}
            for p in (pooled, empty_pooled)
        ]
        return pipe, [tokens, empty], extra
    return pipe, list(out[:2]), [{}, {}]


def test_denoiser_is_diffusers_own(family):
    """Text, U-Net and schedule through diffusers' classes give our x0, at ten timesteps."""
    name, folder = family
    from diffusers import DDPMScheduler

    teacher = load_teacher(str(folder))
    pipe, words, extra = _pipeline_words(name, folder, "a red chair")
    # Clipping and thresholding are the sampler's, not the model's.
    scheduler = DDPMScheduler.from_config(
        pipe.scheduler.config, clip_sample=False, thresholding=False
    )
    ours = teacher.encode_text(["a red chair", ""])
    x0, eps = _noisy(teacher)
    for k in (0, 1):
        for t in TIMES:
            noisy = scheduler.add_noise(x0, eps, torch.tensor([t]))
            with torch.no_grad():
                raw = pipe.unet(noisy, t, words[k], **extra[k]).sample
                expected = scheduler.step(raw, t, noisy).pred_original_sample
                alpha = scheduler.alphas_cumprod[t].sqrt()
                sigma = ((1 - alpha**2) / alpha**2).sqrt().reshape(1)
                actual = teacher.denoise(noisy / alpha, sigma, Condition(ours[k : k + 1], None))
            assert_close_report(actual, expected, rtol=1e-5, what=f"{name}, text {k}, t = {t}")


def test_ends_of_the_schedule_are_what_the_file_says(family):
    name, folder = family
    described = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    steps = torch.arange(1000, dtype=torch.float64)
    if described["beta_schedule"] == "squaredcos_cap_v2":
        bar = ((torch.arange(1001).double() / 1000 + 0.008) / 1.008 * torch.pi / 2).cos() ** 2
        betas = (1 - bar[1:] / bar[:-1]).clamp(max=0.999)
    else:
        first, last = described["beta_start"] ** 0.5, described["beta_end"] ** 0.5
        betas = (first + (last - first) * steps / 999) ** 2
    squared = (1 - betas).cumprod(0)
    if described.get("rescale_betas_zero_snr"):
        root = squared.sqrt()
        squared = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    snr = squared / (1 - squared)
    got = (-2 * load_teacher(str(folder)).schedule.log_sigmas).exp()
    assert float(got[0]) == pytest.approx(float(snr[0]), rel=1e-3)
    assert float(got[-5]) == pytest.approx(float(snr[-5]), rel=1e-2)
    if name == "sd2":
        assert float(snr[-1]) == 0 and float(got[-1]) < 1.1e-6  # the floor of infinity
        t = load_teacher(str(folder)).schedule.t_of(torch.tensor([1e4]))
        assert float(t) == pytest.approx(998.5, abs=0.5)  # and there is a time for it
    elif name != "if":
        assert float(got[-1]) == pytest.approx(float(snr[-1]), rel=1e-3)


def test_guidance_is_pinned_at_zero_and_one(family):
    teacher = load_teacher(str(family[1]))
    views = PromptSet("a red chair", PromptConfig(), teacher.encode_text)
    cameras = Cameras.orbit([10.0, 200.0])
    told = views.at(cameras)
    x = _noisy(teacher, batch=2)[0] * 3
    sigma = torch.tensor([2.0, 0.5])
    with torch.no_grad():
        without = teacher.denoise(x, sigma, Condition(told.unconditional, None))
        with_ = teacher.denoise(x, sigma, Condition(told.positive, None))
        assert float((without - with_).norm()) > 1e-4 * float(with_.norm())
        for scale, expected in ((0.0, without), (1.0, with_), (3.0, 3 * with_ - 2 * without)):
            got = teacher.guided(x, sigma, told, None, scale)
            assert_close_report(got, expected, rtol=1e-5, what=f"scale {scale}")
        teacher.one_by_one = True
        assert torch.equal(teacher.guided(x, sigma, told, None, 0.0), without)
        assert torch.equal(teacher.guided(x, sigma, told, None, 1.0), with_)
        # Rescaled all the way, the spread of each sample is that of the conditional.
        got = teacher.guided(x, sigma, told, None, 7.0, rescale=1.0)
        assert_close_report(got.std((1, 2, 3)), with_.std((1, 2, 3)), rtol=1e-4)


def test_perp_neg_rescaled_keeps_the_spread_of_the_positive(folders):
    teacher = load_teacher(str(folders["sdxl"]))
    views = PromptSet("a red chair", PromptConfig(perp_neg=1.5), teacher.encode_text)
    told: ViewConditioning = views.at(Cameras.orbit([80.0]))
    assert told.negatives.shape[1] == 3
    x, sigma = _noisy(teacher)[0], torch.ones(1)
    with torch.no_grad():
        with_ = teacher.denoise(x, sigma, Condition(told.positive, None))
        got = teacher.guided(x, sigma, told, None, 7.0, rescale=1.0)
    assert_close_report(got.std().reshape(1), with_.std().reshape(1), rtol=1e-4)


def test_eps_and_v_of_the_same_network_agree(folders, tmp_path):
    """A network that knows x0 says it in eps and in v: both readings give that x0."""
    shutil.copytree(folders["sd1"], tmp_path / "v")
    path = tmp_path / "v" / "scheduler" / "scheduler_config.json"
    described = json.loads(path.read_text()) | {"prediction_type": "v_prediction"}
    path.write_text(json.dumps(described))
    x0, eps = _noisy(load_teacher(str(folders["sd1"])))
    for folder in (folders["sd1"], tmp_path / "v"):
        teacher = load_teacher(str(folder))
        for t in (20.0, 333.3, 700.0):
            sigma = teacher.schedule.sigma_of(torch.tensor([t]))
            alpha = (1 + sigma**2).rsqrt().reshape(-1, 1, 1, 1)
            says = {"epsilon": eps, "v_prediction": alpha * eps - alpha * sigma * x0}
            kind = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
            answer = says[kind.get("prediction_type", "epsilon")]
            told = []

            def network(x, t, cond, answer=answer, told=told):
                told.append((x, t))
                return answer

            reading = type(teacher.denoise)(network, teacher.schedule)
            got = reading(add_noise(x0, sigma, eps), sigma)
            assert_close_report(got, x0, rtol=2e-4, what=f"{folder.name} at {t}")
            assert_close_report(told[0][0], alpha * x0 + alpha * sigma * eps, rtol=1e-5)
            assert float(told[0][1]) == pytest.approx(t, abs=0.01)


def _batch(teacher, count=4):
    generator = torch.Generator().manual_seed(1)
    x0 = torch.rand(count, *teacher.latent_shape, generator=generator) * 2 - 1
    eps = torch.randn(x0.shape, generator=generator)
    sigma = torch.tensor([0.3, 0.7, 1.5, 4.0])[:count]
    context = teacher.encode_text(["a red chair"]).expand(count, -1, -1)
    cond = Condition(context, torch.randn(count, 4, generator=generator))
    return x0, sigma, eps, cond


def test_the_adapter_leaves_the_teacher_as_it_was_and_fits_fixed_pictures(family):
    teacher = load_teacher(str(family[1]))
    x0, sigma, eps, cond = _batch(teacher)
    x = add_noise(x0, sigma, eps)
    with torch.no_grad():
        before = teacher.denoise(x, sigma, cond)
    weights = {n: p.clone() for n, p in teacher.unet.named_parameters()}
    config = FakeScoreConfig(rank=8, learning_rate=1e-2, warm_up=0.0)
    fake = FakeScore(teacher, config, seed=3, ratio=True)
    camera = {n: p.detach().clone() for n, p in fake.parameters.items() if "camera" in n}
    with torch.no_grad():
        assert torch.equal(teacher.denoise(x, sigma, cond), before)
        torch.testing.assert_close(fake.predict(x, sigma, cond)[0], before)
    losses = [float(fake.fit(x0, sigma, eps, cond, fraction=0.5)["fake"]) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0], losses[::10]
    with torch.no_grad():
        assert torch.equal(teacher.denoise(x, sigma, cond), before)
    after = dict(teacher.unet.named_parameters())
    assert all(
        torch.equal(after[n.replace(".fake.", ".")], p) if n in after else True
        for n, p in weights.items()
    )
    frozen = {n.replace(".base_layer", ""): p for n, p in after.items() if ".fake." not in n}
    assert [n for n, p in weights.items() if not torch.equal(frozen[n], p)] == []
    assert len(camera) == 4
    assert all(not torch.equal(fake.parameters[n], p) for n, p in camera.items())
    with torch.no_grad():  # the camera is heard
        turned = Condition(cond.context, -cond.camera)
        assert (
            float((fake.predict(x, sigma, turned)[0] - fake.predict(x, sigma, cond)[0]).abs().max())
            > 1e-3
        )


def test_v_adapter_on_an_eps_teacher(folders):
    teacher = load_teacher(str(folders["sd1"]))
    x0, sigma, eps, cond = _batch(teacher)
    config = FakeScoreConfig(rank=8, learning_rate=1e-2, warm_up=0.0, prediction="v", alpha=16.0)
    fake = FakeScore(teacher, config, seed=3, ratio=False)
    with torch.no_grad():  # what the network says is read as v
        x = add_noise(x0, sigma, eps)
        alpha = (1 + sigma**2).rsqrt().reshape(-1, 1, 1, 1)
        said = teacher.network(alpha * x, teacher.schedule.t_of(sigma), cond)
        level = sigma.reshape(-1, 1, 1, 1)
        expected = alpha * alpha * x - alpha * level * said
        assert_close_report(fake.predict(x, sigma, cond)[0], expected, rtol=1e-5)
    losses = [float(fake.fit(x0, sigma, eps, cond, fraction=0.5)["fake"]) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0], losses[::10]


def test_attention_alone_may_carry_the_adapter(folders):
    teacher = load_teacher(str(folders["sd1"]))
    fake = FakeScore(teacher, FakeScoreConfig(rank=2, targets="attention"), seed=0, ratio=False)
    adapted = {n for n in fake.parameters if "camera" not in n}
    assert adapted and all(".attn1." in n or ".attn2." in n for n in adapted)


@pytest.mark.parametrize("learned", [True, False])
def test_computing_blocks_again_keeps_the_gradients(folders, learned):
    """The backward pass comes when the adapter is off; each block must be what it was."""
    grads = []
    for again in (False, True):
        teacher = load_teacher(str(folders["sd2"]))
        x0, sigma, eps, cond = _batch(teacher)
        fake = FakeScore(teacher, FakeScoreConfig(rank=4), seed=3, ratio=False)
        with torch.no_grad():
            for parameter in fake.parameters.values():
                parameter += 0.1 * torch.ones_like(parameter).cumsum(0).sin()
        if again:
            fake.checkpoint_network()
        if learned:
            fake.fit(x0, sigma, eps, cond, fraction=0.5)
            grads.append([p.grad.clone() for p in fake.parameters.values() if p.grad is not None])
            continue
        x = add_noise(x0, sigma, eps).requires_grad_()
        u = teacher.denoise(x, sigma, cond) - fake.predict(x, sigma, cond)[0]
        (u * (fake.predict(x, sigma, cond)[0] - x0)).sum().backward()
        grads.append([x.grad])
    assert len(grads[0]) == len(grads[1]) > 0
    for a, b in zip(*grads, strict=True):
        assert_close_report(b, a, rtol=1e-5)


def test_pictures_through_the_autoencoder_one_at_a_time(folders):
    import dataclasses

    codec = load_teacher(str(folders["sd1"])).codec
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    results = []
    for sliced in (False, True):
        leaf = images.clone().requires_grad_()
        latents = dataclasses.replace(codec, sliced=sliced).encode(leaf)
        latents.square().sum().backward()
        results.append((latents.detach(), leaf.grad))
    assert_close_report(results[1][0], results[0][0], rtol=1e-5)
    assert_close_report(results[1][1], results[0][1], rtol=1e-4)


def test_latents_are_scaled_as_the_file_says(folders):
    for name, factor in (("sd1", 0.18215), ("sdxl", 0.13025)):
        codec = load_teacher(str(folders[name])).codec
        images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            mean = codec.vae.encode(images * 2 - 1).latent_dist.mean
            assert_close_report(codec.encode(images), mean * factor, rtol=1e-6)
            decoded = codec.vae.decode(mean).sample
            assert_close_report(codec.decode(mean * factor), (decoded + 1) / 2, rtol=1e-5)
            codec.vae.register_to_config(shift_factor=0.4)  # of some newer autoencoders
            assert_close_report(codec.encode(images), (mean - 0.4) * factor, rtol=1e-5)
            shifted = codec.decode((mean - 0.4) * factor)
            assert_close_report(shifted, (decoded + 1) / 2, rtol=1e-4)


def test_half_precision_teacher_with_a_full_precision_adapter(folders):
    teacher = load_teacher(str(folders["sd1"]))
    x0, sigma, eps, cond = _batch(teacher)
    x = add_noise(x0, sigma, eps)
    with torch.no_grad():
        full = teacher.denoise(x, sigma, cond)
        teacher.to(torch.device("cpu"), torch.bfloat16)
        half = teacher.denoise(x, sigma, cond)
    assert half.dtype == torch.float32 and teacher.unet.conv_in.weight.dtype == torch.bfloat16
    assert_close_report(half, full, rtol=0.02)
    fake = FakeScore(teacher, FakeScoreConfig(rank=4, learning_rate=1e-2), seed=3, ratio=True)
    assert {p.dtype for p in fake.parameters.values()} == {torch.float32}
    losses = [float(fake.fit(x0, sigma, eps, cond, 0.5, x0)["fake"]) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0], losses


def test_text_longer_than_the_context_is_one_line(family):
    teacher = load_teacher(str(family[1]))
    with pytest.raises(PromptError, match=r"has \d+ tokens; wanted at most 77") as caught:
        teacher.encode_text(["a red chair", "q " * 80])
    assert "\n" not in str(caught.value)


def test_an_encoder_of_another_kind_is_refused(folders, tmp_path):
    shutil.copytree(folders["sd1"], tmp_path / "t")
    path = tmp_path / "t" / "model_index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps(index | {"text_encoder": ["transformers", "GPT2Model"]}))
    with pytest.raises(TeacherError, match="its text encoder is GPT2Model with CLIPTokenizer"):
        load_teacher(str(tmp_path / "t"))


def test_a_tokenizer_without_its_words_is_refused(folders, tmp_path):
    """transformers makes up a tokenizer of a few characters where the files are missing."""
    for name in ("if", "sd1"):
        folder = tmp_path / name
        shutil.copytree(folders[name], folder)
        (folder / "tokenizer" / "tokenizer.json").unlink()
        with pytest.raises(TeacherError, match=r"has \d+ words|cannot be loaded"):
            load_teacher(str(folder)).encode_text(["a red chair"])


def test_a_sentencepiece_file_asks_for_its_packages(folders, tmp_path, monkeypatch):
    import sys

    shutil.copytree(folders["if"], tmp_path / "t")
    (tmp_path / "t" / "tokenizer" / "tokenizer.json").rename(
        tmp_path / "t" / "tokenizer" / "spiece.model"
    )
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(MissingExtraError, match=r"'\.\[t5\]'"):
        load_teacher(str(tmp_path / "t")).encode_text(["a red chair"])
