"""Batches: rows, names, shards, the record of what happened, the loop, wrong commands."""

import csv
import dataclasses
import json
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from batches import events

from uni3d import cli
from uni3d.batch import drive, make
from uni3d.batch.plan import Job, Shard, name_of, plan
from uni3d.batch.record import Record, Status
from uni3d.batch.rows import BadRow, Row, read_rows
from uni3d.errors import CheckpointError, ConfigError
from uni3d.mesh.types import FileOptions
from uni3d.run.settings import RunConfig
from uni3d.storage.lock import held


def _problems(path: Path) -> dict[int, str]:
    return {r.line: r.problem for r in read_rows(path) if isinstance(r, BadRow)}


def test_a_text_file_of_bad_lines_is_read_to_its_end(tmp_path):
    path = tmp_path / "list.txt"
    good = ["a cat", "a dög"]
    lines = [good[0].encode(), b"", b"caf\xe9", b"x " * 200, b" \t", good[1].encode()]
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\r\n")
    assert [(r.line, r.prompt) for r in read_rows(path) if isinstance(r, Row)] == [
        (1, good[0]),
        (6, good[1]),
    ]
    found = _problems(path)
    assert sorted(found) == [2, 3, 4, 5]
    assert "empty" in found[2] and "empty" in found[5]
    assert "byte 0xe9 at place 4 is no UTF-8" in found[3]
    assert "399 characters; wanted at most 300" in found[4]


def test_csv_and_jsonl_say_the_same(tmp_path):
    table, objects = tmp_path / "list.csv", tmp_path / "list.jsonl"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", "seed", "scene.field.levels", "method"])
        writer.writerow(["a cat, sitting", 3, "", "sds"])
        writer.writerow(['a "red"\ndog', "", 4, ""])
        writer.writerow(["a car", "", "", "", "one too many"])
        writer.writerow(["a hat", "[", "", ""])
    told = [
        {"prompt": "a cat, sitting", "seed": 3, "method": "sds"},
        {"prompt": 'a "red" dog', "scene.field": {"levels": 4}},
        ["a car"],
        {"prompt": 7},
    ]
    objects.write_text("".join(json.dumps(t) + "\n" for t in told) + "{\n\n")
    wanted = [
        ("a cat, sitting", {"seed": 3, "method": "sds"}),
        ('a "red" dog', {"scene": {"field": {"levels": 4}}}),
    ]
    for path in (table, objects):
        read = [r for r in read_rows(path) if isinstance(r, Row)]
        assert [(r.prompt, r.settings) for r in read] == wanted, path
    assert {k: v.split(";")[0] for k, v in _problems(table).items()} == {
        5: "got 5 cells",  # the second row takes two lines
        6: _problems(table)[6].split(";")[0],
    }
    assert "invalid YAML" in _problems(table)[6]
    found = _problems(objects)
    assert sorted(found) == [3, 4, 5, 6]
    assert "got list" in found[3] and "got int" in found[4] and "no JSON" in found[5]


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("list.tsv", b"a cat", "got ending '.tsv'"),
        ("list.txt", "a cat\n".encode("utf-16"), "is UTF-16"),
        ("list.csv", b"seed\n3\n", "want prompt and keys"),
        ("list.csv", b"prompt,seed,seed\n", "want prompt and keys"),
    ],
)
def test_files_that_are_no_list_are_one_line(tmp_path, name, data, part):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=part.replace("[", r"\[")):
        list(read_rows(tmp_path / name))


def test_every_bad_row_is_told_with_its_line_before_any_work(tmp_path):
    told = [
        {"prompt": "a cat"},
        {"prompt": "a cat", "sede": 3},
        {"prompt": "a flibbertigibbet"},
        {"prompt": "a cat", "seed": 0},  # what line 1 means
        {"prompt": "a dog", "steps": 0},
        {"prompt": "a cat"},
        {"prompt": "a dog"},
    ]
    path = tmp_path / "list.jsonl"
    path.write_text("".join(json.dumps(t) + "\n" for t in told))
    jobs, bad = plan(read_rows(path), {}, seeds=2)
    assert [(j.config.prompt, j.config.seed) for j in jobs] == [
        *(("a cat", s) for s in (0, 1)),
        *(("a dog", s) for s in (0, 1)),
    ]
    found = {row.line: row.problem for row in bad}
    assert sorted(found) == [2, 3, 4, 5, 6]
    assert "did you mean seed?" in found[2] and "flibbertigibbet" in found[3]
    assert "same as line 1" in found[4] and "steps: got 0" in found[5]
    assert found[6] == "is the same as line 1"
    # What the teacher is told is part of the configuration, as in a single run.
    assert jobs[0].config.caption == "a cat"


def test_a_name_is_of_prompt_seed_and_everything_else():
    base = RunConfig(prompt="a blue car", seed=3)
    name = name_of(base)
    assert name.startswith("a-blue-car-3-") and len(name) == len("a-blue-car-3-") + 12
    others = [
        RunConfig(prompt="a blue car", seed=4),
        RunConfig(prompt="a blue car!", seed=3),
        RunConfig(prompt="a blue car", seed=3, steps=701),
        RunConfig(prompt="a blue car", seed=3, mesh=type(base.mesh)(target_faces=100)),
    ]
    assert len({name, *map(name_of, others)}) == 5
    assert name_of(RunConfig(prompt="a blue car", seed=3)) == name


@pytest.mark.parametrize("whole_rows", [False, True])
def test_shards_share_out_every_object_once(whole_rows):
    listed = [Row(k + 1, f"prompt {k}", {}) for k in range(7)]
    listed.insert(3, BadRow(99, "bad"))
    base = {"teacher": "sd"}  # one that cannot read, so that any words will do
    options = {"seeds": 3, "whole_rows": whole_rows}
    whole, _ = plan(listed, base, **options)
    parts = [plan(listed, base, shard=Shard(k, 4), **options) for k in range(4)]
    names = [job.name for jobs, _ in parts for job in jobs]
    assert len(names) == 21 and sorted(names) == sorted(j.name for j in whole)
    assert max(len(jobs) for jobs, _ in parts) <= 6
    if whole_rows:
        for jobs, _ in parts:
            assert set(Counter(job.line for job in jobs).values()) == {3}
    assert any(bad for _, bad in parts)


@pytest.mark.parametrize("text", ["2/2", "-1/2", "a/b", "1", "1/", "1/0"])
def test_a_shard_is_i_of_n(text):
    with pytest.raises(ConfigError, match="--shard"):
        Shard.parse(text)


def _add(root: str, writer: int) -> None:
    record = Record(Path(root))
    for k in range(200):
        record.append([{"event": "queued", "name": f"{writer}-{k}", "prompt": "é" * 200}])


def test_lines_of_several_writers_stay_whole(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add, args=(str(tmp_path), w)) for w in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    names = [event["name"] for event in events(tmp_path)]
    assert sorted(names) == sorted(f"{w}-{k}" for w in range(3) for k in range(200))
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write('{"event": "done", "na')  # cut off by a kill
    _add(str(tmp_path), 7)
    assert len(list(Record(tmp_path).events())) == 800


def test_one_process_has_an_object_and_a_whole_one_nobody(tmp_path):
    record = Record(tmp_path)
    with record.claimed("x") as folder:
        assert folder == tmp_path / ".work" / "x" and record.is_running("x")
        with pytest.raises(CheckpointError), record.claimed("x"):
            raise AssertionError("claimed twice")
        record.write_status(folder, Status(state="done"))
        record.finish("x")
        # Another has looked before the rename and locks after it, in a folder of its own making.
        (tmp_path / ".work" / "x").mkdir()
    with record.claimed("x") as folder:
        assert folder is None
    assert record.status("x").state == "done" and not record.is_running("x")


def test_an_object_whose_maker_was_killed_before_it_told_is_told_once(tmp_path):
    record = Record(tmp_path)
    record.append([{"event": "queued", "name": "x"}])
    with record.claimed("x") as folder:
        record.write_status(folder, Status(state="done", seconds=2.5, attempts=2))
        record.finish("x")
    for _ in range(2):
        record.catch_up(["x", "y"])
    (done,) = [e for e in events(tmp_path) if e["event"] == "done"]
    assert (done["name"], done["seconds"], done["attempts"]) == ("x", 2.5, 2)


class _Scripted:
    """An engine whose workers end as the script says, one outcome a look."""

    workers = 2

    def __init__(self, script):
        self.script, self.now, self.log, self.stopped = script, [], [], False

    def free(self):
        return len(self.now) < self.workers

    def submit(self, task):
        self.now.append(task.job.name)
        self.log.append(task.job.name)

    def ended(self, seconds):
        if not self.now:
            time.sleep(0.01)
            return []
        name = self.now.pop(0)
        return [make.Outcome(name=name, state=self.script[name].pop(0), made=True)]

    def kill(self, name, error):
        raise AssertionError(name)

    def stop(self):
        self.stopped = True


def _tasks(root, names):
    job = {n: Job(name=n, line=k, config=RunConfig()) for k, n in enumerate(names)}
    settings = {"root": str(root), "formats": ("glb",), "options": FileOptions()}
    return [make.Task(job=job[n], **settings) for n in names]


def test_what_fails_comes_again_after_the_others_and_what_another_makes_later(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(drive, "AGAIN", 0.05)
    script = {"a": ["queued", "done"], "b": ["busy"] * 3 + ["done"], "c": ["failed"]}
    script["d"] = ["stopped", "done"]  # somebody ended its worker alone
    engine = _Scripted(script)
    tally = drive.drive(Record(tmp_path), _tasks(tmp_path, "abcd"), engine, drive.Tally(total=4))
    assert (tally.done, tally.failed, tally.running) == (3, 1, 0) and engine.stopped
    assert engine.log[:4] == ["a", "b", "c", "d"] and set(map(len, script.values())) == {0}


def test_what_a_power_cut_left_running_is_no_late_attempt(tmp_path):
    record = Record(tmp_path)
    record.working("a").mkdir(parents=True)
    (task,) = _tasks(tmp_path, "a")
    task = dataclasses.replace(task, timeout=10.0)
    left = Status(state="running", attempts=1, started=time.time() - 3600)
    with record.claimed("a") as folder:
        record.write_status(folder, left)
    assert not drive._overdue(record, task, before=1)  # the new worker still imports
    with record.claimed("a") as folder:
        record.write_status(folder, dataclasses.replace(left, attempts=2))
    assert drive._overdue(record, task, before=1)
    assert make.record_failure(task, "its worker died").state == "queued"
    assert record.status("a").seconds == 10.0  # not the hour without power


def test_after_so_many_failures_nothing_is_begun(tmp_path):
    engine = _Scripted({name: ["failed"] for name in "abcdefgh"})
    tally = drive.drive(
        Record(tmp_path), _tasks(tmp_path, "abcdefgh"), engine, drive.Tally(total=8), max_failures=3
    )
    assert tally.failed == len(engine.log) == 4  # the fourth ran already


def test_no_optional_package_is_installed_unasked():
    tomllib = pytest.importorskip("tomllib")
    told = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    always = {name.split(">")[0].split("=")[0].split("[")[0] for name in told["dependencies"]}
    assert not always & {"ray", "usd-core", "lib3mf"}
    extras = told["optional-dependencies"]
    assert any(p.startswith("ray") for p in extras["cluster"])
    assert any(p.startswith("usd-core") for p in extras["usd"])


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["batch", "list.txt"], "batch FILE -o DIR"),
        (["batch", "none.txt", "-o", "out"], "none.txt: cannot be read"),
        (["batch", "list.txt", "-o", "out", "--seeds", "0"], "--seeds: got 0"),
        (["batch", "list.txt", "-o", "out", "--timeout", "0"], "--timeout: got 0"),
        (["batch", "list.txt", "-o", "out", "--shard", "3/2"], "--shard: got '3/2'"),
        (["batch", "list.txt", "-o", "out", "--gpus-per-worker", "1"], "is for --ray"),
        (["batch", "list.txt", "-o", "out", "--set", "steps=0"], "steps: got 0"),
        (["batch", "list.txt", "-o", "out", "--formats", "fbx"], "want some of"),
        (["batch", "status"], "got no folder"),
        (["batch", "empty.txt", "-o", "out"], "empty.txt: holds no prompt"),
        (["batch", "open.csv", "-o", "out"], "open.csv: line 2: unexpected end of data"),
        (["batch", "status", "nowhere"], "holds no batch"),
    ],
)
def test_a_wrong_command_is_one_line(words, part, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("a cat\n")
    Path("empty.txt").write_text("")
    Path("open.csv").write_text('prompt,seed\n"a cat,1\n')
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert part in err and err.count("\n") == 1
    assert not Path("out").exists()


def test_an_object_that_another_process_makes_is_left_to_it(tmp_path):
    record = Record(tmp_path / "out")
    record.working("x").mkdir(parents=True)
    (task,) = _tasks(record.root, ["x"])
    with held(record.working("x")):
        assert make.Maker().make(task).state == "busy"
        assert make.record_failure(task, "its worker died").state == "busy"
    assert make.record_failure(task, "its worker died").state == "queued"
    assert make.record_failure(task, "its worker died").state == "failed"
    assert record.status("x").failures == 2 and record.status("x").error == "its worker died"


def test_without_the_extra_the_command_that_installs_it_is_said(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["batch", str(tmp_path / "list.jsonl"), "-o", str(tmp_path / "out"), "--ray"]
    (tmp_path / "list.jsonl").write_text('{"prompt": "a cat"}\n')
    assert cli.main(words) == 2
    assert "ray is needed" in (err := capsys.readouterr().err)
    assert "pip install -e '.[cluster]'" in err and not (tmp_path / "out").exists()
