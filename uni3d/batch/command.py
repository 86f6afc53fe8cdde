"""`uni3d batch FILE -o DIR` and `uni3d batch status DIR`."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uni3d import config_io
from uni3d.errors import ConfigError
from uni3d.run.arguments import add_file_arguments, add_run_arguments, file_options, run_mapping
from uni3d.run.interrupts import interrupts

if TYPE_CHECKING:
    from uni3d.batch.drive import Tally
    from uni3d.batch.make import Outcome, Task
    from uni3d.batch.plan import Job
    from uni3d.batch.processes import Engine
    from uni3d.batch.record import Record
    from uni3d.batch.rows import BadRow

__all__ = ["add_arguments", "run"]

STATUS = "status"  # in the place of FILE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", help="FILE.txt (a prompt a line), .csv or .jsonl; or: status DIR", metavar="FILE"
    )
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="where the objects go")
    parser.add_argument("--seeds", type=int, default=1, help="objects a row, from its seed on")
    parser.add_argument("--keep", choices=("all", "best"), default="all", help="of the seeds")
    engine = parser.add_mutually_exclusive_group()
    engine.add_argument("--ray", nargs="?", const="local", metavar="auto|ADDRESS")
    engine.add_argument("--shard", default="", metavar="I/N", help="part I (from 0) of N alone")
    parser.add_argument("--workers", type=int, help="processes, or actors of Ray")
    parser.add_argument("--threads", type=int, help="of each worker (default: cores / workers)")
    parser.add_argument("--gpus-per-worker", type=float, default=0.0, help="with --ray")
    parser.add_argument("--retries", type=int, default=1, help="further attempts of what failed")
    parser.add_argument("--timeout", type=float, default=float("inf"), help="seconds an attempt")
    parser.add_argument("--retry-failed", action="store_true", help="also what failed before")
    parser.add_argument("--max-failures", type=int, help="begin no object after so many failed")
    parser.add_argument(
        "--drop-checkpoints", action="store_true", help="less disk; no further formats later"
    )
    parser.add_argument("--strict", action="store_true", help="words left out are an error")
    parser.add_argument("--anyway", action="store_true", help="subjects not known, too")
    add_run_arguments(parser)
    add_file_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """0: all objects are done. 1: a row is bad or an object failed. 130: interrupted."""
    if args.file == STATUS:
        if args.folder is None:
            raise ConfigError("batch status: got no folder; do: uni3d batch status DIR")
        return _status(args.folder)
    if args.folder is not None:
        raise ConfigError(f"batch: got {args.folder} too; do: uni3d batch FILE -o DIR")
    return _make(args)


def _check(args: argparse.Namespace) -> None:
    if args.out is None:
        raise ConfigError("batch: got no folder; do: uni3d batch FILE -o DIR")
    # Seeds times rows are objects, each of which is planned before any is made.
    limits = {"seeds": (1, 10_000), "workers": (1, 4096), "threads": (1, 4096)}
    limits |= {"retries": (0, 10**6), "max_failures": (1, 10**9)}
    for name, (low, high) in limits.items():
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            raise ConfigError(
                f"--{name.replace('_', '-')}: got {value}; want {low} to {high}; do: change it"
            )
    if not args.timeout > 0:
        raise ConfigError(f"--timeout: got {args.timeout}; want seconds above 0; do: change it")
    if args.gpus_per_worker and not args.ray:
        raise ConfigError("--gpus-per-worker: is for --ray; do: add --ray")
    if args.ray:
        from uni3d.batch.cluster import check_ray

        check_ray()


def _make(args: argparse.Namespace) -> int:
    from uni3d.batch.drive import Tally, drive
    from uni3d.batch.make import Task
    from uni3d.batch.plan import Shard, plan
    from uni3d.batch.record import MANIFEST, Record
    from uni3d.batch.rows import read_rows
    from uni3d.run.settings import RunConfig
    from uni3d.storage.whole import new_folder

    _check(args)
    formats, options = file_options(args)
    shard = Shard.parse(args.shard) if args.shard else Shard()
    mesh = {"target_faces": args.faces, "texture_size": args.texture_size}
    mesh = {key: value for key, value in mesh.items() if value is not None}
    base = config_io.merge(RunConfig.upgraded(run_mapping(args)), {"mesh": mesh})
    config_io.load(RunConfig, base)  # what is wrong for all rows is said once
    if args.out.is_dir() and not (args.out / MANIFEST).is_file():  # before a long list is read
        new_folder(args.out, "another -o DIR", (".work",))
    jobs, bad = plan(
        read_rows(Path(args.file)),
        base,
        seeds=args.seeds,
        shard=shard,
        whole_rows=args.keep == "best",
        strict=args.strict,
        anyway=args.anyway,
    )
    if not (jobs or bad) and shard == Shard():
        raise ConfigError(f"{args.file}: holds no prompt; wanted one a line; do: add some")
    for row in bad:
        _say(f"{args.file}:{row.line}: {row.problem}")
    if not (args.out / MANIFEST).is_file():
        new_folder(args.out, "another -o DIR", (".work",))
    record = Record(args.out)
    tasks = [
        Task(
            root=str(record.root),
            job=job,
            formats=formats,
            options=options,
            retries=args.retries,
            drop_checkpoint=args.drop_checkpoints,
            timeout=args.timeout,
        )
        for job in jobs
    ]
    _queue(record, jobs, bad)
    left, failed = _left(record, tasks, args.retry_failed)
    tally = Tally(total=len(jobs), done=len(jobs) - len(left) - failed, failed=failed)
    groups = _Groups(record, jobs) if args.keep == "best" else None
    with interrupts() as signals, _bar(tally) as tell:
        if left:
            engine = _engine(args, lambda: bool(signals))
            finished = groups.finished if groups else lambda *_: None
            limits = {"max_failures": args.max_failures, "stop": lambda: bool(signals)}
            drive(record, left, engine, tally, tell=tell, finished=finished, **limits)
    if groups and not signals:
        groups.all()
    _write_page(record)
    return _summary(args, tally, bad, bool(signals))


def _queue(record: "Record", jobs: Sequence["Job"], bad: Sequence["BadRow"]) -> None:
    """Put into the manifest what is not there yet."""
    known = record.entries()
    reported = {(e.get("line"), e.get("error")) for e in record.events() if e["event"] == "refused"}
    events: list[dict[str, Any]] = [
        {
            "event": "queued",
            "name": job.name,
            "prompt": job.config.prompt,
            "seed": job.config.seed,
            "line": job.line,
            "note": job.note,
        }
        for job in jobs
        if job.name not in known
    ]
    events += [
        {"event": "refused", "line": row.line, "error": row.problem}
        for row in bad
        if (row.line, row.problem) not in reported
    ]
    record.append(events)
    record.catch_up(job.name for job in jobs)


def _left(record: "Record", tasks: Sequence["Task"], retry: bool) -> tuple[list["Task"], int]:
    """The tasks that are to be done, and how many have failed for good and are left alone."""
    from uni3d.run.folder import CHECKPOINT

    left, failed = [], 0
    for task in tasks:
        name = task.job.name
        if record.is_whole(name):
            folder = record.whole(name)
            lacking = any(not (folder / f"mesh.{f}").is_file() for f in task.formats)
            if lacking and (folder / CHECKPOINT).is_file():
                left.append(task)
            continue
        status = record.status(name)
        if status.state == "failed":
            if not retry:
                failed += 1
                continue
            record.write_status(
                record.working(name), dataclasses.replace(status, state="queued", failures=0)
            )
            record.append([{"event": "queued", "name": name}])
        left.append(task)
    return left, failed


class _Groups:
    """The objects of each row; when the last of one has ended, its best is kept."""

    def __init__(self, record: "Record", jobs: Sequence["Job"]) -> None:
        self._record = record
        self._groups: dict[int, list[Job]] = {}
        for job in jobs:
            self._groups.setdefault(job.line, []).append(job)
        self._ended: dict[int, int] = {}

    def finished(self, task: "Task", _outcome: "Outcome") -> None:
        self._choose(task.job.line)

    def all(self) -> None:
        for line in self._groups:
            self._choose(line)

    def _choose(self, line: int) -> None:
        from uni3d.batch.best import keep_best

        names = [job.name for job in self._groups[line]]
        over = (self._record.is_whole(n) or self._record.status(n).state == "failed" for n in names)
        if all(over):
            keep_best(self._record, self._groups[line])


def _engine(args: argparse.Namespace, stop: Callable[[], bool]) -> "Engine":
    from uni3d.batch.processes import InProcess, Processes, cores

    if args.ray:
        from uni3d.batch.cluster import RayEngine

        threads = args.threads or 1
        return RayEngine(args.ray, args.workers, threads, args.gpus_per_worker, args.retries)
    if args.shard and args.workers is None:
        if args.threads:
            import torch

            torch.set_num_threads(args.threads)
        return InProcess(stop)
    workers = args.workers or 1
    given = os.environ.get("OMP_NUM_THREADS", "")
    usual = int(given) if given.isdecimal() and int(given) else max(1, cores() // workers)
    return Processes(workers, args.threads or usual)


def _summary(
    args: argparse.Namespace, tally: "Tally", bad: Sequence["BadRow"], interrupted: bool
) -> int:
    refused = f", {len(bad)} rows refused" if bad else ""
    failed = f", {tally.failed} failed" if tally.failed else ""
    open_ = tally.total - tally.done - tally.failed
    rest = f", {open_} not made" if open_ else ""
    _say(f"{tally.done} of {tally.total} done ({tally.made} now){failed}{refused}{rest}")
    if interrupted:
        _say("interrupted; the same command goes on")
    if tally.failed:
        _say(f"what failed: uni3d batch {STATUS} {args.out}; again: --retry-failed")
    sys.stdout.write(f"{args.out / 'index.html'}\n")
    if interrupted:
        return 130
    return int(tally.done < tally.total or bool(bad))


def _status(folder: Path) -> int:
    """How the objects of a batch stand; 0 when all are done."""
    from uni3d.batch.record import MANIFEST, Record

    if not (folder / MANIFEST).is_file():
        raise ConfigError(
            f"{folder}: holds no batch; want a folder with {MANIFEST}; do: check the path"
        )
    record = Record(folder)
    entries = list(record.entries().values())
    lines: list[str] = []
    counts: dict[str, int] = dict.fromkeys(("done", "running", "queued", "failed"), 0)
    for entry in entries:
        state = entry.state
        if record.is_whole(entry.name):
            state = "done"
        elif state == "running" and not record.is_running(entry.name):
            state = "queued"  # its maker was ended
        counts[state] += 1
        if state == "failed":
            lines.append(f"failed: {entry.name}: {entry.facts.get('error', '')}")
        elif state == "running":
            lines.append(f"running: {entry.name}, attempt {entry.facts.get('attempt', 1)}")
    refused = [e for e in record.events() if e["event"] == "refused"]
    lines += [f"refused: line {e.get('line')}: {e.get('error')}" for e in refused]
    seconds = [float(e.facts.get("seconds") or 0) for e in entries if e.state == "done"]
    summary = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    sys.stdout.write(f"{len(entries)} objects: {summary or 'none'}\n")
    if seconds:
        sys.stdout.write(f"seconds an object, one worker: {sum(seconds) / len(seconds):.1f}\n")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return int(counts["done"] < len(entries) or bool(refused))


def _write_page(record: "Record") -> None:
    from uni3d.batch.page import write_page

    write_page(record, list(record.entries().values()))


@contextmanager
def _bar(tally: "Tally") -> Iterator[Callable[["Tally"], None]]:
    """The progress line: objects, and how long all the workers still need."""
    from tqdm import tqdm

    before = tally.done + tally.failed
    with tqdm(
        total=tally.total,
        initial=before,
        unit="object",
        smoothing=0,  # by the mean since the start: objects end in bursts
        bar_format="{percentage:3.0f}%|{bar}| {desc}, {elapsed} gone, {remaining} to go",
        mininterval=0.5 if sys.stderr.isatty() else 30.0,
        disable=tally.total == before,
    ) as bar:

        def tell(now: "Tally") -> None:
            bar.n = max(bar.n, round(now.done + now.failed + now.share, 2))
            bar.set_description_str(now.line(), refresh=False)
            bar.update(0)

        yield tell


def _say(text: str) -> None:
    sys.stderr.write(f"uni3d: {text}\n")
