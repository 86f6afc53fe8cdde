"""Where a teacher is looked for: the hub's cache laid out by hand, no network, and what is said."""

import json
import shutil

import huggingface_hub
import pytest
from huggingface_hub import constants
from tiny import tiny_teacher

from uni3d.errors import TeacherError
from uni3d.storage.cache import cache_folder
from uni3d.teacher.hub import CHAINS, SHIPPED, find_folder, wanted_files

FILES = (
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "scheduler/x_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/vocab.json",
)
INDEX = {name: ["library", "Class"] for name in ("unet", "scheduler", "text_encoder", "tokenizer")}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def no_network(*_, **__):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", no_network)
    return tmp_path


def _lay_out(cache, name, commit, revision="main", files=FILES):
    base = cache / f"models--{name.replace('/', '--')}"
    (base / "refs").mkdir(parents=True, exist_ok=True)
    (base / "refs" / revision).write_text(commit)
    folder = base / "snapshots" / commit
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("{}")
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    return folder


def test_what_is_cached_needs_no_network(cache):
    commit = "a" * 40
    folder = _lay_out(cache, "someone/tiny", commit)
    found = find_folder("someone/tiny")
    assert (found.name, found.folder, found.revision) == ("someone/tiny", folder, commit)
    assert found.how == "revision aaaaaaaa, from the cache"
    assert find_folder("someone/tiny", commit).folder == folder  # as a run that is resumed asks


def test_revisions_are_told_apart(cache):
    _lay_out(cache, "someone/tiny", "a" * 40)
    other = _lay_out(cache, "someone/tiny", "b" * 40, revision="fp16")
    assert find_folder("someone/tiny", "fp16").folder == other
    with pytest.raises(TeacherError, match="no network") as caught:
        find_folder("someone/tiny", "v9")
    assert "hf download someone/tiny --revision v9" in str(caught.value)


def test_the_chain_takes_the_first_that_is_there(cache):
    second = _lay_out(cache, CHAINS["sd"][1], "c" * 40)
    found = find_folder("sd")
    assert (found.name, found.folder) == (CHAINS["sd"][1], second)
    first = _lay_out(cache, CHAINS["sd"][0], "d" * 40)
    assert find_folder("sd").folder == first
    shutil.rmtree(first / "text_encoder")  # half a download is none
    assert find_folder("sd").folder == second


def test_a_run_remembers_which_teacher_it_had(cache, tmp_path_factory, monkeypatch):
    """The chain's first id turns up, and the branch moves on, while the run is interrupted."""
    from tiny import tiny_run

    from uni3d import config_io
    from uni3d.run import real_samples
    from uni3d.run import run as pipeline
    from uni3d.run.settings import RunConfig

    monkeypatch.setattr(real_samples, "BINS", 2)
    had, run = CHAINS["sd"][1], tmp_path_factory.mktemp("run")
    made = tmp_path_factory.mktemp("teacher")
    tiny_teacher(made)
    names = [str(p.relative_to(made)) for p in made.rglob("*") if p.is_file()]
    for commit, after in (("c" * 40, 1), ("d" * 40, 2)):
        folder = _lay_out(cache, had, commit)
        shutil.rmtree(folder)
        shutil.copytree(made, folder)
        if after == 2:
            _lay_out(cache, CHAINS["sd"][0], "e" * 40, files=names)
            told = config_io.load(RunConfig, config_io.read_yaml(run / "config.yaml"))
            assert (told.teacher.name, told.teacher.revision) == (had, "c" * 40)
            stepper = pipeline.Run(told, run, resume=True)
        else:
            stepper = pipeline.Run(tiny_run("sd", steps=2, checkpoint_every=1), run)
        stepper.prepare()
        for record in stepper.steps():
            if record.step == after:
                break
        assert "revision cccccccc" in stepper.parts.teacher.origin


def test_without_network_and_cache_one_line_says_what_to_do(cache, monkeypatch):
    for offline, reason in ((False, "no network (ConnectionError)"), (True, "HF_HUB_OFFLINE is")):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        with pytest.raises(TeacherError) as caught:
            find_folder("sd")
        line = str(caught.value)
        assert "\n" not in line and reason in line and str(cache) in line
        assert f"hf download {CHAINS['sd'][0]}" in line
        assert "use --teacher toybox, which needs no download" in line
        assert line.count("no network") <= 1  # the others are not tried


def test_a_dead_id_gives_way_to_the_next(cache, monkeypatch):
    commit = "e" * 40

    class Info:
        sha = commit
        siblings = [type("S", (), {"rfilename": f})() for f in (*FILES, "README.md", "big.ckpt")]  # noqa: RUF012

    class RepositoryNotFoundError(Exception):
        pass

    def model_info(_, name, revision=None):
        if name == CHAINS["sd"][0]:
            raise RepositoryNotFoundError("401")
        return Info

    asked = []

    def download(name, revision, allow_patterns):
        asked.append((name, revision, sorted(allow_patterns)))
        return str(_lay_out(cache, name, commit))

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    found = find_folder("sd")
    assert found.name == CHAINS["sd"][1] and found.how == "revision eeeeeeee, downloaded"
    assert asked == [(found.name, commit, sorted([*FILES, "model_index.json"]))]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("toybix", "is not known; wanted toybox, sd, sdxl, if, a hub id"),
        ("/nowhere/at/all", "no model_index.json there"),
        ("./nowhere", "no model_index.json there"),
        ("a/b/c", "is not known"),
    ],
)
def test_other_names_are_refused_in_one_line(name, part):
    with pytest.raises(TeacherError) as caught:
        find_folder(name)
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_toybox_is_always_there():
    assert find_folder("toybox").folder == SHIPPED["toybox"]


# Listings in the forms that published repositories have.
SD = [
    "model_index.json",
    "README.md",
    "v1-5-pruned.ckpt",
    "scheduler/scheduler_config.json",
    "safety_checker/model.safetensors",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder/pytorch_model.bin",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.bin",
    "vae/diffusion_pytorch_model.fp16.safetensors",
]
SHARDS = [
    "text_encoder/config.json",
    "text_encoder/model-00001-of-00002.safetensors",
    "text_encoder/model-00002-of-00002.safetensors",
    "text_encoder/model.safetensors.index.json",
    "text_encoder/model.fp16-00001-of-00002.safetensors",
    "tokenizer/spiece.model",
    "text_encoder/model.safetensors.index.fp16.json",
    "unet/diffusion_pytorch_model.safetensors",
]


def test_only_what_is_read_is_wanted():
    plain = wanted_files(SD)
    assert [f for f in plain if f.endswith((".safetensors", ".bin"))] == [
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.bin",
        "text_encoder/model.safetensors",
    ]
    assert "tokenizer/merges.txt" in plain and "scheduler/scheduler_config.json" in plain
    half = wanted_files(SD, "fp16")
    assert [f for f in half if f.endswith((".safetensors", ".bin"))] == [
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16.safetensors",
    ]
    assert set(wanted_files(SHARDS)) == {"model_index.json", *SHARDS[:4], SHARDS[5], SHARDS[7]}
    with pytest.raises(TeacherError, match="unet: there are no weights of variant 'fp16'"):
        wanted_files(SHARDS, "fp16")
    assert cache_folder().name == "uni3d-cache"
