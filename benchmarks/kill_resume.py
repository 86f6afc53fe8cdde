"""A tiny run is killed (SIGKILL) at random moments, export included, and resumed each time: the
GLB has the bytes of the run that nobody killed.

    python benchmarks/kill_resume.py --kills 20 --out /tmp/kill_resume
"""

import argparse
import hashlib
import os
import random
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


def digest(run: Path) -> str:
    return hashlib.sha256((run / "mesh.glb").read_bytes()).hexdigest()[:16]


def stage(run: Path) -> str:
    """How far the run had come when it was killed, from its files."""
    if (run / "mesh.glb").exists():
        return "after the mesh was written"
    if not (run / "checkpoint.safetensors").exists():
        return "before the first checkpoint"
    metrics = run / "metrics.jsonl"
    steps = len(metrics.read_bytes().splitlines()) if metrics.exists() else 0
    return f"about step {steps}"


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
        yaml.safe_dump({**TINY, "steps": 60, "checkpoint_every": 5})
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
        began = time.monotonic()
        subprocess.run([*command(args.out, teacher, whole)], check=True, **quiet)
        seconds = time.monotonic() - began
        wanted = digest(whole)
        if not (args.out / "first").exists():
            whole.rename(args.out / "first")
    say(f"uninterrupted: {seconds:.1f} s, GLB {wanted}; cold cache {digest(args.out / 'first')}")
    say("| kill | after (s) | where | resumed GLB |\n|---:|---:|---|---|")
    moments, wrong = random.Random(args.seed), 0
    for number in range(1, args.kills + 1):
        run = args.out / f"killed-{number:02d}"
        wait = moments.uniform(0.3 * seconds, seconds)
        process = subprocess.Popen(command(args.out, teacher, run), start_new_session=True, **quiet)
        try:
            process.wait(wait)
            where = "it had ended"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            where = stage(run)
        subprocess.run(command(args.out, teacher, run), check=True, **quiet)
        same = digest(run) == wanted
        wrong += not same
        say(f"| {number} | {wait:.1f} | {where} | {'the same' if same else digest(run)} |")
    say(f"{args.kills - wrong} of {args.kills} the same")
    return int(wrong > 0)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
