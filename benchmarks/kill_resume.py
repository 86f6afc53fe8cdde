"""A tiny run is killed (SIGKILL) at random moments, export included, and resumed each time: the
GLB has the bytes of the run that nobody killed. A moment is a share of the work (steps, then
seconds of export), not of the clock, as other programs may be at work; where the process had ended
by then, another moment is drawn, so that every kill hits a running process.

    python benchmarks/kill_resume.py --kills 20 --out /tmp/kill_resume
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))


def command(out: Path, folder: Path, run: Path) -> list[str]:
    """The command line that begins the run in `run`, or goes on with it."""
    start = [sys.executable, "-m", "uni3d"]
    if (run / "config.yaml").is_file():
        return [*start, "resume", str(run), "--formats", "glb"]
    words = ["a corgi", "--config", str(out / "tiny.yaml"), "--teacher", str(folder)]
    return [*start, *words, "--out", str(run), "--formats", "glb"]


STEPS, OPTIMISING = 30, 0.6  # steps of the run; the share of moments that fall among them


def steps_done(run: Path) -> int:
    metrics = run / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def killed(words: list[str], run: Path, moment: float, export: float, quiet: dict) -> bool:
    """Start the run and kill it at `moment` (0..1); whether it was still at work then.

    export: seconds from the last step to the end, measured in a run that nobody killed.
    """
    process = subprocess.Popen(words, start_new_session=True, **quiet)
    wanted = min(STEPS, round(moment / OPTIMISING * STEPS))
    while process.poll() is None and steps_done(run) < wanted:
        time.sleep(0.01)
    if moment > OPTIMISING:
        time.sleep((moment - OPTIMISING) / (1 - OPTIMISING) * export)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


def digest(run: Path) -> str:
    return hashlib.sha256((run / "mesh.glb").read_bytes()).hexdigest()[:16]


def stage(run: Path) -> str:
    """How far the run had come when it was killed, from its files."""
    if not (run / "config.yaml").exists():
        return "while it was loading"
    if (run / "mesh.glb").exists():
        return "in the export, its mesh written"
    if steps_done(run) == STEPS:
        return "in the export"
    if not (run / "checkpoint.safetensors").exists():
        return f"after step {steps_done(run)}, before the first checkpoint"
    return f"after step {steps_done(run)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    args = parser.parse_args()
    import yaml
    from tiny import TINY, tiny_teacher

    args.out.mkdir(parents=True)
    (args.out / "tiny.yaml").write_text(
        yaml.safe_dump({**TINY, "steps": STEPS, "checkpoint_every": 5})
    )
    teacher = tiny_teacher(args.out / "teacher")
    environment = os.environ | {
        "UNI3D_CACHE": str(args.out / "cache"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
    }
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    whole = args.out / "whole"
    for _ in range(2):  # the second with a warm cache, as those after it
        process = subprocess.Popen(command(args.out, teacher, whole), **quiet)
        while process.poll() is None and steps_done(whole) < STEPS:
            time.sleep(0.01)
        began = time.monotonic()
        assert process.wait() == 0
        export, wanted = time.monotonic() - began, digest(whole)
        if not (args.out / "first").exists():
            whole.rename(args.out / "first")
    say(f"uninterrupted: GLB {wanted}; with a cold cache {digest(args.out / 'first')}")
    say("| kill | moment | where | resumed GLB |\n|---:|---:|---|---|")
    moments, wrong, run = random.Random(args.seed), 0, args.out / "killed"
    for number in range(1, args.kills + 1):
        while True:
            shutil.rmtree(run, ignore_errors=True)
            moment = moments.random()
            if killed(command(args.out, teacher, run), run, moment, export, quiet):
                break
        where = stage(run)
        subprocess.run(command(args.out, teacher, run), check=True, **quiet)
        same = digest(run) == wanted
        wrong += not same
        say(f"| {number} | {moment:.2f} | {where} | {'the same' if same else digest(run)} |")
    say(f"{args.kills - wrong} of {args.kills} the same")
    return int(wrong > 0)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
