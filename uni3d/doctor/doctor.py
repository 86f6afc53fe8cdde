"""`uni3d doctor`: what will run on this machine, how long it will take, and why."""

from collections.abc import Iterator

import torch

from uni3d.doctor.planner import estimate, flops_per_second, shapes_of
from uni3d.run.settings import RunConfig
from uni3d.scene.backends import probe_cuda_backend
from uni3d.teacher.memory import PROFILES, choose_profile, free_bytes
from uni3d.teacher.model import place

__all__ = ["examine"]

# Networks reach about this share of the speed of a large matrix product.
EFFICIENCY = 0.5


def examine(config: RunConfig) -> Iterator[str]:
    """Lines for the reader about a run of `config` here. Nothing is downloaded.

    Raises TeacherError when neither this machine nor the published settings know the teacher.
    """
    wanted, method = config.teacher, config.resolved_method()
    device, dtype = place(wanted)
    shapes = shapes_of(wanted.name, wanted.revision, wanted.variant)
    free, speed = free_bytes(device), flops_per_second(device, dtype)
    network_gradients = method.network_gradients and not config.guidance.detach_networks
    fake = config.fake_score if method.learned_fake_score else None
    size = max(size for _, size in config.resolutions)

    yield f"teacher   {shapes.name} ({shapes.source})"
    rows, first = [], None
    for name, profile in PROFILES.items():
        costs = estimate(
            shapes,
            fake,
            profile,
            batch=config.views,
            network_gradients=network_gradients,
            dtype=dtype,
            size=size,
        )
        first = first or costs
        seconds = costs.step_flops / (speed * EFFICIENCY)
        fits = "fits" if costs.peak < free else "does not fit"
        rows.append(
            f"{name:<9} {min(size, profile.max_picture):>7} px {costs.peak / 1e9:>8.2f} GB "
            f"{seconds:>9.2f} s {seconds * config.steps / 3600:>9.2f} h   {fits}"
        )
    assert first is not None
    yield (
        f"U-Net     {first.parameters / 1e6:.1f} M parameters, {first.call_flops / 1e12:.3g} TFLOP "
        f"a call, weights with autoencoder {first.weights / 1e9:.2f} GB as {str(dtype)[6:]}"
    )
    yield (
        f"machine   {_machine(device)}, {free / 1e9:.1f} GB free, "
        f"{speed / 1e9:.0f} GFLOP/s measured"
    )
    yield f"scene     {_scene()}"
    both = (
        "gradients through both U-Nets" if network_gradients else "no gradient through the U-Nets"
    )
    yield f"a run     {config.method}: {config.steps} steps of {config.views} views, {both}"
    yield "profile    pictures   memory     a step     a run"
    yield from rows
    chosen = config.memory
    if chosen == "auto":
        chosen, _ = choose_profile("auto", first.parameters, device)
    yield (
        f"chosen    {chosen}, from free memory; memory and time are the teacher's, estimated at "
        f"{EFFICIENCY:.0%} of the measured speed; rendering and export come on top"
    )
    if device.type == "cpu" and first.call_flops > 1e11:
        yield (
            "advice    a teacher of this size wants a GPU; --teacher toybox runs here in minutes, "
            "and --preset draft takes fewer steps"
        )


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (cuda)"
    return f"CPU, {torch.get_num_threads()} threads"


def _scene() -> str:
    works, why = probe_cuda_backend()
    return "tiny-cuda-nn and nerfacc on the GPU" if works else f"numba on the CPU ({why})"
