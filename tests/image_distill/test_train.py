"""Distillation end to end on tiny networks: what moves, what does not, and that splits agree."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_run import largest_gap, recipe, run, write_data, write_teacher

from image_distill import train as train_module
from image_distill.state import read_state
from image_distill.teachers import load_denoiser
from image_distill.train import Trainer
from uni3d import config_io
from uni3d.errors import ConfigError, NonFiniteError
from uni3d.instruct import DIVERGENCES, uni_instruct_loss
from uni3d.instruct.divergences import FORMS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_teacher(folder / "teacher")
    write_data(folder / "data.zip")
    return folder


ALLOWED = [
    (divergence, form, gan)
    for divergence, form, gan in itertools.product(DIVERGENCES, FORMS, (True, False))
    if gan or not DIVERGENCES[divergence].needs_ratio
]
REFUSED = [
    (divergence, form)
    for divergence, form in itertools.product(DIVERGENCES, FORMS)
    if DIVERGENCES[divergence].needs_ratio
]


def _slow_unless_typical(case):
    typical = (case[0] in ("reverse-kl", "forward-kl") and case[1] == "paper") or case == TYPICAL
    return pytest.param(*case, marks=() if typical else pytest.mark.slow)


TYPICAL = ("jensen-shannon", "exact", True)


@pytest.mark.parametrize(
    ("divergence", "form", "gan"), [_slow_unless_typical(case) for case in ALLOWED]
)
def test_every_allowed_combination_trains(world, tmp_path, divergence, form, gan):
    chosen = recipe(world, tmp_path / "run", divergence=divergence, form=form, use_gan=gan)
    records, tensors = run(chosen)
    assert [r.step for r in records] == [5, 10, 15, 20]
    assert [r.stage for r in records] == ["warm-up"] + 3 * [divergence]
    assert all(torch.isfinite(value).all() for value in tensors.values())
    teacher = load_denoiser(world / "teacher").state_dict()
    moved = {
        part: max(
            float((tensors[f"{part}/{name}"] - value).abs().max())
            for name, value in teacher.items()
        )
        for part in ("generator", "average", "fake")
    }
    # Adam moves a weight by at most about its rate per step: 18 of the generator, 20 of the fake.
    assert 2e-3 < moved["generator"] < 5e-2
    assert 2e-3 < moved["fake"] < 5e-2
    assert 0 < moved["average"] < 2 * moved["generator"]
    assert ("discriminator" in records[-1].values) == gan


@pytest.mark.parametrize(("divergence", "form"), REFUSED)
def test_without_a_discriminator_the_reason_is_named(world, tmp_path, divergence, form):
    keys = config_io.to_dict(recipe(world, tmp_path / "run"))
    keys |= {"divergence": divergence, "form": form, "use_gan": False}
    with pytest.raises(ConfigError, match=f"got {divergence} without a density ratio"):
        config_io.load(type(recipe(world, tmp_path)), keys)


def _gradient(tensors) -> float:
    """Norm of the generator's last gradient: Adam's first moment, beta1 being 0."""
    found = [v for k, v in tensors.items() if k.startswith("generator_opt") and "exp_avg" in k]
    return sum(float(v.square().sum()) for v in found[::2]) ** 0.5


@pytest.mark.parametrize(
    ("divergence", "form"),
    [
        ("forward-kl", "paper"),
        ("jensen-shannon", "exact"),
        ("chi-square", "integral"),
    ],
)
def test_a_fake_score_that_is_the_teacher_gives_no_gradient(world, tmp_path, divergence, form):
    # u = 0 everywhere, the fixed point of the game: only rounding is left of the gradient.
    still, moving = (
        run(
            recipe(
                world,
                tmp_path / str(rate),
                divergence=divergence,
                form=form,
                lr=rate,
                lsg_gan=0.0,
                warmup_fake=0.0,
                warmup_sim=0.0,
                duration=8e-6,
                glr=1e-30,
            )
        )[1]
        for rate in (1e-30, 1e-3)
    )
    assert _gradient(moving) > 0
    assert _gradient(still) < 1e-3 * _gradient(moving)


def test_a_ratio_steeper_than_its_estimate_is_told_to_the_loss(world, tmp_path, monkeypatch):
    told = []

    def recorded(x0, teacher, fake, sigma, log_ratio, *, constant_h, **rest):
        far = ((teacher - fake).double() ** 2).sum((1, 2, 3)).sqrt() > sigma
        told.extend(zip(far.tolist(), constant_h.tolist(), strict=True))
        return uni_instruct_loss(x0, teacher, fake, sigma, log_ratio, constant_h=constant_h, **rest)

    monkeypatch.setattr("image_distill.train.uni_instruct_loss", recorded)
    run(recipe(world, tmp_path / "run", divergence="hellinger", lr=1e-2))
    assert {far for far, _ in told} == {True, False}
    # The tiny discriminator's logits are near 0: nothing is clipped for their sake.
    assert all(far == clipped for far, clipped in told)


@pytest.mark.parametrize("method", ["sid", "sim", "diff-instruct", "f-distill-jensen-shannon"])
def test_methods_of_other_papers_run_by_name(world, tmp_path, method):
    chosen = recipe(world, tmp_path / "run", divergence=None, method=method)
    records, tensors = run(chosen)
    assert records[-1].stage == ("jensen-shannon" if "jensen" in method else "reverse-kl")
    assert all(torch.isfinite(value).all() for value in tensors.values())


def test_reverse_then_forward(world, tmp_path):
    chosen = recipe(
        world, tmp_path / "run", divergence="Reverse-KL", then="Forward-KL", then_at=60e-6
    )
    records, _ = run(chosen)
    assert [r.stage for r in records] == ["warm-up", "reverse-kl", "reverse-kl", "then forward-kl"]
    assert records[2].values["h"] == 1  # reverse-kl: the weight is constant
    assert records[3].values["h"] != 1


def test_in_the_first_phase_only_the_critics_learn(world, tmp_path):
    chosen = recipe(world, tmp_path / "run", warmup_fake=1.0, warmup_sim=1.0)
    records, tensors = run(chosen)
    assert {r.stage for r in records} == {"critics"}
    for name, value in load_denoiser(world / "teacher").state_dict().items():
        assert torch.equal(tensors[f"generator/{name}"], value)
        assert torch.equal(tensors[f"average/{name}"], value)
    assert (
        largest_gap(
            {k.removeprefix("fake/"): v for k, v in tensors.items() if k.startswith("fake/")},
            load_denoiser(world / "teacher").state_dict(),
            "model.",
        )
        > 1e-3
    )


def test_the_average_has_the_half_life_of_the_recipe(world, tmp_path):
    # One generator step: average = teacher + (1 - 2^(-batch / half-life)) (generator - teacher);
    # the half-life is 5 % of the 4 images seen.
    chosen = recipe(world, tmp_path / "run", warmup_fake=0.0, warmup_sim=0.0, duration=4e-6)
    _, tensors = run(chosen)
    share = 1 - 0.5 ** (4 / (0.05 * 4))
    for name, value in load_denoiser(world / "teacher").state_dict().items():
        expected = value + share * (tensors[f"generator/{name}"] - value)
        assert torch.allclose(tensors[f"average/{name}"], expected, atol=1e-7)


def _assert_same_run(tensors, expected) -> None:
    """Weights and running means to 1e-5, with two exceptions that come from Adam.

    It makes a step of full length of any gradient, also of one that is nothing but rounding. Such
    is that of the keys' bias always (it adds the same to all scores of a pixel, which the softmax
    takes away), and that of a weight whose gradient happens to pass zero: one in 5,000 at most.
    """
    assert tensors.keys() == expected.keys()
    number, off = 0, 0
    for name in (name for name in expected if name.startswith(WEIGHTS)):
        gap = (tensors[name].double() - expected[name].double()).abs()
        assert float(gap.max()) < 2 * 20 * SPLIT["lr"], name
        if name.endswith("qkv.bias"):
            gap = gap.reshape(-1, 3)[:, [0, 2]]  # queries and values
        assert float(gap.median()) < 1e-7, name
        number, off = number + gap.numel(), off + int((gap > 1e-5).sum())
    assert off <= number / 5000, f"{off} of {number}"


WEIGHTS = ("generator/", "average/", "fake/", "ratio/", "h/")
SPLIT = {"duration": 40e-6, "lr": 1e-5, "glr": 1e-5, "tick": 0.04, "critic_steps": 2}


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    return run(recipe(world, tmp_path_factory.mktemp("whole") / "run", **SPLIT))


@pytest.mark.parametrize("size", [1, 3])
def test_accumulation_equals_the_full_batch(world, tmp_path, whole, size):
    records, tensors = run(recipe(world, tmp_path / "run", batch_gpu=size, **SPLIT))
    _assert_same_run(tensors, whole[1])
    for name, value in whole[0][-1].values.items():
        assert records[-1].values[name] == pytest.approx(value, abs=1e-5), name


def test_another_seed_is_another_run(world, tmp_path, whole):
    _, tensors = run(recipe(world, tmp_path / "run", seed=1, **SPLIT))
    assert largest_gap(tensors, whole[1], "generator/") > 1e-5


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "image_distill", *arguments]


def _train_command(chosen, path: Path) -> list[str]:
    path.write_text(config_io.dump(chosen))
    return _command("train", "--config", str(path))


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_two_processes_equal_one(world, tmp_path, whole):
    chosen = recipe(world, tmp_path / "run", **SPLIT)
    command = _train_command(chosen, tmp_path / "recipe.yaml")
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node=2",
        "--master_addr=127.0.0.1",
        "--master_port=0",
        "--standalone",
    ]
    subprocess.run(launcher + command[1:], cwd=ROOT, env=ENVIRONMENT, check=True, timeout=300)

    tensors, described = read_state(tmp_path / "run" / "checkpoint.safetensors")
    assert described["step"] == 10
    _assert_same_run(tensors, whole[1])


def test_both_rates_fall_to_a_tenth_at_the_end(world, tmp_path, monkeypatch):
    rates, critic_step = [], Trainer.critic_step

    def noted(self, step):
        players = self.players
        optimisers = (players.fake_optimiser, players.generator_optimiser)
        rates.append([optimiser.param_groups[0]["lr"] for optimiser in optimisers])
        return critic_step(self, step)

    monkeypatch.setattr(Trainer, "critic_step", noted)
    run(recipe(world, tmp_path / "run", lr=1e-3, glr=4e-4, cooldown=0.5))
    fake, generator = zip(*rates, strict=True)
    assert len(rates) == 20 and set(fake[:11]) == {1e-3} and set(generator[:11]) == {4e-4}
    for step in (13, 15, 19):  # a straight line of the logarithm, 0.1 at step 20
        assert fake[step] == pytest.approx(1e-3 * 10 ** -((step - 10) / 10), rel=1e-9)
        assert generator[step] == pytest.approx(0.4 * fake[step], rel=1e-9)


def _log(folder: Path) -> list[dict]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def test_resume_goes_on_bit_for_bit(world, tmp_path):
    options = {"dropout": 0.2, "batch_gpu": 3, "karras_share": 0.5, "critic_steps": 2}
    _, expected = run(recipe(world, tmp_path / "whole", **options))
    short = recipe(world, tmp_path / "cut", **options | {"duration": 40e-6})
    run(short)
    _, tensors = run(recipe(world, tmp_path / "cut", resume=str(tmp_path / "cut"), **options))
    assert tensors.keys() == expected.keys()
    assert [n for n in expected if not torch.equal(tensors[n], expected[n])] == []
    assert _log(tmp_path / "cut") == _log(tmp_path / "whole")


@pytest.mark.slow
def test_killed_and_resumed_equals_never_killed(world, tmp_path):
    long = {"duration": 400e-6}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the other processes: sums are split by it
    try:
        _, expected = run(recipe(world, tmp_path / "whole", **long))
    finally:
        torch.set_num_threads(threads)
    chosen = recipe(world, tmp_path / "cut", **long)
    process = subprocess.Popen(
        _train_command(chosen, tmp_path / "r.yaml"),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
    )
    log = tmp_path / "cut" / "log.jsonl"
    for _ in range(1200):
        if log.exists() and log.read_text().count("\n") >= 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(_log(tmp_path / "cut")) < len(_log(tmp_path / "whole"))
    subprocess.run(
        _command("train", "--resume", str(tmp_path / "cut")),
        cwd=ROOT,
        env=ENVIRONMENT,
        check=True,
        stdout=subprocess.DEVNULL,
    )

    tensors, _ = read_state(tmp_path / "cut" / "checkpoint.safetensors")
    assert [n for n in expected if not torch.equal(tensors[n], expected[n])] == []
    assert _log(tmp_path / "cut") == _log(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cond": False}, "cond: got False with a teacher of 3 classes"),
        ({"arch": "adm"}, "arch: got adm; wanted ddpmpp"),
        ({"edm_model": "nowhere"}, "edm_model: nowhere/network.json is missing"),
        ({"data": "nothing.zip"}, "data: nothing.zip is missing"),
        ({"batch": 0}, "batch: got 0; want 1 to"),
        ({"fp16": True, "bf16": True}, "got fp16 and bf16"),
        ({"augment": 0.12}, "augment: got 0.12 with a teacher that cannot be told"),
        ({"metrics": "fid"}, "data_stat: got none with metrics fid"),
        ({"method": "sid"}, "got forward-kl with method sid"),
    ],
)
def test_mistakes_are_one_line(world, tmp_path, changes, reason):
    with pytest.raises((ConfigError, ValueError), match=reason) as caught:
        run(recipe(world, tmp_path / "run", **changes))
    assert "\n" not in str(caught.value)


def test_a_run_is_not_overwritten_and_not_resumed_as_another(world, tmp_path):
    run(recipe(world, tmp_path / "run"))
    with pytest.raises(ConfigError, match="which holds a run"):
        run(recipe(world, tmp_path / "run"))
    with pytest.raises(ConfigError, match=r"glr: got 0.5 while resuming a run with 0.001"):
        run(recipe(world, tmp_path / "run", resume=str(tmp_path / "run"), glr=0.5))


def test_gradients_that_stay_infinite_stop_the_run(world, tmp_path, monkeypatch):
    monkeypatch.setattr("image_distill.train.PATIENCE", 3)
    matching = train_module.denoising_score_matching
    monkeypatch.setattr(
        train_module, "denoising_score_matching", lambda *a, **k: matching(*a, **k) * float("inf")
    )
    with pytest.raises(NonFiniteError, match="3 steps in a row"):
        run(recipe(world, tmp_path / "run"))


@pytest.mark.parametrize("half", ["bf16", "fp16"])
def test_half_precision_is_near_full(world, tmp_path, whole, half):
    records, tensors = run(recipe(world, tmp_path / "run", **SPLIT, **{half: True}))
    assert largest_gap(tensors, whole[1], "generator/", "fake/") < 4e-4  # 10 steps of 1e-5, twice
    for name in ("fake", "discriminator"):
        assert records[-1].values[name] == pytest.approx(whole[0][-1].values[name], rel=0.02)


def test_a_reference_training_state_goes_on(world, tmp_path):
    write_teacher(tmp_path / "other", seed=5)
    weights = load_denoiser(tmp_path / "other").state_dict()
    names = ("fake_score_state", "G_state", "G_ema_state")
    file = tmp_path / "training-state-000000.pt"
    torch.save({name: weights for name in names}, file)
    chosen = recipe(
        world, tmp_path / "run", resume=str(file), duration=4e-6, warmup_fake=9.0, warmup_sim=9.0
    )
    _, tensors = run(chosen)
    assert all(torch.equal(tensors[f"average/{n}"], value) for n, value in weights.items())


def test_sid_model_starts_the_generator(world, tmp_path):
    write_teacher(tmp_path / "other", seed=5)
    chosen = recipe(world, tmp_path / "run", sid_model=str(tmp_path / "other"), duration=4e-6)
    _, tensors = run(chosen)
    for name, value in load_denoiser(tmp_path / "other").state_dict().items():
        assert torch.equal(tensors[f"generator/{name}"], value)
