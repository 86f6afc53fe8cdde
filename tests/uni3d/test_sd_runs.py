"""Whole runs with tiny pipelines of every family: to a mesh, gradients, errors, resuming."""

import json
import os
import shutil

import pytest
import torch
import yaml
from closeness import assert_close_report
from families import FAMILIES, save_family
from test_scene_gradient import _Recorded, check_slopes
from tiny import TINY, tiny_run

from uni3d.cli import main
from uni3d.run import finish, real_samples
from uni3d.run import run as pipeline
from uni3d.run.folder import CHECKPOINT, write_config
from uni3d.run.run import Run
from uni3d.run.settings import RunConfig
from uni3d.storage.checkpoint import load

METHODS = {"sds": [], "vsd": [], "uni-instruct": ["--divergence", "forward-kl"]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("families")
    return {name: save_family(name, base / name) for name in FAMILIES}


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch):
    monkeypatch.setattr(real_samples, "BINS", 2)
    for name, value in (("TURNTABLE_FRAMES", 4), ("TURNTABLE_SIZE", 32), ("SHEET_SIZE", 32)):
        monkeypatch.setattr(finish, name, value)


def _arguments(folder, out, method="sds", steps=6):
    settings = out.parent / "settings.yaml"
    settings.write_text(yaml.safe_dump(TINY))
    return [
        "a red chair",
        "--teacher",
        str(folder),
        "--method",
        method,
        *METHODS[method],
        "--steps",
        str(steps),
        "--config",
        str(settings),
        "--out",
        str(out),
    ]


# One method of each family by default; all of them, slowly.
PAIRS = [
    pytest.param(f, m, marks=[] if i % 3 == j else [pytest.mark.slow])
    for i, f in enumerate(FAMILIES)
    for j, m in enumerate(METHODS)
]


@pytest.mark.parametrize(("family", "method"), PAIRS)
def test_a_prompt_becomes_a_mesh(folders, tmp_path, capsys, family, method):
    import trimesh

    run = tmp_path / "run"
    assert main(_arguments(folders[family], run, method)) == 0
    assert f"teacher {folders[family]} (local folder)" in capsys.readouterr().err
    mesh = trimesh.load(run / "mesh.ply")
    assert len(mesh.faces) > 50 and mesh.volume > 0.01
    assert json.loads((run / "report.json").read_text())["steps_done"] == 6
    tensors, _ = load(run / CHECKPOINT)
    assert all(bool(t.isfinite().all()) for t in tensors.values())
    adapter = [t for name, t in tensors.items() if name.startswith("fake/adapter/")]
    assert (len(adapter) > 0) == (method != "sds")
    assert (run / "metrics.jsonl").read_text().count("opacity") == 6


class _Latent(_Recorded):
    """x0 by the autoencoder, called by hand."""

    @staticmethod
    def judged(log_ratio):
        """In place of an untrained discriminator, which finds the two views alike."""
        return torch.tensor([0.5, -0.5])

    def latents(self, images):
        vae = self.parts.teacher.codec.vae
        return vae.encode(images * 2 - 1).latent_dist.mean * vae.config.scaling_factor


@pytest.mark.parametrize(
    ("family", "method", "divergence"),
    [
        ("sd1", "sds", "reverse-kl"),
        ("sd2", "vsd", "reverse-kl"),
        ("sdxl", "sim", "reverse-kl"),
        ("sd2", "uni-instruct", "forward-kl"),
    ],
)
def test_gradient_through_render_vae_and_unets(folders, monkeypatch, family, method, divergence):
    chosen = {} if method != "uni-instruct" else {"divergence": divergence}
    step = _Latent(tiny_run(folders[family], method=method, **chosen), monkeypatch)
    form = "integral" if method in ("sds", "vsd") else "paper"
    check_slopes(step, divergence, form)


def _table_gradient(folder, monkeypatch, **changes):
    step = _Recorded(tiny_run(folder, **changes), monkeypatch)
    return step.parts.scene.field.table.grad.clone()


def test_detached_networks_leave_the_gradient_of_vsd(folders, monkeypatch):
    """What the option's documentation says is left of a sim term."""
    detached = {"guidance": TINY["guidance"] | {"detach_networks": True}}
    with monkeypatch.context() as m:
        vsd = _table_gradient(folders["sd1"], m, method="vsd")
    with monkeypatch.context() as m:
        sim = _table_gradient(folders["sd1"], m, method="sim")
    with monkeypatch.context() as m:
        left = _table_gradient(folders["sd1"], m, method="sim", **detached)
    assert_close_report(left, vsd, rtol=1e-4)
    assert float((sim - vsd).norm()) > 0.05 * float(vsd.norm())


def test_profiles_change_costs_and_not_the_gradient(folders, monkeypatch):
    with monkeypatch.context() as m:
        full = _table_gradient(folders["sd1"], m, method="sim", memory="full")
    with monkeypatch.context() as m:
        frugal = _table_gradient(folders["sd1"], m, method="sim", memory="6GB")
    assert_close_report(frugal, full, rtol=1e-3)


def test_cached_texts_and_samples_are_used_again_and_change_nothing(folders, tmp_path, monkeypatch):
    from uni3d.teacher.model import Teacher
    from uni3d.teacher.texts import TextReader

    monkeypatch.setenv("UNI3D_CACHE", str(tmp_path / "cache"))
    config = tiny_run(folders["sdxl"], steps=1, divergence="forward-kl")
    calls = []
    for method, kind in ((TextReader.__call__, TextReader), (Teacher.sample, Teacher)):

        def counted(*args, _method=method, _kind=kind, **kwargs):
            calls.append(_kind.__name__)
            return _method(*args, **kwargs)

        monkeypatch.setattr(kind, method.__name__, counted)
    cold = pipeline.prepare_parts(config)
    assert calls == ["TextReader", "Teacher", "Teacher"]
    assert cold.teacher.encode_text._loaded == []  # the encoders are freed
    warm = pipeline.prepare_parts(config)
    assert len(calls) == 3
    assert torch.equal(warm.real, cold.real) and torch.equal(warm.prompts.views, cold.prompts.views)
    other = tiny_run(folders["sdxl"], steps=1, divergence="forward-kl", prompt="a dog")
    pipeline.prepare_parts(other)
    assert len(calls) == 6  # another prompt, other samples
    for path in (tmp_path / "cache").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    again = pipeline.prepare_parts(config)
    assert len(calls) == 9 and torch.equal(again.real, cold.real)


def test_view_prompts_may_be_overridden_one_by_one(folders):
    own = tiny_run(folders["sd1"], prompts={"view_prompts": ["", "", "a red back", ""]}, prompt="q")
    usual = tiny_run(folders["sd1"], prompt="q")
    mine, theirs = (pipeline.prepare_parts(c).prompts.views for c in (own, usual))
    same = [bool(torch.equal(a, b)) for a, b in zip(mine, theirs, strict=True)]
    assert same == [True, True, False, True]


# Errors: one line each, and a run folder that is as it was.


def _lines(capsys):
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return [line for line in err.splitlines() if line.startswith("uni3d: error")]


def test_out_of_memory_is_one_line_and_the_run_goes_on(folders, tmp_path, monkeypatch, capsys):
    whole, run = tmp_path / "whole", tmp_path / "run"
    monkeypatch.setattr(finish, "export_run", lambda *_: iter(()))
    assert main(_arguments(folders["sd1"], whole, "vsd")) == 0
    step = pipeline.take_step

    def short(parts, number):
        if number == 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return step(parts, number)

    with monkeypatch.context() as m:
        m.setattr(pipeline, "take_step", short)
        assert main(_arguments(folders["sd1"], run, "vsd")) == 2
    (line,) = _lines(capsys)
    assert "out of memory in step 5; do: set memory: 6GB in" in line
    assert f"uni3d resume {run}" in line
    assert load(run / CHECKPOINT)[1]["step"] == 3
    assert main(["resume", str(run)]) == 0
    assert (run / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()


def test_other_runtime_errors_are_not_called_out_of_memory(folders, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(pipeline, "take_step", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run = Run(tiny_run(folders["sd1"]), tmp_path)
        run.prepare()
        list(run.steps())


class _Evil:
    def __reduce__(self):
        return (os.system, (f"touch {os.environ['UNI3D_EVIL']}",))


def _only_pickle(folder, payload):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(payload, path.with_suffix(".bin"))
    path.unlink()


def _truncate(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def _lose_a_weight(folder):
    from safetensors.torch import load_file, save_file

    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["encoder.conv_in.weight"]
    save_file(tensors, path)


DAMAGE = {
    "truncated": (_truncate, [], "unet: cannot be loaded"),
    "no weights": (
        lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").unlink(),
        [],
        "unet: cannot be loaded",
    ),
    "a weight missing": (_lose_a_weight, [], "vae: 1 weights are missing from its file"),
    "no scheduler": (lambda f: shutil.rmtree(f / "scheduler"), [], "scheduler: there is no such"),
    "no text encoder": (
        lambda f: shutil.rmtree(f / "text_encoder"),
        [],
        "text_encoder: is missing",
    ),
    "bad index": (lambda f: (f / "model_index.json").write_text("{"), [], "model_index.json"),
    "evil pickle": (lambda f: _only_pickle(f, {"a": _Evil()}), [], "unet: cannot be loaded"),
    "revision of a folder": (lambda f: None, ["--revision", "v9"], "has no revisions"),
    "no such variant": (lambda f: None, ["--variant", "fp16"], "has no weights of variant"),
    "long text": (lambda f: None, ["--negative-prompt", "q " * 80], "wanted at most 77"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_teacher_is_one_line(folders, tmp_path, monkeypatch, capsys, kind):
    damage, more, part = DAMAGE[kind]
    monkeypatch.setenv("UNI3D_EVIL", str(tmp_path / "evil"))
    folder, run = tmp_path / "teacher", tmp_path / "run"
    shutil.copytree(folders["sd1"], folder)
    damage(folder)
    run.mkdir()
    write_config(RunConfig(prompt="old"), run)
    for name in (CHECKPOINT, "report.json", "metrics.jsonl"):
        (run / name).write_text("old")  # a run, if a damaged one
    before = {p.name: p.read_text() for p in run.iterdir()}
    assert main([*_arguments(folder, run), "--overwrite", *more]) == 2
    (line,) = _lines(capsys)
    assert part in line and len(line) < 700
    kept = {p.name: p.read_text() for p in run.iterdir() if not p.name.startswith(".")}
    assert kept == before  # but for its lock
    assert not (tmp_path / "evil").exists()


def test_a_pickle_of_tensors_alone_is_read(folders, tmp_path):
    from safetensors.torch import load_file

    from uni3d.teacher.model import load_teacher

    folder = tmp_path / "teacher"
    shutil.copytree(folders["sd1"], folder)
    weights = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    _only_pickle(folder, weights)
    unet = load_teacher(str(folder)).unet
    assert torch.equal(unet.conv_in.weight, weights["conv_in.weight"])
