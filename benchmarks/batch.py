"""Batches measured: two workers against one, Ray, two nodes of which one is lost, many objects.

    python benchmarks/batch.py workers --out /tmp/w     # ratio of the times of 2 and 1 workers
    python benchmarks/batch.py ray --out /tmp/r         # a local Ray, 2 actors
    python benchmarks/batch.py nodes --out /tmp/n       # 2 simulated nodes, one of which is lost
    python benchmarks/batch.py many --objects 100000 --out /tmp/m   # what the bookkeeping costs

The objects are the tests' smallest ones: six steps of a tiny teacher, small pictures.
"""

import argparse
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from batches import PROMPTS, Batches, done_names, events, worker_now  # noqa: E402


def timed(batches: Batches, name: str, *options: str) -> tuple[float, float]:
    """(seconds, processor seconds) of the whole command."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    code = batches.run(batches.folder / name, *options)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    objects = [e["seconds"] for e in events(batches.folder / name) if e["event"] == "done"]
    print(
        f"{name}: {seconds:.1f} s ({busy:.1f} of processors) for {len(objects)} objects; "
        f"mean {sum(objects) / len(objects):.2f} s an object",
        flush=True,
    )
    assert code == 0
    return seconds, busy


def workers(args: argparse.Namespace) -> int:
    """Times with processes started and everything; the caches are warm in both.

    On a machine that does other things the ratio says little. Half the processor seconds of two
    workers, over those of one, is then what it would be on idle cores, if both end together.
    """
    batches = Batches(args.out, PROMPTS[: args.prompts])
    timed(batches, "warming", "--workers", "2")
    ratios = []
    for k in range(args.rounds):
        one, alone = timed(batches, f"one-{k}", "--workers", "1", "--threads", "1")
        two, busy = timed(batches, f"two-{k}", "--workers", "2", "--threads", "1")
        ratios.append(two / one)
        load = os.getloadavg()[0]
        print(f"ratio {two / one:.3f}, of processors {busy / 2 / alone:.3f}; load {load:.1f}")
    return int(min(ratios) > 0.65)


def ray_here(args: argparse.Namespace) -> int:
    batches = Batches(args.out, PROMPTS[: args.prompts])
    timed(batches, "ray", "--ray", "--workers", "2")
    return 0


def nodes(args: argparse.Namespace) -> int:
    """A head without room for workers and two nodes with room for one each."""
    from ray.cluster_utils import Cluster  # type: ignore[import-not-found]

    batches = Batches(args.out, PROMPTS[: args.prompts])
    batches.single(args.out / "single", batches.prompts)
    os.environ.update(batches.environment)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    there = [cluster.add_node(num_cpus=1) for _ in range(2)]
    out, began = args.out / "nodes", time.monotonic()
    options = ("--ray", str(cluster.address), "--workers", "2", "--retries", "3")
    driver = batches.command(out, *options)

    def wait(done: int) -> None:
        while len(done_names(out)) < done and driver.poll() is None:
            time.sleep(0.1)

    third = args.prompts // 3
    wait(third)
    time.sleep(1)
    pid = worker_now(out)
    print(f"worker {pid} killed with {len(done_names(out))} done", flush=True)
    os.kill(pid, signal.SIGKILL)
    wait(2 * third)
    cluster.remove_node(there[1], allow_graceful=False)
    print(f"a node removed with {len(done_names(out))} done", flush=True)
    code = driver.wait(1200)
    print(f"exit status {code} after {time.monotonic() - began:.0f} s", flush=True)
    cluster.shutdown()
    batches.check(out, args.out / "single")
    again = [e["name"] for e in events(out) if e["event"] == "running" and e["attempt"] > 1]
    print(f"{len(done_names(out))} done, each once; bytes as of single runs; begun again: {again}")
    return code


def many(args: argparse.Namespace) -> int:
    """Reading, planning, queueing and telling of so many rows; folders and lines as if done."""
    from uni3d.batch.page import write_page
    from uni3d.batch.plan import plan
    from uni3d.batch.record import Record, Status
    from uni3d.batch.rows import read_rows
    from uni3d.cli import main as uni3d

    args.out.mkdir(parents=True)
    path, record, count = args.out / "list.jsonl", Record(args.out / "batch"), args.objects

    def print_time(what: str, began: float) -> None:
        seconds = time.monotonic() - began
        print(f"{what}: {seconds:.1f} s, {1e3 * seconds / count:.3f} ms an object", flush=True)

    with path.open("w") as file:
        for k in range(count):
            file.write(json.dumps({"prompt": PROMPTS[k % 24], "seed": k}) + "\n")
    began = time.monotonic()
    jobs, bad = plan(read_rows(path), {})
    assert len(jobs) == count and not bad
    print_time("read and checked", began)
    began = time.monotonic()
    seed = {"note": "", "line": 1}
    record.append(
        {"event": "queued", "name": j.name, "prompt": j.config.prompt, "seed": j.config.seed} | seed
        for j in jobs
    )
    print_time("queued", began)
    began = time.monotonic()
    status = json.dumps(vars(Status(state="done", attempts=1, seconds=100.0)))
    for job in jobs:
        folder = record.whole(job.name)
        folder.mkdir()
        (folder / "status.json").write_text(status)
    print_time("folders made", began)
    done = {"seconds": 100.0, "attempts": 1, "silhouette_iou": 0.97, "faces": 20000, "views": 8}
    done |= {"right_views": 8, "kinds": ["cat"] * 8, "files": ["mesh.glb", "mesh.obj", "mesh.ply"]}
    record.append({"event": "running", "name": job.name, "attempt": 1} for job in jobs)
    record.append({"event": "done", "name": job.name, **done} for job in jobs)
    print(
        f"manifest: {(record.root / 'manifest.jsonl').stat().st_size / count:.0f} bytes an object"
    )
    began = time.monotonic()
    assert sum(record.is_whole(job.name) for job in jobs) == count
    print_time("looked at", began)
    began = time.monotonic()
    write_page(record, list(record.entries().values()))
    print_time("pages written", began)
    began = time.monotonic()
    uni3d(["batch", "status", str(record.root)])
    print_time("status", began)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("workers", "ray", "nodes", "many"))
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--objects", type=int, default=100_000)
    args = parser.parse_args()
    return {"workers": workers, "ray": ray_here, "nodes": nodes, "many": many}[args.what](args)


if __name__ == "__main__":
    sys.exit(main())
