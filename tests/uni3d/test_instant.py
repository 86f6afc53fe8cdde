"""The instant network: its lookup, its gradient, what z means; a training resumes exactly."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from families import save_family
from folders import contents
from tiny import tiny_teacher

from uni3d.cameras import Cameras
from uni3d.cli import main
from uni3d.instant.diversity import (
    CELLS,
    SIDE,
    TRAITS,
    Anchors,
    deviations,
    read_anchors,
    traits,
    write_anchors,
)
from uni3d.instant.files import find_weights
from uni3d.instant.generator import AXES, Generator, GeneratorConfig, look_up_planes
from uni3d.instant.sentences import FileSentences, WorldSentences
from uni3d.instant.settings import InstantConfig
from uni3d.instant.training import CELLS_OF_A_BOX, Trainer, draw_anchors
from uni3d.instant.weights import load_weights
from uni3d.scene.render import RenderConfig, render
from uni3d.storage.lock import held
from uni3d.teacher.model import load_teacher

SMALL = GeneratorConfig(
    text_width=16, text=8, noise=4, style=8, channels=(8, 8, 8), side=3, features=3, hidden=8
)
SENTENCES = FileSentences(("a red chair", "a chair"))


def config(**changes) -> InstantConfig:
    settings = {
        "steps": 6,
        "sentences": 2,
        "sizes": ((0.0, 12),),
        "render_step": 1.8,
        "generator": SMALL,
    }
    return InstantConfig(**settings | changes)


def slow_lookup(planes, point):
    """Bilinear by hand: the four nearest middles of cells, held at the border."""
    total = np.zeros(planes.shape[1])
    height, width = planes.shape[2:]
    for plane, (across, down) in zip(planes, AXES, strict=True):
        x = (point[across] + 1) * width / 2 - 0.5
        y = (point[down] + 1) * height / 2 - 0.5
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        for i in {math.floor(x), math.ceil(x)}:
            for j in {math.floor(y), math.ceil(y)}:
                total += plane[:, j, i] * (1 - abs(x - i)) * (1 - abs(y - j))
    return total


def test_planes_are_looked_up_as_by_hand():
    generator = torch.Generator().manual_seed(0)
    planes = torch.randn(3, 5, 6, 7, generator=generator, dtype=torch.float64)
    points = torch.rand(60, 3, generator=generator, dtype=torch.float64) * 2 - 1
    found = look_up_planes(planes, points).T.numpy()
    by_hand = np.stack([slow_lookup(planes.numpy(), p) for p in points.numpy()])
    np.testing.assert_allclose(found, by_hand, atol=1e-12)


def test_the_gradient_of_the_generator_through_the_renderer_is_that_of_differences():
    start = torch.Generator().manual_seed(1)
    network = Generator(SMALL, start)
    features, z = torch.randn(1, 3, 16, generator=start), torch.randn(1, 4, generator=start)
    weights = torch.randn(1, 3, 8, 8, generator=start)
    everything = RenderConfig(step_size=0.1, alpha_min=0, transmittance_min=0)

    def value():
        (field,) = network.fields(features, z)
        rgb = render(field, None, Cameras.orbit([30.0], 20.0), 8, 8, config=everything).rgb
        return (rgb * weights).sum()

    value().backward()
    for name in ("constant", "planes.weight", "at_place.weight", "out.weight", "text.weight"):
        parameter = dict(network.named_parameters())[name]
        way = parameter.grad / parameter.grad.norm()
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(way, alpha=sign * 1e-2)
                sides.append(float(value()))
                parameter.sub_(way, alpha=sign * 1e-2)
        slope = (sides[0] - sides[1]) / 2e-2
        assert slope == pytest.approx(float(parameter.grad.norm()), rel=0.02, abs=2e-4), name


def stub_anchors(count):
    """Balls, of sentences from sides, that differ in colour alone: red or blue."""
    start = torch.Generator().manual_seed(5)
    line = torch.linspace(-1, 1, SIDE)
    ball = (line[:, None].square() + line.square() < 0.25).float()
    red = torch.randint(2, (count, 1, 1), generator=start) * ball
    blue = ball - red
    pictures = torch.stack([1 - blue, 1 - ball.expand_as(red), 1 - red], dim=1)
    texts = torch.ones(count, 4)
    cameras = Cameras.orbit(torch.rand(count, generator=start) * 360, 15.0)
    colours = traits(pictures)
    z = deviations(colours, texts, cameras)
    sentences = [SENTENCES.sentences[k % 2] for k in range(count)]
    small = torch.nn.functional.adaptive_avg_pool2d(pictures, CELLS)
    return Anchors(sentences, cameras, colours, z, small, torch.ones(count, 3))


def test_the_blurred_pictures_of_anchors_shape_the_object(tmp_path):
    """A ball in a corner of the picture, which the small teacher would not put there."""
    teacher, anchors = load_teacher(str(tiny_teacher(tmp_path / "teacher"))), stub_anchors(40)
    fixed = Cameras.orbit(torch.full((40,), 30.0), 15.0)
    line = torch.linspace(-1, 1, CELLS)
    ball = ((line - 0.4).square()[:, None] + (line - 0.4).square() < 0.15).float()
    pictures = (1 - 0.8 * ball).expand(40, 3, -1, -1)
    anchors = dataclasses.replace(anchors, cameras=fixed, pictures=pictures)
    middle = {}
    for weight in (0.0, 0.5):
        settings = config(
            **{"steps": 200, "sds_share": 1.0, "anchors": 40, "anchor_weight": 0.0},
            **{"warm_up": 1, "sds_scale": 1.0, "picture_weight": weight},
        )
        trainer = Trainer(settings, teacher, SENTENCES, anchors)
        list(trainer.steps())
        features, z = trainer.texts.of("a chair")[0][None], torch.zeros(1, SMALL.noise)
        with torch.no_grad():
            (field,) = trainer.generator.fields(features, z)
            shown = render(field, None, fixed[:1], 24, 24, config=RenderConfig(step_size=0.1))
        seen = torch.nn.functional.adaptive_avg_pool2d(shown.opacity, CELLS)[0, 0]
        middle[weight] = [float(seen.sum(k) @ line / seen.sum()) for k in (0, 1)]
    assert max(map(abs, middle[0.0])) < 0.05 and min(middle[0.5]) > 0.2, middle


def test_z_learns_what_the_anchors_differ_in(tmp_path):
    teacher = load_teacher(str(tiny_teacher(tmp_path / "teacher")))
    spread = {}
    for count in (0, 60):
        settings = config(
            **{"steps": 250, "sds_share": 1.0, "anchors": count, "anchor_weight": 0.3},
            **{"warm_up": 1, "sds_scale": 1.0, "generator": dataclasses.replace(SMALL, noise=8)},
        )
        anchors = stub_anchors(count) if count else None
        trainer = Trainer(settings, teacher, SENTENCES, anchors)
        list(trainer.steps())
        features = trainer.texts.of("a chair")[0].expand(12, -1, -1)
        z = torch.randn(12, 8, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            fields = trainer.generator.fields(features, z)
            colours = torch.stack([field(torch.zeros(1, 3))[1][0] for field in fields])
        spread[count] = float((colours[:, 0] - colours[:, 2]).std())
    assert spread[60] > 0.15 and spread[60] > 20 * spread[0], spread


def test_an_object_has_sentence_z_and_first_side_of_one_anchor(tmp_path, monkeypatch):
    anchors, kept = stub_anchors(7), {}
    settings = config(anchors=7, sds_share=1.0, views=3)
    trainer = Trainer(settings, load_teacher(str(tiny_teacher(tmp_path / "t"))), SENTENCES, anchors)
    fields, pictures = trainer.generator.fields, trainer._pictures

    def note_fields(features, z):
        kept.update(features=features, z=z)
        return fields(features, z)

    def note_pictures(made, cameras, *rest):
        kept.update(cameras=cameras)
        return pictures(made, cameras, *rest)

    monkeypatch.setattr(trainer.generator, "fields", note_fields)
    monkeypatch.setattr(trainer, "_pictures", note_pictures)
    trainer.take_step()
    sides = kept["cameras"].azimuth_deg.reshape(2, 3)
    for k, (side, z, features) in enumerate(zip(sides, kept["z"], kept["features"], strict=True)):
        (index,) = (anchors.cameras.azimuth_deg == side[0]).nonzero().flatten().tolist()
        assert torch.equal(z[:TRAITS], anchors.z[index]), k
        assert torch.equal(features, trainer.texts.of(anchors.sentences[index])[0])
        assert not torch.isin(side[1:], anchors.cameras.azimuth_deg).any()


def test_pictures_of_a_training_miss_nothing_of_an_object():
    """Where samples are looked for near the object alone; the slow way looks everywhere."""
    weights = find_weights("", "toybox", None, None)
    assert weights is not None
    network = load_weights(weights)
    trainer = Trainer(config(views=3), load_teacher("toybox"), SENTENCES)
    cameras = Cameras.orbit([10.0, 130.0, 250.0], 25.0)
    backgrounds = torch.rand(3, 3, generator=torch.Generator().manual_seed(2))
    for sentence in ("a bicycle", "a corgi", "a windmill"):
        with torch.no_grad():
            features = trainer.texts.of(sentence)[0][None]
            (field,) = network.fields(features, torch.zeros(1, network.config.noise))
            seen, _ = trainer._pictures(
                [field], cameras, backgrounds, 48, torch.Generator().manual_seed(0)
            )
            settings = RenderConfig(step_size=trainer.config.render_step / 48)
            same = torch.Generator().manual_seed(0)
            torch.rand(CELLS_OF_A_BOX**3, 3, generator=same)  # what looking for the object took
            slow = render(
                field,
                None,
                cameras,
                48,
                48,
                background=backgrounds,
                jitter_generator=same,
                config=settings,
            )
        assert float((seen - slow.rgb).square().mean()) < 1e-6, sentence


def test_sentences_are_of_the_known_world_and_never_held_out():
    from uni3d.toybox.known import shipped_known
    from uni3d.toybox.reading import read
    from uni3d.toybox.world import is_held_out

    source, rng = WorldSentences("toybox"), np.random.default_rng(0)
    found = [read(source.draw(rng)).description for _ in range(200)]
    assert {what.kind for what in found} <= set(shipped_known().kinds)
    assert not any(is_held_out(what) for what in found)
    assert len({what.kind for what in found}) > 30
    # More of them wear something where that is asked, still never a held-out pair.
    worn = WorldSentences("toybox", worn_share=0.7)
    dressed = [read(worn.draw(rng)).description for _ in range(200)]
    assert sum(what.wears is not None for what in found) < 60  # about a seventh
    assert 130 < sum(what.wears is not None for what in dressed) < 180  # 0.7 and a seventh of 0.3
    assert not any(is_held_out(what) for what in dressed)


@pytest.mark.parametrize(
    "method",
    [
        {"method": "vsd", "anchors": 4},
        {"method": "uni-instruct", "divergence": "forward-kl", "anchors": 0},
    ],
)
def test_a_training_that_was_stopped_goes_on_bit_for_bit(tmp_path, method):
    folder = tiny_teacher(tmp_path / "teacher")
    settings = config(sds_share=0.3, fake_share=0.2, real_every=2, anchor_steps=2, **method)
    teacher, anchors = load_teacher(str(folder)), None
    if settings.anchors:
        *_, (count, anchors) = draw_anchors(settings, teacher, SENTENCES)
        assert count == len(anchors.z) == 4 and anchors.colours.shape == (4, TRAITS)
    whole = Trainer(settings, teacher, SENTENCES, anchors)
    list(whole.steps())
    if anchors is not None:
        write_anchors(tmp_path / "anchors.safetensors", anchors)
        anchors = read_anchors(tmp_path / "anchors.safetensors")
    stopped = Trainer(settings, load_teacher(str(folder)), SENTENCES, anchors)
    while stopped.step < 3:
        stopped.take_step()
    stopped.save(tmp_path / "kept.safetensors")
    resumed = Trainer(settings, load_teacher(str(folder)), SENTENCES, anchors)
    resumed.restore(tmp_path / "kept.safetensors")
    list(resumed.steps())
    wanted, got = whole.state(), resumed.state()
    assert wanted.keys() == got.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], got[name])] == []
    before = Generator(whole.config.generator, torch.Generator().manual_seed(0)).state_dict()
    assert not torch.equal(before["constant"], wanted["generator/constant"])


def test_one_object_a_step_weighs_by_the_ratio_of_other_steps(tmp_path, monkeypatch):
    """h over the mean of a batch of one would be 1, whatever the ratio says."""
    settings = config(
        **{"sentences": 1, "noises": 1, "views": 1, "sds_share": 0.0, "fake_share": 0.0},
        **{"method": "uni-instruct", "divergence": "forward-kl", "steps": 2},
    )
    teacher = load_teacher(str(tiny_teacher(tmp_path / "teacher")))
    trainer = Trainer(settings, teacher, SENTENCES)
    ratios = iter([0.0, 1.0])

    def log_ratio(features, sigma):
        return torch.full_like(sigma, next(ratios)), torch.zeros_like(sigma, dtype=torch.bool)

    monkeypatch.setattr(trainer.fake, "log_ratio", log_ratio)
    monkeypatch.setattr(trainer.fake.mean_h, "bin_of", lambda s: torch.zeros_like(s).long())
    of, shares = trainer.fake.mean_h.of, []

    def record(h, sigma):
        mean = of(h, sigma)
        shares.append(float(h / mean))
        return mean

    monkeypatch.setattr(trainer.fake.mean_h, "of", record)
    list(trainer.steps())
    # forward-kl has h = r: 1 and e, whose running means are 1 and (1 + e) / 2.
    assert shares == pytest.approx([1.0, 2 * math.e / (1 + math.e)], rel=1e-4)


def test_a_teacher_with_an_autoencoder_trains_the_generator(tmp_path):
    teacher = load_teacher(str(save_family("sd1", tmp_path / "sd")))
    trainer = Trainer(config(steps=5, sds_share=0.4, fake_share=0.2), teacher, SENTENCES)
    losses = [step.metrics["loss"] for step in trainer.steps()]
    assert len(losses) == 5 and np.isfinite(losses).all()
    moved = (
        trainer.generator.constant
        - Generator(trainer.config.generator, torch.Generator().manual_seed(0)).constant
    )
    assert moved.abs().max() > 1e-5


def test_train_then_export_then_make_by_command(tmp_path, capsys):
    import trimesh

    teacher = tiny_teacher(tmp_path / "teacher")
    (tmp_path / "prompts.txt").write_text("a chair\n# a comment\na red chair\n")
    out = tmp_path / "training"
    command = ["instant", "train", "--teacher", str(teacher), "--out", str(out), "--steps", "2"]
    shrink = ["sizes=[[0.0,12]]", "render_step=1.8", "sentences=1", "sds_share=1.0", "anchors=3"]
    shrink += ["generator.channels=[8,8,8]", "generator.style=8", "generator.text=8"]
    shrink = [word for change in shrink for word in ("--set", change)]
    assert main([*command, *shrink]) == 2  # no grammar, no --prompts
    assert "--prompts FILE" in capsys.readouterr().err
    assert main([*command, *shrink, "--prompts", str(tmp_path / "prompts.txt")]) == 0
    with (out / "metrics.jsonl").open("a") as log:  # as a kill after the checkpoint leaves it
        log.write('{"step": 3, "loss": 9.0}\n{"step": 4, "lo')
    go_on = ["instant", "train", "--resume", "--out", str(out), "--steps", "3"]
    go_on += ["--prompts", str(tmp_path / "prompts.txt")]
    before = contents(out)
    with held(out):
        assert main(go_on) == 2
    assert "another process is writing" in capsys.readouterr().err and contents(out) == before
    assert main(go_on) == 0
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3] and lines[2]["loss"] != 9.0
    kept = (out / "anchors.safetensors").read_bytes()
    (out / "anchors.safetensors").write_bytes(kept[: len(kept) // 2])
    assert main(go_on) == 2
    assert "anchors.safetensors" in capsys.readouterr().err
    (out / "anchors.safetensors").write_bytes(kept)
    network = tmp_path / "network.safetensors"
    assert main(["instant", "export", str(out), "--out", str(network)]) == 0
    assert load_weights(network, str(teacher)).config.channels == (8, 8, 8)
    small = ["mesh.resolution=24", "mesh.target_faces=300", "mesh.texture_size=32"]
    small = [word for change in small for word in ("--set", change)]
    run = ["a chair", "--preset", "instant", "--teacher", str(teacher), "--formats", "glb", *small]
    run += ["--instant-weights", str(network), "--out", str(tmp_path / "ball")]
    assert main(run) == 0
    # Two steps leave the soft ball of the start.
    mesh = trimesh.load_mesh(tmp_path / "ball" / "mesh.glb", process=False)
    low, high = mesh.bounds
    assert np.allclose(low, -high, atol=0.1) and 0.2 < high.max() < 0.9
    # A new training from it: without a step taken, the same numbers, rounded as they were.
    capsys.readouterr()
    again = [*command, "--prompts", str(tmp_path / "prompts.txt"), "--from", str(network)]
    assert main([*again, "--resume"]) == 2
    assert "--from with --resume" in capsys.readouterr().err
    again[again.index(str(out))] = str(tmp_path / "again")
    assert main([*again, *shrink[:10], "--minutes", "0"]) == 0  # sizes of the network: its own
    one, two = load_weights(network), load_weights(tmp_path / "again" / "checkpoint.safetensors")
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name])
    assert main(["instant", "export", str(tmp_path), "--out", str(network)]) == 2
    assert "no training there" in capsys.readouterr().err
