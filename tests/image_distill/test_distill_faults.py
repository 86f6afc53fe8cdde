"""What people have on their disks and type by mistake: nothing made is lost, nothing passes
silently, and every refusal is one line."""

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from folders import contents
from PIL import Image
from tiny_run import recipe, run, write_data, write_teacher

from image_distill.__main__ import main
from image_distill.data import ImageStore
from image_distill.edm import TeacherRecipe
from image_distill.gang import assemble
from image_distill.prepare import prepare
from image_distill.recipe import Recipe
from image_distill.state import read_state
from image_distill.teachers import load_denoiser
from image_distill.train import train
from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError, NonFiniteError
from uni3d.storage.lock import held


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_teacher(folder / "teacher")
    write_data(folder / "data.zip")
    return folder


@pytest.fixture(scope="module")
def half(world, tmp_path_factory):
    """A run of 4 steps, of which others are copies."""
    folder = tmp_path_factory.mktemp("half") / "p"
    run(recipe(world, folder, duration=16e-6))
    return folder


def one_line(capsys) -> str:
    said = capsys.readouterr().err
    assert said.startswith("image-distill: error: ") and said.count("\n") == 1, said
    return said


def test_a_copied_run_goes_on_in_its_own_folder(half, tmp_path):
    own = tmp_path / "q"
    shutil.copytree(half, own)
    before = contents(half)
    assert main(["train", "--resume", str(own), "--duration", "24e-6"]) == 0
    assert contents(half) == before
    assert read_state(own / "checkpoint.safetensors")[1]["step"] == 6
    other = tmp_path / "r"
    assert main(["train", "--resume", str(own), "--outdir", str(other), "--duration=28e-6"]) == 0
    assert read_state(other / "checkpoint.safetensors")[1]["step"] == 7
    assert read_state(own / "checkpoint.safetensors")[1]["step"] == 6


@pytest.mark.parametrize("name", ["", "checkpoint.safetensors", "recipe.yaml"])
def test_a_run_is_resumed_by_its_folder_or_a_file_in_it(half, tmp_path, name):
    own = shutil.copytree(half, tmp_path / "q")
    assert main(["train", "--resume", str(own / name), "--duration", "20e-6"]) == 0
    assert read_state(own / "checkpoint.safetensors")[1]["step"] == 5


@pytest.mark.parametrize("text", ["", "typo", "empty"])
def test_a_resume_of_nothing_says_so(text, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["train", "--resume", text]) == 2
    assert one_line(capsys).startswith(f"image-distill: error: resume: got {text!r}")


def test_folders_of_others_are_refused_untouched(world, half, tmp_path, capsys):
    mine, other = tmp_path / "mine", shutil.copytree(half, tmp_path / "other")
    mine.mkdir()
    for name in ("recipe.yaml", "checkpoint.safetensors"):
        (mine / name).write_text("years of work")
    before = contents(tmp_path)
    new = ["--config", str(half / "recipe.yaml")]
    for words in (
        [*new, "--outdir", str(mine)],
        [*new, "--outdir", str(other)],
        [*new, "--outdir", ""],
        ["--resume", str(half), "--duration=24e-6", "--outdir", str(other)],
    ):
        assert main(["train", *words]) == 2
        one_line(capsys)
    assert contents(tmp_path) == before


def test_what_is_there_is_replaced_only_when_asked(world, tmp_path, capsys):
    data = shutil.copy(world / "data.zip", tmp_path / "data.zip")
    out, pictures = tmp_path / "o.zip", tmp_path / "pictures"
    out.write_bytes(b"mine")
    pictures.mkdir()
    (pictures / "000000.png").write_bytes(b"mine")
    before = contents(tmp_path)
    network = str(world / "teacher")
    for words in (
        ["prepare", "folder", str(data), str(out)],
        ["prepare", "folder", str(data), str(data), "--overwrite"],
        ["generate", network, str(pictures), "--seeds=0"],
        ["generate", network, str(out), "--seeds=0"],
        ["statistics", str(data), str(out)],
    ):
        assert main(words) == 2
        one_line(capsys)
    assert contents(tmp_path) == before
    assert main(["prepare", "folder", str(data), str(out), "--overwrite"]) == 0
    assert main(["generate", network, str(pictures), "--seeds=0", "--overwrite"]) == 0
    assert ImageStore(out).images and (pictures / "000000.png").read_bytes() != b"mine"


def test_one_process_writes_a_run(world, half, tmp_path, capsys):
    own = shutil.copytree(half, tmp_path / "q")
    before = contents(own)
    with held(own):
        assert main(["train", "--resume", str(own), "--duration", "24e-6"]) == 2
    assert "another process" in one_line(capsys) and contents(own) == before
    assert main(["train", "--resume", str(own), "--duration", "24e-6"]) == 0


def test_a_state_that_is_not_finite_is_never_saved(world, tmp_path):
    chosen = recipe(world, tmp_path / "run", tick=0.004)
    steps = train(chosen)
    for _ in range(3):
        next(steps)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    last = contents(tmp_path / "run" / "last")
    players = steps.gi_frame.f_locals["players"]
    next(players.average.parameters()).data.view(-1)[0] = float("nan")
    with pytest.raises(NonFiniteError, match="not finite"):
        for _ in steps:
            pass
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before
    assert contents(tmp_path / "run" / "last") == last


def test_relative_paths_are_stored_resolved(world, tmp_path, monkeypatch):
    monkeypatch.chdir(world)
    chosen = recipe(world, tmp_path / "run", edm_model="teacher", data="data.zip", duration=8e-6)
    list(train(chosen))
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--resume", "run", "--duration", "16e-6"]) == 0
    stored = config_io.read_yaml(tmp_path / "run" / "recipe.yaml")
    assert stored["edm_model"] == str(world / "teacher")


def test_sigterm_ends_after_the_step_and_saves(world, tmp_path):
    chosen = recipe(world, tmp_path / "run", tick=0.004)
    with assemble() as gang:
        for progress in train(chosen, gang):
            if progress.step == 3:
                signal.raise_signal(signal.SIGTERM)
    assert read_state(tmp_path / "run" / "checkpoint.safetensors")[1]["step"] == 4


def test_files_have_the_rights_of_the_umask(world, half):
    paths = [half / "checkpoint.safetensors", *(world / "teacher").iterdir()]
    assert {stat.S_IMODE(p.stat().st_mode) for p in paths} == {stat.S_IMODE(umask_mode(half))}


def umask_mode(folder: Path) -> int:
    probe = folder.parent / "probe"
    probe.touch()
    return probe.stat().st_mode


def test_a_damaged_log_costs_only_its_damaged_lines(half, tmp_path):
    own = tmp_path / "q"
    shutil.copytree(half, own)
    log = own / "log.jsonl"
    good = log.read_bytes()
    log.write_bytes(b'{"kimg": "x"}\n{broken}\n\xff\xfe\n[1]\n' + good)
    assert main(["train", "--resume", str(own), "--duration", "24e-6"]) == 0
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == sorted(set(steps)) and steps[-1] == 6


def save(folder: Path, name: str, pixels: np.ndarray, mode: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels, mode).save(folder / name)


def pixels_of(source: Path, out: Path) -> list[np.ndarray]:
    prepare("folder", source, out)
    store = ImageStore(out)
    return [store.read_image(name) for name in store.images]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled(tmp_path, suffix):
    ramp = np.linspace(0, 65535, 64).reshape(8, 8).round().astype(np.uint16)
    save(tmp_path / "in", f"a.{suffix}", ramp)
    (got,) = pixels_of(tmp_path / "in", tmp_path / "o.zip")
    assert np.array_equal(got[0], (ramp / 65535 * 255).round().astype(np.uint8))


def test_what_alpha_hides_stays_hidden(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4] = (255, 0, 0, 0)
    rgba[4:] = (0, 0, 200, 255)
    save(tmp_path / "in", "a.png", rgba)
    (got,) = pixels_of(tmp_path / "in", tmp_path / "o.zip")
    assert np.array_equal(got[:, 0, 0], [255] * 3) and np.array_equal(got[:, 7, 0], [0, 0, 200])


def test_one_grey_among_colours_is_made_rgb(tmp_path):
    save(tmp_path / "in", "a.png", np.full((8, 8), 77, np.uint8))
    save(tmp_path / "in", "b.png", np.full((8, 8, 3), (1, 2, 3), np.uint8))
    grey, colour = pixels_of(tmp_path / "in", tmp_path / "o.zip")
    assert np.array_equal(grey[:, 0, 0], [77] * 3) and np.array_equal(colour[:, 0, 0], [1, 2, 3])


def test_a_photo_is_upright_and_alone_in_its_file(tmp_path, capsys):
    photos, sheets = tmp_path / "photos", tmp_path / "sheets"
    photos.mkdir(), sheets.mkdir()
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, :8] = 200  # bright on the left
    turned = Image.Exif()
    turned[0x112] = 6  # to be shown turned right by 90 degrees: bright at the top
    Image.fromarray(pixels).save(photos / "a.jpg", exif=turned, quality=95)
    (photos / "b.gif").write_bytes(b"")
    (photos / ".DS_Store").write_bytes(b"")
    assert main(["prepare", "folder", str(photos), str(tmp_path / "o.zip")]) == 0
    assert capsys.readouterr().err == "left out, no images of a known kind: b.gif\n"
    store = ImageStore(tmp_path / "o.zip")
    (image,) = store.read_image(store.images[0])
    assert image[:6].mean() > 190 and image[10:].mean() < 10
    page = Image.fromarray(pixels)
    page.save(sheets / "a.tif", save_all=True, append_images=[page])
    assert main(["prepare", "folder", str(sheets), str(tmp_path / "p.zip")]) == 2
    assert "2 pictures in one file" in one_line(capsys)


def test_a_name_of_a_zip_may_be_no_name(tmp_path):
    path = write_data(tmp_path / "d.zip", number=1)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(".", b"x")
    assert len(ImageStore(path).images) == 1 and ImageStore(path).left_out == []


def test_what_macos_adds_is_no_image(tmp_path):
    save(tmp_path / "in", "a.png", np.zeros((8, 8), np.uint8))
    (tmp_path / "in" / "._a.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "in" / "__MACOSX").mkdir()
    (tmp_path / "in" / "__MACOSX" / "b.png").write_bytes(b"\0\5\x16\7")
    assert len(pixels_of(tmp_path / "in", tmp_path / "o.zip")) == 1


def png(size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (size, size)).save(buffer, "png")
    return buffer.getvalue()


def zip_with(path: Path, patch: tuple[int, bytes] | None = None, name: str = "a.png") -> Path:
    """A zip of one picture; `patch` overwrites bytes at a place of local and central header."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, png())
    if patch:
        data = bytearray(path.read_bytes())
        central = data.index(b"PK\1\2")
        place, new = patch
        data[place : place + 2] = new
        data[central + 2 + place : central + 4 + place] = new
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["folder", "imagenet64"])
@pytest.mark.parametrize("patch", [(6, b"\1\0"), (8, b"\x09\0")], ids=["encrypted", "deflate64"])
def test_zips_that_python_cannot_read_are_one_line(tmp_path, capsys, kind, patch):
    source = zip_with(tmp_path / "in.zip", patch, "n01440764/a.png")
    assert main(["prepare", kind, str(source), str(tmp_path / "o.zip")]) == 2
    one_line(capsys)
    assert not (tmp_path / "o.zip").exists()


def test_a_decompression_bomb_is_one_line(tmp_path, capsys):
    Image.new("1", (30000, 30000)).save(tmp_path / "a.png")
    (tmp_path / "in").mkdir()
    shutil.move(tmp_path / "a.png", tmp_path / "in" / "a.png")
    assert main(["prepare", "folder", str(tmp_path / "in"), str(tmp_path / "o.zip")]) == 2
    assert "usual size" in one_line(capsys)


def test_targets_that_cannot_be_written_are_one_line(world, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    below = tmp_path / "file" / "o"
    data, teacher = str(world / "data.zip"), str(world / "teacher")
    for command in (
        ["prepare", "folder", data, f"{below}.zip"],
        ["generate", teacher, str(below), "--seeds", "0"],
        ["generate", teacher, str(tmp_path / "file"), "--seeds", "0"],
        ["train", f"--edm_model={teacher}", f"--data={data}", "--cond=1", f"--outdir={below}"],
    ):
        assert main(command) == 2
        one_line(capsys)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("kind", [Recipe, TeacherRecipe])
def test_every_number_of_a_recipe_has_a_range(kind):
    right = {"data": "d"} if kind is TeacherRecipe else {"divergence": "forward-kl"}
    plain = config_io.to_dict(config_io.load(kind, right))
    named = {n for n, v in plain.items() if type(v) in (int, float)} | {"batch_gpu"}
    assert len(named) > 10
    for name in named:
        for bad in (-1, 10**19):
            with pytest.raises(ConfigError, match=f"^{name}: got "):
                config_io.load(kind, {**right, name: bad})


def test_no_number_of_a_recipe_may_be_infinite():
    plain = config_io.to_dict(Recipe(divergence="forward-kl"))
    floats = [name for name, value in plain.items() if isinstance(value, float)]
    assert len(floats) > 10
    for name in floats:
        for bad in (float("nan"), float("inf"), "1e999", 10**400):
            with pytest.raises(ConfigError, match=f"^{name}: .*finite"):
                config_io.load(Recipe, {name: bad})


def test_weights_that_are_not_finite_are_refused(world, tmp_path):
    own = shutil.copytree(world / "teacher", tmp_path / "t")
    path = own / "network.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-4:] = b"\xff" * 4  # NaN
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="not finite"):
        load_denoiser(own)


def test_what_others_have_is_kept_by_every_command_that_writes(world, tmp_path, capsys):
    (tmp_path / "network.json").write_text("mine")
    (tmp_path / "picture.png").write_bytes(b"mine")
    before = contents(tmp_path)
    out = str(tmp_path)
    for words in (
        ["import", "network.pkl", out],
        ["toy2d", "--steps=1", "--figure", f"{out}/picture.png"],
        ["compare", out, "--out", f"{out}/picture.png"],
        ["export", str(world / "teacher"), out],
        ["export", str(world / "teacher"), out, "--overwrite"],
        ["fashion-mnist", out],
        ["train-teacher", f"--outdir={out}", f"--data={world / 'data.zip'}", "--cond=1"],
    ):
        assert main(words) == 2, words
        one_line(capsys)
        assert contents(tmp_path) == before


def test_a_terminal_of_few_letters_costs_no_run(world, tmp_path):
    words = ["prepare", "folder", str(world / "data.zip"), str(tmp_path / "bär.zip")]
    command = [sys.executable, "-m", "image_distill", *words]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True
    )
    assert done.returncode == 0 and "b\\xe4r.zip" in done.stdout, done.stderr
    assert (tmp_path / "bär.zip").is_file()
