"""The training of the toybox teacher: resumable to the bit, scheduled as written, repeatable."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from uni3d.errors import ConfigError
from uni3d.teacher.hub import SHIPPED
from uni3d.toybox import dataset, grammar, model, shipping, training
from uni3d.toybox.state import (
    export_state,
    load_shipped,
    load_state,
    parameters_of,
    save_state,
)
from uni3d.toybox.training import TrainConfig

TINY_UNET = {
    **model.UNET,
    "block_out_channels": (16, 32),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 8,
}
SHARD = 120


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Two small shards, rendered once."""
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "SHARD", SHARD)
        dataset.prepare(folder, 2)
        dataset.prepare(folder, 1, training.VALIDATION_SEED, size=32)
    return folder


@pytest.fixture
def tiny(monkeypatch, pictures):
    """A function that makes the folder of a run in miniature."""
    monkeypatch.setattr(dataset, "SHARD", SHARD)
    monkeypatch.setattr(model, "UNET", TINY_UNET)
    monkeypatch.setattr(training, "EVALUATION_PICTURES", 32)
    monkeypatch.setattr(training, "_sheet", lambda networks, path: None)
    torch.set_num_threads(1)

    def make(out: Path, **changes) -> TrainConfig:
        out.mkdir()
        (out / "pictures").symlink_to(pictures)
        values = {"steps": 3, "batch": 4, "shards": 2, "small_share": 0.4, "seed": 0}
        return TrainConfig(out=out, **{**values, **changes})

    return make


def networks_of(config: TrainConfig):
    tokenizer = model.build_tokenizer(config.out / "tokenizer")
    unet, text_encoder, scheduler = model.build_networks(len(tokenizer), config.seed)
    return {"unet": unet, "text_encoder": text_encoder}, tokenizer, scheduler.alphas_cumprod


def test_three_steps_are_one_and_a_resumed_two(tmp_path, tiny):
    whole = tiny(tmp_path / "whole")
    straight = list(training.train(whole))
    parted = tiny(tmp_path / "parted", minutes=0.0)
    first = list(training.train(parted))
    rest = list(training.train(dataclasses.replace(parted, minutes=1e9, resume=True)))
    assert [p.step for p in straight] == [1, 2, 3]
    assert [p.step for p in first] == [1] and [p.step for p in rest] == [2, 3]
    assert [p.loss for p in first + rest] == [p.loss for p in straight]
    assert rest[-1].validation == straight[-1].validation
    a = load_file(whole.out / "state.safetensors")
    b = load_file(parted.out / "state.safetensors")
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different, f"{len(different)} of {len(a)}, such as {different[:3]}"


def test_a_share_of_the_batch_is_composed(tmp_path, tiny, monkeypatch):
    seen, batch = [], training._batch

    def watch(pictures, indices, rng):
        seen.append(indices.tolist())
        return batch(pictures, indices, rng)

    monkeypatch.setattr(training, "_batch", watch)
    monkeypatch.setattr(training, "_validation_loss", lambda *_: 0.0)
    monkeypatch.setattr(dataset.Pictures, "composed", lambda self: np.array([2, 3]))
    list(training.train(tiny(tmp_path / "plain")))
    list(training.train(tiny(tmp_path / "worn", composed_share=0.5)))
    plain, worn = seen[:3], seen[3:]
    assert [len(indices) for indices in worn] == [8, 8, 4]  # half-size steps have twice as many
    for before, now in zip(plain, worn, strict=True):
        half = len(now) // 2
        assert set(now[:half]) <= {2, 3}
        assert now[half:] == before[half:]


def test_the_steps_change_the_weights_by_about_the_learning_rate(tmp_path, tiny):
    """Adam's first step is the rate times the sign of the gradient, plus the decay."""
    config = tiny(tmp_path / "run", minutes=0.0, learning_rate=1e-3)
    before, _, _ = networks_of(config)
    list(training.train(config))
    state = load_file(config.out / "state.safetensors")
    name = "unet.mid_block.resnets.0.conv1.weight"
    start = dict(parameters_of(before))[name].data
    rate = 1e-3 * (1 / 200)  # the first of 200 warming steps
    decayed = start * (1 - rate * 0.01)
    moved = (state[f"weight/{name}"] - decayed).abs()
    assert float(moved.max()) == pytest.approx(rate, rel=1e-2)
    assert float(moved.median()) == pytest.approx(rate, rel=1e-2)
    # The average moves by 1 - decay = 1 - 1/10 of it.
    half = start + 0.9 * (state[f"weight/{name}"] - start)
    torch.testing.assert_close(state[f"average/{name}"], half, rtol=0, atol=1e-8)


def test_the_learning_rate_warms_stays_and_falls():
    config = TrainConfig(out=Path(), steps=12000, learning_rate=1e-3)
    expected = {
        0: 1e-3 / 200,
        99: 0.5e-3,
        199: 1e-3,
        5000: 1e-3,
        8000: 1e-3,
        10000: 0.5e-3,
        11000: 0.25e-3,
        11960: 2e-5,
        11999: 2e-5,
    }
    for step, rate in expected.items():
        assert training._learning_rate(config, step) == pytest.approx(rate, rel=1e-12), step


def test_the_state_survives_a_round_trip(tmp_path, tiny):
    config = tiny(tmp_path / "run")
    modules, _, _ = networks_of(config)
    modules["unet"].to(memory_format=torch.channels_last)
    parameters = [p for _, p in parameters_of(modules)]
    optimizer = torch.optim.AdamW(parameters, fused=True)
    generator = torch.Generator().manual_seed(3)
    for p in parameters:
        p.grad = torch.empty_like(p).copy_(torch.randn(p.shape, generator=generator))
    optimizer.step()
    average = {n: p.data * 0.5 for n, p in parameters_of(modules)}
    save_state(config, 17, modules, average, optimizer)

    again, _, _ = networks_of(dataclasses.replace(config, seed=9))
    again["unet"].to(memory_format=torch.channels_last)
    fresh = [p for _, p in parameters_of(again)]
    other = torch.optim.AdamW(fresh, fused=True)
    loaded = {n: torch.zeros_like(p) for n, p in parameters_of(again)}
    assert load_state(config, again, loaded, other) == 17
    for (name, p), q in zip(parameters_of(modules), fresh, strict=True):
        assert torch.equal(p, q) and torch.equal(loaded[name], p * 0.5)
        for moment in ("exp_avg", "exp_avg_sq"):
            kept, restored = optimizer.state[p][moment], other.state[q][moment]
            assert torch.equal(kept, restored)
            # The fused step walks through memory: another layout would be another order.
            assert kept.stride() == restored.stride(), name
        assert float(other.state[q]["step"]) == 17


def test_pictures_sampled_twice_are_the_same_and_clean(tmp_path, tiny):
    config = tiny(tmp_path / "run")
    modules, tokenizer, alphas = networks_of(config)
    networks = (modules["unet"], modules["text_encoder"], tokenizer, alphas)
    cameras = torch.tensor([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]])

    def draw(seed: int) -> torch.Tensor:
        return training.sample_pictures(
            networks, ["a corgi", "a red chair"], cameras, steps=3, seed=seed
        )

    first = draw(1)
    assert first.shape == (2, 3, 64, 64)
    assert 0 <= float(first.min()) and float(first.max()) <= 1
    assert torch.equal(first, draw(1))
    assert not torch.equal(first, draw(2))


class _Oracle(torch.nn.Module):
    """Stands for a U-Net that always knows the clean picture."""

    def __init__(self, clean: torch.Tensor) -> None:
        super().__init__()
        self.clean = clean

    def forward(self, noisy, t, context, class_labels):
        return type("Out", (), {"sample": self.clean.expand(noisy.shape)})


def test_a_network_that_knows_the_answer_samples_it_and_has_no_loss(tmp_path, tiny):
    config = tiny(tmp_path / "run")
    modules, tokenizer, alphas = networks_of(config)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    # Space to depth, written out: channel (c, i, j) of block (y, x) is pixel (4y + i, 4x + j).
    blocks = (picture * 2 - 1).reshape(1, 3, 16, 4, 16, 4).permute(0, 1, 3, 5, 2, 4)
    clean = blocks.reshape(1, 48, 16, 16)
    networks = (_Oracle(clean), modules["text_encoder"], tokenizer, alphas)
    drawn = training.sample_pictures(networks, ["a corgi"], torch.zeros(1, 4), steps=5)
    # The last sampled level is t = 15, and the step from there to zero noise is exact.
    torch.testing.assert_close(drawn, picture, rtol=0, atol=1e-4)
    eps = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    for t in (0, 500, 999):
        time = torch.tensor([t])
        loss = training._loss(networks, picture * 2 - 1, ["a corgi"], torch.zeros(1, 4), time, eps)
        assert float(loss) < 1e-10
        off = (_Oracle(clean + 0.1), *networks[1:])
        wrong = training._loss(off, picture * 2 - 1, [""], torch.zeros(1, 4), time, eps)
        weight = min(8.0, 1 / float(1 - alphas[t]))
        assert float(wrong) == pytest.approx(0.01 * weight, rel=1e-4)


def test_a_batch_is_the_pictures_over_one_colour_with_their_cameras(tmp_path, tiny):
    config = tiny(tmp_path / "run")
    pictures = dataset.Pictures(config.out / "pictures", 2)
    indices = np.arange(100)
    images, captions, cameras = training._batch(pictures, indices, np.random.default_rng(0))
    assert len(captions) == 100
    for k in indices:
        rgba, (azimuth, elevation, _), _ = pictures[k]
        alpha = rgba[3].astype(float) / 255
        shown = (images[k].numpy().astype(float) + 1) / 2
        empty = alpha == 0
        colour = shown[:, empty]
        assert np.ptp(colour, axis=1).max() < 1e-6  # one colour wherever the toy is not
        expected = rgba[:3] / 255 + (1 - alpha) * colour[:, :1, None]
        np.testing.assert_allclose(shown, expected, atol=1e-6)
        if bool(cameras[k].any()):
            found = np.degrees(
                [np.arctan2(*cameras[k, :2].tolist()), np.arctan2(*cameras[k, 2:].tolist())]
            )
            assert abs((found[0] - azimuth + 180) % 360 - 180) < 1e-3
            assert abs(found[1] - elevation) < 1e-3
    assert 5 <= sum(not c.any() for c in cameras) <= 40  # a fifth is drawn without its camera
    assert 2 <= captions.count("") <= 25  # and a tenth without its caption


def test_a_grown_vocabulary_leaves_old_prompts_to_the_bit(tmp_path):
    """The shipped text encoder, before and after new words: the same numbers, the same features."""
    folder = tmp_path / "words"
    model.adopt_tokenizer(SHIPPED["toybox"] / "tokenizer", folder)
    old = model.build_tokenizer(folder)
    before = {"unet": torch.nn.Identity(), "text_encoder": model.build_networks(len(old), 0)[1]}
    grown = model.grow_tokenizer(folder, ["zyzzyva", "corgi", *grammar.caption_words()])
    assert grown[0] == "zyzzyva" and "corgi" not in grown
    new = model.build_tokenizer(folder)
    after = {"unet": torch.nn.Identity(), "text_encoder": model.build_networks(len(new), 0)[1]}
    assert len(new) > len(old)
    for modules in (before, after):
        load_shipped(modules, "toybox")
    vocab = new.get_vocab()
    assert {word: vocab[word] for word in old.get_vocab()} == old.get_vocab()
    assert sorted(vocab.values()) == list(range(len(new)))
    prompts = ["a corgi astronaut, front view", "a spotted pink pig", "a cat wearing a scarf"]
    told = [training.encode_text(old, before["text_encoder"], prompts)]
    told.append(training.encode_text(new, after["text_encoder"], prompts))
    assert torch.equal(*told)
    for word in ("zyzzyva", "golden", "motorcycle"):
        assert len(old(word).input_ids) > 3 and len(new(word).input_ids) == 3
    assert model.grow_tokenizer(folder, grammar.caption_words()) == []


def test_a_run_goes_on_with_more_words(tmp_path, tiny, monkeypatch):
    """Old rows, their average and their moments stay; new words begin at the embedding's end."""
    monkeypatch.setattr(grammar, "caption_words", lambda: ["corgi"])
    config = tiny(tmp_path / "run", minutes=0.0)
    list(training.train(config))
    before = load_file(config.out / "state.safetensors")
    monkeypatch.setattr(grammar, "caption_words", lambda: ["corgi", "zyzzyva"])
    modules, networks = training._networks(dataclasses.replace(config, resume=True))
    optimizer = torch.optim.AdamW([p for _, p in parameters_of(modules)])
    average = {n: p.data.clone() for n, p in parameters_of(modules)}
    assert load_state(config, modules, average, optimizer) == 1
    rows = modules["text_encoder"].get_input_embeddings().weight
    name = "text_encoder.embeddings.token_embedding.weight"
    count = len(before[f"weight/{name}"])
    assert len(rows) == len(networks[2]) > count
    assert torch.equal(rows[:count], before[f"weight/{name}"])
    assert torch.equal(average[name][:count], before[f"average/{name}"])
    assert torch.equal(average[name][count:], rows[count:])
    moments = optimizer.state[rows]["exp_avg"]
    assert torch.equal(moments[:count], before[f"m/{name}"]) and not moments[count:].any()


def test_an_exported_state_is_half_as_precise_and_goes_on(tmp_path, tiny):
    config = tiny(tmp_path / "run")
    list(training.train(config))
    export_state(config.out, tmp_path / "kept")
    whole = load_file(config.out / "state.safetensors")
    small = load_file(tmp_path / "kept" / "state.safetensors")
    assert all(torch.equal(v, whole[k].half()) for k, v in small.items())
    assert {k for k in whole if k[0] in "wa"} == set(small)
    again = dataclasses.replace(config, out=tmp_path / "kept", resume=True, steps=4)
    (tmp_path / "kept" / "pictures").symlink_to(config.out / "pictures")
    assert [p.step for p in training.train(again)] == [4]


def test_a_run_that_is_asked_to_stop_saves_and_goes_on_exactly(tmp_path, tiny):
    whole = tiny(tmp_path / "whole")
    straight = list(training.train(whole))
    parted = tiny(tmp_path / "parted")
    asked = iter([False, True])
    first = list(training.train(parted, lambda: next(asked)))
    assert [p.step for p in first] == [1, 2] and first[-1].note == "saved"
    rest = list(training.train(dataclasses.replace(parted, resume=True)))
    assert [p.loss for p in first + rest] == [p.loss for p in straight]


def test_a_device_that_is_not_there_ends_the_run_before_any_work(tmp_path):
    config = TrainConfig(out=tmp_path / "run", device="xpu:77")
    with pytest.raises(
        ConfigError, match=r"^--device: got 'xpu:77', not to be had here .*do: cpu$"
    ):
        next(training.train(config))
    assert not (tmp_path / "run").exists()


def test_bfloat16_changes_the_loss_little_and_the_weights_stay_whole(tmp_path, tiny):
    exact, rough = (
        list(training.train(tiny(tmp_path / name, steps=1, bf16=bf16)))
        for name, bf16 in (("exact", False), ("rough", True))
    )
    assert exact[0].loss != rough[0].loss
    assert rough[0].loss == pytest.approx(exact[0].loss, rel=0.02)
    state = load_file(tmp_path / "rough" / "state.safetensors")
    assert all(t.dtype == torch.float32 for t in state.values())


def test_a_trained_teacher_is_shipped_with_the_card_of_the_one_it_began_with(
    tiny, tmp_path, monkeypatch
):
    """The averaged weights, in half precision, and the commands of all trainings, last one last."""
    folders = {"toybox": tmp_path / "toybox", "toybox-wide": tmp_path / "wide"}
    monkeypatch.setattr(shipping, "SHIPPED", folders)
    folders["toybox"].mkdir()
    (folders["toybox"] / "README.md").write_text("# A card\n\n  - what was done before\n- more\n")
    config = tiny(tmp_path / "run", bf16=True)
    assert [step.step for step in training.train(config)] == [1, 2, 3]
    described = tmp_path / "run" / "state.json"
    said = json.loads(described.read_text())
    said["config"]["from_shipped"] = "toybox"
    described.write_text(json.dumps(said))
    config = dataclasses.replace(config, resume=True, steps=4)  # that says no more what it was
    assert [step.step for step in training.train(config)] == [4]
    shipping.ship(config, "toybox-wide")
    card = (folders["toybox-wide"] / "README.md").read_text()
    assert (
        card.startswith("# The teacher toybox-wide\n") and "evaluate --teacher toybox-wide" in card
    )
    before, now = [line for line in card.splitlines() if line.startswith("  - ")]
    assert before == "  - what was done before"
    assert "--from-shipped toybox --steps 4 " in now and "--bf16 --ship toybox-wide`" in now
    kept = load_file(tmp_path / "run" / "state.safetensors")
    shipped = load_file(folders["toybox-wide"] / "unet" / "diffusion_pytorch_model.safetensors")
    for name, value in shipped.items():
        assert torch.equal(value, kept[f"average/unet.{name}"].half())
