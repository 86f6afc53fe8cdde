"""The command line: from CIFAR-10's format to a distance, and what it says of missing files."""

import io
import json
import signal
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from edm_files import EDM
from tiny_run import write_data, write_teacher

from image_distill.__main__ import main
from image_distill.data import ImageDataset
from image_distill.prepare import EDMWriter
from image_distill.recipe import Recipe
from image_distill.state import read_state
from image_distill.teachers import load_denoiser
from uni3d import config_io

CONFIGS = Path(__file__).parents[2] / "configs" / "image"


def cifar10(path: Path, images: int = 4) -> Path:
    """An archive of the published form, with `images` random records per batch."""
    random = np.random.default_rng(0)
    with tarfile.open(path, "w:gz") as archive:
        for i in range(1, 6):
            records = random.integers(0, 256, (images, 3073), dtype=np.uint8)
            records[:, 0] = np.arange(images) * 2 % 10 + i % 2
            records[0, 0] = 9
            info = tarfile.TarInfo(f"cifar-10-batches-bin/data_batch_{i}.bin")
            info.size = records.nbytes
            archive.addfile(info, io.BytesIO(records.tobytes()))
    return path


class Brightness(torch.nn.Module):
    """A detector in the published one's form: mean and deviation per channel, six features."""

    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        x = x.float().flatten(2)
        return torch.cat([x.mean(2), x.std(2)], 1)


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "detector.pt"
    torch.jit.script(Brightness()).save(str(path))
    return path


def test_from_archive_and_pickle_to_a_distance(tmp_path, detector, capsys):
    def command(*arguments):
        assert main([str(a) for a in arguments]) == 0
        return capsys.readouterr().out

    archive = cifar10(tmp_path / "cifar-10-binary.tar.gz")
    command("prepare", "cifar10", archive, tmp_path / "c32.zip")
    command("prepare", "folder", tmp_path / "c32.zip", tmp_path / "c16.zip", "--resolution", 16)
    command("import", EDM / "song_cond.pkl", tmp_path / "teacher")
    command("statistics", tmp_path / "c16.zip", tmp_path / "ref.npz", "--detector", detector)
    out = command(
        "train",
        "--config",
        CONFIGS / "smoke.yaml",
        "--edm-model",
        tmp_path / "teacher",
        "--data",
        tmp_path / "c16.zip",
        "--outdir",
        tmp_path / "run",
        "--duration",
        "16e-6",
        "--batch",
        4,
        "--tick",
        0.008,
        "--warmup_fake",
        0.004,
        "--warmup_sim",
        0.008,
        "--metrics",
        "fid",
        "--metric_images",
        8,
        "--detector-url",
        detector,
        "--data_stat",
        tmp_path / "ref.npz",
    )
    assert out.count(" kimg ") == 2
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    last = load_denoiser(tmp_path / "run" / "last").state_dict()
    tensors, described = read_state(tmp_path / "run" / "checkpoint.safetensors")
    assert described["step"] == 4
    assert all(torch.equal(tensors[f"average/{name}"], value) for name, value in last.items())
    # What the log calls fid is what the command finds afterwards, and of the best snapshot.
    where = ["--num", 8, "--detector", detector, "--trials", 2]
    found = command("fid", tmp_path / "run" / "last", tmp_path / "ref.npz", *where).splitlines()
    first, second, summary = map(json.loads, found)
    assert first["seeds"] == "0-7" and second["seeds"] == "8-15"
    assert first["fid"] == pytest.approx(log[-1]["fid"], rel=1e-6)
    assert summary["fid_minimum"] == min(first["fid"], second["fid"])
    best = command("fid", tmp_path / "run" / "best", tmp_path / "ref.npz", *where).splitlines()
    assert json.loads(best[0])["fid"] == pytest.approx(min(r["fid"] for r in log if "fid" in r))
    command("generate", tmp_path / "run" / "last", tmp_path / "png", "--seeds", "0-2", "--class", 3)
    assert len(list((tmp_path / "png").glob("*.png"))) == 3


def test_the_distance_of_a_set_to_itself_is_zero(tmp_path, detector, capsys):
    data = write_data(tmp_path / "data.zip")
    assert main(["fid", str(data), str(data), "--detector", str(detector)]) == 0
    assert abs(json.loads(capsys.readouterr().out)["fid"]) < 1e-6


def _features(path: Path) -> np.ndarray:
    """What `Brightness` sees, by numpy: grey tripled, mean and deviation per channel."""
    dataset = ImageDataset(path)
    pixels = np.stack([(dataset[i][0].numpy() + 1) * 127.5 for i in range(len(dataset))])
    flat = np.repeat(pixels, 3, axis=1).reshape(len(pixels), 3, -1).astype(np.float64)
    return np.concatenate([flat.mean(2), flat.std(2, ddof=1)], 1)


def test_kid_and_precision_of_two_sets_of_files(tmp_path, detector, capsys):
    first = write_data(tmp_path / "first.zip", number=30)
    with EDMWriter(tmp_path / "second.zip") as writer:
        random = np.random.default_rng(1)
        for _ in range(30):  # darker, but near enough to meet the others
            writer.add(random.integers(0, 240, (8, 8), dtype=np.uint8), 0)
    paths = [str(tmp_path / "second.zip"), str(first), "--detector", str(detector)]
    fake, real = _features(tmp_path / "second.zip"), _features(first)

    assert main(["kid", *paths]) == 0
    kid = json.loads(capsys.readouterr().out)["kid"]
    # Sets of equal size: every subset is the whole set. The definition's own loops.
    everything, n = np.concatenate([real, fake]), len(real)
    kernel = np.array([[(a @ b / 6 + 1) ** 3 for b in everything] for a in everything])
    apart = 1 - np.eye(n)
    within = ((kernel[:n, :n] + kernel[n:, n:]) * apart).sum() / (n * (n - 1))
    assert kid == pytest.approx(within - 2 * kernel[:n, n:].mean(), rel=1e-4)

    assert main(["precision-recall", *paths]) == 0
    found = json.loads(capsys.readouterr().out)

    def share(of, among):
        """Of the points `of`: those within the third neighbour's distance of one of `among`."""
        inside = np.linalg.norm(among[:, None] - among[None], axis=2)
        radius = np.sort(inside, axis=1)[:, 3]
        return float((np.linalg.norm(of[:, None] - among[None], axis=2) <= radius).any(1).mean())

    assert found["precision"] == pytest.approx(share(fake, real), abs=1e-9)
    assert found["recall"] == pytest.approx(share(real, fake), abs=1e-9)


class Guess(torch.nn.Module):
    """Class probabilities in the published detector's form: dark, middle or bright."""

    def forward(self, x: torch.Tensor, no_output_bias: bool = False) -> torch.Tensor:
        mean = x.float().mean((1, 2, 3))
        return torch.stack([-mean / 8, 0 * mean - 16, mean / 8 - 32], 1).softmax(1)


def test_inception_score_of_files(tmp_path, capsys):
    data = write_data(tmp_path / "data.zip", number=40)
    torch.jit.script(Guess()).save(str(tmp_path / "guess.pt"))
    where = ["--detector", str(tmp_path / "guess.pt")]
    assert main(["inception-score", str(data), *where]) == 0
    found = json.loads(capsys.readouterr().out)
    mean = _features(data)[:, 0]
    logits = np.stack([-mean / 8, 0 * mean - 16, mean / 8 - 32], 1)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    scores = [np.exp((q * (np.log(q) - np.log(q.mean(0)))).sum(1).mean()) for q in np.split(p, 10)]
    assert found["inception_score"] == pytest.approx(np.mean(scores), rel=1e-4)
    assert found["std_over_splits"] == pytest.approx(np.std(scores), rel=1e-2, abs=1e-5)


@pytest.mark.parametrize("name", ["cifar10-uncond", "cifar10-cond", "imagenet64-cond"])
def test_dry_run_names_what_is_missing_and_how_to_get_it(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--config", str(CONFIGS / f"{name}.yaml"), "--dry-run"]) == 0
    out = capsys.readouterr().out
    recipe = config_io.load(Recipe, yaml.safe_load(out))  # the comments are YAML's
    assert recipe == config_io.load(Recipe, config_io.read_yaml(CONFIGS / f"{name}.yaml"))
    missing = [line for line in out.splitlines() if " is missing; do: " in line]
    assert [line.split()[1] for line in missing] == [
        "edm_model:",
        "data:",
        "data_stat:",
        "detector_url:",
    ]
    assert (
        f"image-distill import https://nvlabs-fi-cdn.nvidia.com/edm/pretrained/edm-{name.split('-')[0][:5]}"
        in missing[0]
    )
    assert "image-distill prepare " in missing[1]
    assert list(tmp_path.iterdir()) == []  # nothing was made, nothing fetched


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_is_valid(path):
    recipe = config_io.load(Recipe, config_io.read_yaml(path))
    assert recipe.total_images == pytest.approx(recipe.duration * 1e6, rel=0.01)


def test_flags_have_the_reference_s_spelling(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = (
        "--cond=1 --tmax=700 --init_sigma=2 --batch=64 --batch-gpu=8 --data=d.zip --outdir=o "
        "--divergence=Jeffrey-KL --arch=adm --edm_model=ffhq64 --detector_url=d.pt --tick=20 "
        "--snap=3 --dump=4 --lr=1e-6 --glr=2e-6 --fp16=1 --ls=2 --lsg=3 --lsd=4 --lsg_gan=5 "
        "--duration=6 --data_stat=s.npz --use_gan=1 --metrics=fid --save_best_and_last=0 "
        "--sid_model=m --variance_reduction=0 --dropout=0.1 --augment=0 --ema=2 --resume=r"
    )
    assert main(["train", "--dry-run", *flags.split()]) == 0
    got = yaml.safe_load(capsys.readouterr().out)
    for flag in flags.split():
        name, _, text = flag.removeprefix("--").partition("=")
        value = got[name.replace("-", "_")]
        assert value == text if isinstance(value, str) else float(value) == float(text), name


def test_mistakes_are_one_line(tmp_path, capsys):
    teacher = write_teacher(tmp_path / "teacher")
    for arguments, reason in (
        (["train", "bathc=3"], "bathc: got an unknown key"),
        (["train", "--use_gan", "0", "--divergence", "Forward-KL"], "without a density ratio"),
        (["generate", str(tmp_path), str(tmp_path / "o")], "network.json: cannot be read"),
        (["generate", str(teacher), str(tmp_path / "o"), "--class", "7"], "class: got 7"),
        (["fid", "a.zip", "b.zip", "--detector", "no.pt"], "no.pt: got no such file"),
    ):
        assert main(arguments) == 2
        err = capsys.readouterr().err
        assert reason in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["train", "train-teacher"])
def test_ctrl_c_ends_after_the_step_and_the_run_goes_on_exactly(
    tmp_path, monkeypatch, capsys, command
):
    data = write_data(tmp_path / "data.zip")
    flags = ["--data", data, "--cond", 1, "--batch", 4, "--duration", 40e-6, "--tick", 1]
    resume = ["--resume", 1]
    if command == "train":
        flags += [
            "--edm_model",
            write_teacher(tmp_path / "teacher"),
            "--divergence",
            "forward-kl",
            "--warmup_fake",
            0,
            "--warmup_sim",
            0.008,
        ]
        resume = ["--resume", tmp_path / "cut"]
    else:
        flags += ["--model_channels", 16, "--channel_mult", "[1]", "--attn_resolutions", "[]"]

    def run(*more):
        return main([command, *map(str, [*flags, *more])])

    assert run("--outdir", tmp_path / "whole") == 0
    step, calls, before = torch.optim.Adam.step, [], signal.getsignal(signal.SIGINT)

    def interrupt(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", interrupt)
    assert run("--outdir", tmp_path / "cut") == 130
    said = capsys.readouterr()
    assert "what exists is kept; go on with: " in said.out and "interrupted" in said.err
    tensors, described = read_state(tmp_path / "cut" / "checkpoint.safetensors")
    assert described["step"] == (3 if command == "train" else 5)
    assert signal.getsignal(signal.SIGINT) == before
    if command == "train":
        last = load_denoiser(tmp_path / "cut" / "last").state_dict()
        assert all(torch.equal(tensors[f"average/{name}"], last[name]) for name in last)

    assert run("--outdir", tmp_path / "cut", *resume) == 0
    tensors, expected = (
        read_state(tmp_path / run / "checkpoint.safetensors")[0] for run in ("cut", "whole")
    )
    assert tensors.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(tensors[name], expected[name])] == []


def test_a_teacher_learns_and_its_resume_is_exact(tmp_path, capsys):
    from image_distill.edm import TeacherRecipe, train

    data = write_data(tmp_path / "data.zip")
    assert ImageDataset(data).label_dim == 3

    def teach(name, **changes):
        keys = dict(
            data=str(data),
            outdir=str(tmp_path / name),
            cond=True,
            model_channels=16,
            channel_mult=(1,),
            num_blocks=1,
            attn_resolutions=(),
            dropout=0.1,
            batch=16,
            lr=3e-3,
            duration=640e-6,
            tick=0.16,
            dump=1,
            warmup=0.016,
            decay=False,
        )
        records = list(train(TeacherRecipe(**(keys | changes))))
        return records, read_state(tmp_path / name / "checkpoint.safetensors")[0]

    records, whole = teach("whole")
    # Pixels are uniform noise: sigma_data^2 / 3 more is what no network can foresee; it begins at
    # about 1 / 0.25 of the data's second moment, and learns at least their mean and scale.
    assert records[-1].loss < records[0].loss
    teach("cut", duration=320e-6)
    _, tensors = teach("cut", resume=True)
    assert [n for n in whole if not torch.equal(tensors[n], whole[n])] == []
    network = load_denoiser(tmp_path / "whole" / "network").state_dict()
    assert all(torch.equal(whole[f"average/{n}"], value) for n, value in network.items())
