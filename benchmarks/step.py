"""Where the time of a step goes, and how far it is from what its arithmetic needs.

python benchmarks/step.py [--steps 10] [--method sds vsd ...] [--set key=value] [--out FILE.json]

Processor time of one thread (waiting for other programs does not count), after a warm-up, at the
picture size of the end of a run. The bound: the floating-point operations of all matrix products
and convolutions of a step, counted by torch, at the rate of the U-Net's largest convolution, which
is measured between the steps. The rest of the time is what a step could be rid of at most.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numba
import torch
from torch.utils.flop_counter import FlopCounterMode

from uni3d import config_io
from uni3d.bench.plan import METHODS, read_variants
from uni3d.run import step as step_module
from uni3d.run.presets import PRESETS
from uni3d.run.run import prepare_parts
from uni3d.run.settings import RunConfig
from uni3d.scene import regularizers
from uni3d.teacher.model import Teacher

WARM_UP = 3


class Watch:
    """Processor seconds by name; what runs inside another is not counted in that."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    def start(self, name: str) -> None:
        self._lap()
        self._open.append(name)

    def stop(self, *_) -> None:
        self._lap()
        self._open.pop()

    def _lap(self) -> None:
        now = time.process_time()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def around(self, name: str, function):
        def timed(*args, **kwargs):
            self.start(name)
            try:
                return function(*args, **kwargs)
            finally:
                self.stop()

        return timed


def watched_network(watch: Watch, network):
    """The U-Net, and its part of a backward pass where that reaches its input."""

    def timed(x, t, cond):
        out = watch.around("U-Net forward", network)(x, t, cond)
        if x.requires_grad and out.requires_grad:
            out.register_hook(lambda _: watch.start("U-Net backward"))
            x.register_hook(watch.stop)
        return out

    return timed


def rate_of_a_convolution() -> float:
    """FLOP/s of a 3 x 3 convolution of the U-Net's widest level, forward."""
    x = torch.randn(8, 64, 32, 32).to(memory_format=torch.channels_last)
    weight = torch.randn(64, 64, 3, 3).to(memory_format=torch.channels_last)
    best = 0.0
    with torch.no_grad():
        for _ in range(8):
            started = time.process_time()
            for _ in range(4):
                torch.nn.functional.conv2d(x, weight, padding=1)
            taken = (time.process_time() - started) / 4
            best = max(best, 2 * 8 * 32 * 32 * 64 * 64 * 9 / taken)
    return best


def examine(name: str, mapping: dict, steps: int, overrides: list[str]) -> dict:
    asked = config_io.merge(config_io.merge(PRESETS["draft"], mapping), {"steps": 1000})
    asked = config_io.merge(asked, {"prompt": "a corgi astronaut"})
    config = config_io.load(RunConfig, config_io.apply_overrides(asked, overrides))
    watch = Watch()
    Teacher.network = watched_network_method(watch)
    parts = prepare_parts(config)
    last = config.steps - steps - 10
    for k in range(WARM_UP):
        step_module.take_step(parts, last + k)
    with FlopCounterMode(display=False) as counter:
        step_module.take_step(parts, last + WARM_UP)
    flops = counter.get_total_flops()
    scene, fake = parts.scene, parts.fake
    scene.shoot = watch.around("render forward", scene.shoot)
    scene.update = watch.around("optimiser of the scene", scene.update)
    if fake:
        fake.fit = watch.around("fit, without its U-Net forward", fake.fit)
        fake.fit_learned = watch.around("fit, without its U-Net forward", fake.fit_learned)
    total, before = regularizers.total, torch.Tensor.backward
    regularizers.total = watch.around("priors forward", total)
    torch.Tensor.backward = watch.around("backward, without U-Net", before)
    watch.seconds.clear()
    rates, spent = [], 0.0
    try:
        for k in range(steps):
            rates.append(rate_of_a_convolution())
            started = time.process_time()
            watch.around("rest", step_module.take_step)(parts, last + WARM_UP + 1 + k)
            spent += time.process_time() - started
    finally:
        regularizers.total, torch.Tensor.backward = total, before
    seconds = spent / steps
    bound = flops / sorted(rates)[len(rates) // 2]
    shares = {k: v / spent for k, v in sorted(watch.seconds.items(), key=lambda kv: -kv[1])}
    return {
        "method": name,
        "seconds": seconds,
        "gflop": flops / 1e9,
        "gflop_per_s": sorted(rates)[len(rates) // 2] / 1e9,
        "times_the_bound": seconds / bound,
        "shares": shares,
    }


NETWORK = Teacher.network


def watched_network_method(watch: Watch):
    def network(self, x, t, cond):
        return watched_network(watch, lambda *inputs: NETWORK(self, *inputs))(x, t, cond)

    return network


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--method", nargs="+", default=["sds", "vsd", "sim", "forward-kl"])
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    known = {**METHODS, **read_variants(Path(__file__).parent / "variants.yaml")}
    rows = [examine(name, known[name], args.steps, args.overrides) for name in args.method]
    for row in rows:
        print(
            f"{row['method']}: {row['seconds']:.3f} s, {row['gflop']:.1f} GFLOP, "
            f"{row['times_the_bound']:.2f} times the bound at {row['gflop_per_s']:.0f} GFLOP/s"
        )
        for name, share in row["shares"].items():
            print(f"    {share:6.1%}  {name}")
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
