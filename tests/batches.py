"""Batches of tiny objects, each a command in a process of its own, and what a whole one is."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import yaml
from tiny import TINY, tiny_teacher

__all__ = ["PROMPTS", "Batches", "done_names", "events", "worker_now"]

ROOT = Path(__file__).parents[1]
KINDS = ("cat", "dog", "car", "chair", "mushroom", "teapot", "rabbit", "bear")
PROMPTS = [f"a {colour} {kind}" for colour in ("red", "blue", "green") for kind in KINDS]
PATIENCE = 1200.0  # seconds: the machine may be busy with other things


class Batches:
    """`command` starts `uni3d batch` on a list of prompts; pictures of it are small."""

    def __init__(self, folder: Path, prompts: list[str], threads: int = 1) -> None:
        self.folder, self.prompts = folder, prompts
        folder.mkdir(parents=True, exist_ok=True)
        self.list = folder / "prompts.txt"
        self.list.write_text("".join(f"{prompt}\n" for prompt in prompts))
        self.config = folder / "tiny.yaml"
        teacher = tiny_teacher(folder / "teacher")
        self.config.write_text(yaml.safe_dump({**TINY, "teacher": str(teacher)}))
        self.environment = os.environ | {
            "PYTHONPATH": f"{ROOT / 'tests' / 'smoke'}:{ROOT}",
            "UNI3D_CACHE": str(folder / "cache"),
            "OMP_NUM_THREADS": str(threads),
            "NUMBA_NUM_THREADS": str(threads),
            "RAY_worker_niceness": "0",  # as the other engines, to be compared with them
        }

    def command(self, out: Path, *options: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "uni3d", "batch", str(self.list), "-o", str(out)]
        words += ["--config", str(self.config), "--formats", "glb,ply", *options]
        with (self.folder / f"{out.name}.log").open("a") as log:
            return subprocess.Popen(
                words, env=self.environment, cwd=self.folder, stdout=log, stderr=log, text=True
            )

    def run(self, out: Path, *options: str) -> int:
        return self.command(out, *options).wait(PATIENCE)

    def single(self, out: Path, prompts: list[str]) -> None:
        """The same objects by `uni3d PROMPT`, one after another in one process."""
        code = (
            "import sys; from uni3d.cli import main\n"
            "for k, prompt in enumerate(sys.argv[3:]):\n"
            "    assert main([prompt, '--config', sys.argv[1], '--formats', 'glb,ply',"
            " '--out', f'{sys.argv[2]}/{k}']) == 0"
        )
        subprocess.run(
            [sys.executable, "-c", code, str(self.config), str(out), *prompts],
            env=self.environment,
            cwd=self.folder,
            check=True,
            capture_output=True,
            timeout=PATIENCE,
        )

    def killed(self, out: Path, kills: list[str], seed: int, *options: str) -> list[str]:
        """Run to the end, with so many SIGKILLs at random moments between: each of `kills` is
        "driver" (started again at once) or "worker" (its driver goes on). What was hit, in words.
        """
        draw, hits = random.Random(seed), []
        moments = sorted(draw.sample(range(1, len(self.prompts) - 1), len(kills)))
        driver = self.command(out, *options)
        for kind, moment in zip(kills, moments, strict=True):
            until = time.monotonic() + PATIENCE
            while len(done_names(out)) < moment and driver.poll() is None:
                assert time.monotonic() < until, "it does not get on"
                time.sleep(0.05)
            time.sleep(draw.uniform(0, 2))
            if driver.poll() is not None:
                hits.append(f"{kind}: it had ended")
            elif kind == "driver":
                driver.kill()
                driver.wait()
                hits.append(f"driver, {len(done_names(out))} done")
            else:
                pid = worker_now(out)
                if pid:
                    os.kill(pid, signal.SIGKILL)
                hits.append(f"worker {pid}, {len(done_names(out))} done")
            if driver.poll() is not None:
                driver = self.command(out, *options)
        assert driver.wait(PATIENCE) == 0, (self.folder / f"{out.name}.log").read_text()[-3000:]
        return hits

    def check(self, out: Path, single: Path, prompts: list[str] | None = None) -> None:
        """All are done, none twice, none is left over; mesh files have the bytes of single runs."""
        prompts = prompts or self.prompts
        done = Counter(e["name"] for e in events(out) if e["event"] == "done")
        assert len(done) == len(prompts) and set(done.values()) == {1}, done
        folders = [p.name for p in out.iterdir() if p.is_dir() and p.name != ".work"]
        assert sorted(folders) == sorted(done)
        assert list((out / ".work").iterdir()) == []
        of_prompt = {e["prompt"]: e["name"] for e in events(out) if "prompt" in e}
        for k, prompt in enumerate(prompts):
            folder = out / of_prompt[prompt]
            assert json.loads((folder / "status.json").read_text())["state"] == "done"
            for name in ("mesh.glb", "mesh.ply"):
                same = (folder / name).read_bytes() == (single / str(k) / name).read_bytes()
                assert same, f"{prompt}: {name} is another than a single run's"


def events(out: Path) -> list[dict]:
    """Every line of the manifest; each must be whole."""
    path = out / "manifest.jsonl"
    if not path.exists():
        return []
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def done_names(out: Path) -> set[str]:
    return {e["name"] for e in events(out) if e["event"] == "done"}


def worker_now(out: Path) -> int:
    """The process that makes an object now, 0 if none: the last to begin one that has not ended."""
    running: dict[str, int] = {}
    for event in events(out):
        if event["event"] == "running":
            running[event["name"]] = event["pid"]
        elif event.get("name") in running:
            del running[event["name"]]
    alive = [pid for pid in running.values() if Path(f"/proc/{pid}").exists()]
    return alive[-1] if alive else 0
