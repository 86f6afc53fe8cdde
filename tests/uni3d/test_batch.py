"""Batches: rows, names, shards, the record of what happened, and whole batches in this process."""

import csv
import html.parser
import json
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from batches import done_names, events
from tiny import TINY

from uni3d import cli
from uni3d.batch import best, drive, make, page
from uni3d.batch.plan import Job, Shard, name_of, plan
from uni3d.batch.record import Record, Status
from uni3d.batch.rows import BadRow, Row, read_rows
from uni3d.errors import CheckpointError, ConfigError
from uni3d.mesh.types import FileOptions
from uni3d.run import finish
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
    script = {"a": ["queued", "done"], "b": ["busy"] * 3 + ["done"], "c": ["failed"], "d": ["done"]}
    engine = _Scripted(script)
    tally = drive.drive(Record(tmp_path), _tasks(tmp_path, "abcd"), engine, drive.Tally(total=4))
    assert (tally.done, tally.failed, tally.running) == (3, 1, 0) and engine.stopped
    assert engine.log[:4] == ["a", "b", "c", "d"] and set(map(len, script.values())) == {0}


def test_after_so_many_failures_nothing_is_begun(tmp_path):
    engine = _Scripted({name: ["failed"] for name in "abcdefgh"})
    tally = drive.drive(
        Record(tmp_path), _tasks(tmp_path, "abcdefgh"), engine, drive.Tally(total=8), max_failures=3
    )
    assert tally.failed == len(engine.log) == 4  # the fourth ran already


# Whole batches in this process, with the tiny teacher.


@pytest.fixture
def batch(tiny_folder, tmp_path, monkeypatch):
    """`batch(rows, options...)` gives the exit status; what it leaves is in tmp_path / "out"."""
    for name, value in (("TURNTABLE_FRAMES", 3), ("TURNTABLE_SIZE", 32), ("SHEET_SIZE", 32)):
        monkeypatch.setattr(finish, name, value)
    config = {**TINY, "steps": 2, "checkpoint_every": 1, "teacher": str(tiny_folder)}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config))

    def run(listed, *options: str) -> int:
        path = tmp_path / "list.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in listed))
        words = ["batch", str(path), "-o", str(tmp_path / "out"), "--shard", "0/1"]
        usual = ["--config", str(tmp_path / "tiny.yaml"), "--formats", "glb"]
        return cli.main([*words, *usual, *options])

    return run


def test_a_batch_is_what_single_runs_are_and_nothing_is_made_twice(batch, tmp_path, capsys):
    out = tmp_path / "out"
    listed = [{"prompt": "a cat"}, {"prompt": "a dog", "seed": 5}, {"prompt": ""}]
    assert batch(listed) == 1  # one row is bad
    assert f"{tmp_path / 'list.jsonl'}:3: the prompt is empty" in capsys.readouterr().err
    assert len(done_names(out)) == 2 and (out / "index.html").is_file()
    for prompt, seed in (("a cat", 0), ("a dog", 5)):
        (folder,) = out.glob(f"{prompt.replace(' ', '-')}-{seed}-*")
        single = tmp_path / "single" / prompt
        words = ["--config", str(tmp_path / "tiny.yaml"), "--formats", "glb", "--seed", str(seed)]
        assert cli.main([prompt, *words, "--out", str(single)]) == 0
        for name in ("mesh.glb", "checkpoint.safetensors", "sheet.png"):
            assert (folder / name).read_bytes() == (single / name).read_bytes(), (prompt, name)
        status = json.loads((folder / "status.json").read_text())
        assert (status["state"], status["attempts"], status["error"]) == ("done", 1, "")
        assert status["seconds"] > 0
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.name != "index.html"}
    assert batch(listed[:2]) == 0
    kept = {p: p.stat().st_mtime_ns for p in before if p.is_file()}
    assert kept == {p: t for p, t in before.items() if p.is_file()}
    # One more row, and one more format of those that are there: only these are made.
    assert batch([*listed[:2], {"prompt": "a car"}], "--formats", "glb,ply") == 0
    assert len(list(out.glob("*/mesh.ply"))) == 3 and len(list(out.glob("*/mesh.glb"))) == 3
    assert Counter(e["event"] for e in events(out))["running"] == 3
    capsys.readouterr()
    assert cli.main(["batch", "status", str(out)]) == 1  # of the refused row
    told = capsys.readouterr().out
    assert "3 objects: 3 done" in told and "refused: line 3: the prompt is empty" in told


def test_what_fails_is_tried_again_then_left_until_asked_for(batch, tmp_path, monkeypatch, capsys):
    out, broken = tmp_path / "out", [True]
    export = finish.export_run

    def breaks(config, run, *options):
        if config.prompt == "a dog" and broken:
            raise RuntimeError("no such dog")
        yield from export(config, run, *options)

    monkeypatch.setattr(finish, "export_run", breaks)
    listed = [{"prompt": "a dog"}, {"prompt": "a cat"}]
    assert batch(listed, "--retries", "2") == 1
    name = next(e["name"] for e in events(out) if e.get("prompt") == "a dog")
    status = Record(out).status(name)
    assert (status.state, status.attempts, status.failures) == ("failed", 3, 3)
    assert status.error == "RuntimeError: no such dog"
    assert "no such dog" in (out / ".work" / name / "error.txt").read_text()
    assert len(done_names(out)) == 1
    capsys.readouterr()
    assert cli.main(["batch", "status", str(out)]) == 1
    assert f"failed: {name}: RuntimeError: no such dog" in capsys.readouterr().out
    broken.clear()
    assert batch(listed) == 1  # failed is failed, until
    assert Record(out).status(name).attempts == 3
    assert batch(listed, "--retry-failed") == 0
    assert Record(out).status(name).attempts == 4 and len(done_names(out)) == 2
    # It went on where it was: its steps were done once.
    assert len((out / name / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_checkpoint_that_was_damaged_costs_only_its_steps(batch, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(
            finish, "export_run", lambda *_: iter([1 / 0]) if False else (_ for _ in [1 / 0])
        )
        assert batch([{"prompt": "a cat"}], "--retries", "0") == 1
    (name,) = (p.name for p in (out / ".work").iterdir())
    (out / ".work" / name / "checkpoint.safetensors").write_bytes(b"\x00" * 99)
    assert batch([{"prompt": "a cat"}], "--retry-failed") == 0
    assert (out / name / "mesh.glb").is_file()


def test_an_attempt_has_so_many_seconds(batch, tmp_path):
    assert batch([{"prompt": "a cat"}], "--timeout", "0.001", "--retries", "0") == 1
    (folder,) = (tmp_path / "out" / ".work").iterdir()
    assert Record(tmp_path / "out").status(folder.name).error == "took more than 0.001 s"
    assert (folder / "checkpoint.safetensors").is_file()  # its first step is kept
    assert batch([{"prompt": "a cat"}], "--retry-failed") == 0


def test_sigterm_keeps_the_steps_and_the_same_command_goes_on(batch, tmp_path, monkeypatch):
    out, prepare = tmp_path / "out", make.Maker._all

    def hit(self, run, task, deadline):
        os.kill(os.getpid(), signal.SIGTERM)
        prepare(self, run, task, deadline)

    with monkeypatch.context() as patch:
        patch.setattr(make.Maker, "_all", hit)
        assert batch([{"prompt": "a cat"}, {"prompt": "a dog"}]) == 130
    assert [e["event"] for e in events(out) if e["event"] != "queued"] == ["running", "stopped"]
    assert not done_names(out)
    assert batch([{"prompt": "a cat"}, {"prompt": "a dog"}]) == 0
    assert len(done_names(out)) == 2


def test_the_best_seed_is_kept_and_the_others_thinned_out(batch, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(best, "score", lambda folder, facts: (float(facts["seed"] == 1),))
    assert batch([{"prompt": "a cat"}], "--seeds", "3", "--keep", "best") == 0
    assert len(done_names(out)) == 3
    assert [p.parent.name.split("-")[2] for p in out.glob("*/mesh.glb")] == ["1"]
    assert not list(out.glob("a-cat-0-*/checkpoint*")) and list(out.glob("a-cat-0-*/sheet.png"))
    count = len(events(out))
    assert batch([{"prompt": "a cat"}], "--seeds", "3", "--keep", "best") == 0
    assert len(events(out)) == count  # nothing happened


def test_the_score_is_the_judges_then_the_outline_then_the_gap(tmp_path):
    steps = [{"step": k, "gap": 9.0 if k < 18 else 1.0} for k in range(20)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(s) + "\n" for s in steps) + "{")
    facts = {"right_views": 6, "views": 8, "silhouette_iou": 0.9}
    assert best.score(tmp_path, facts) == (0.75, 0.9, -1.0)
    better = {"right_views": 7, "views": 8, "silhouette_iou": 0.5}
    assert best.score(tmp_path, better) > best.score(tmp_path, facts)
    none = {"silhouette_iou": 0.95}
    assert best.score(tmp_path, none) == (0.0, 0.95, -1.0)


class _Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.rows, self.scripts = [], 0, 0

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href")]
        self.rows += tag == "tr"
        self.scripts += tag == "script"


def test_the_page_needs_no_network_and_escapes_what_people_write(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "ROWS", 2)
    record = Record(tmp_path)
    for k, prompt in enumerate(("a <script>alert(1)</script> cat", "a dog", "a car")):
        facts = {"right_views": 7, "views": 8, "seen": ["cat"] * 8, "files": ["mesh.glb"]}
        record.append([{"event": "queued", "name": f"n{k}", "prompt": prompt, "seed": k}])
        record.append([{"event": "done", "name": f"n{k}", "seconds": 2.0, **facts}])
    page.write_page(record, list(record.entries().values()))
    read = [_Reader(), _Reader()]
    for reader, name in zip(read, ("index.html", "index-2.html"), strict=True):
        reader.feed((tmp_path / name).read_text())
    assert [r.rows for r in read] == [3, 2] and [r.scripts for r in read] == [1, 1]
    for link in read[0].links + read[1].links:
        assert "//" not in link and link.split("/")[0] in (
            "n0",
            "n1",
            "n2",
            "index.html",
            "index-2.html",
        )
    assert "n0/mesh.glb" in read[0].links and "n0/thumb.png" in read[0].links


@pytest.mark.slow
def test_the_page_sorts_in_a_browser_from_the_disk(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    record = Record(tmp_path)
    for k, seconds in enumerate((30.0, 4.0, None, 100.0)):
        told = {} if seconds is None else {"seconds": seconds, "files": []}
        record.append([{"event": "queued", "name": f"n{k}", "prompt": f"toy {k}", "seed": k}])
        record.append([{"event": "done" if told else "failed", "name": f"n{k}", **told}])
    page.write_page(record, list(record.entries().values()))
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        shown = browser.new_page()
        asked: list[str] = []
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto((tmp_path / "index.html").as_uri())

        def order() -> list[str]:
            return shown.locator("tbody tr td:nth-child(2)").all_inner_texts()

        for _ in range(2):
            shown.get_by_role("button", name="seconds").click()
            told = order()
            assert told[-1] == "toy 2"  # without a number: last both ways
            assert [t for t in told if t != "toy 2"] in (
                ["toy 1", "toy 0", "toy 3"],
                ["toy 3", "toy 0", "toy 1"],
            )
        assert told[0] == "toy 3"
        browser.close()
    assert asked and all(url.startswith("file:") for url in asked)


def test_without_the_extra_the_command_that_installs_it_is_said(
    batch, monkeypatch, capsys, tmp_path
):
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["batch", str(tmp_path / "list.jsonl"), "-o", str(tmp_path / "out"), "--ray"]
    (tmp_path / "list.jsonl").write_text('{"prompt": "a cat"}\n')
    assert cli.main(words) == 2
    assert "ray is needed" in (err := capsys.readouterr().err)
    assert "pip install -e '.[cluster]'" in err and not (tmp_path / "out").exists()


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
        (["batch", "status", "nowhere"], "holds no batch"),
    ],
)
def test_a_wrong_command_is_one_line(words, part, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("a cat\n")
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert part in err and err.count("\n") == 1
    assert not Path("out").exists()


def test_an_object_that_another_process_makes_is_left_to_it(batch, tmp_path):
    record = Record(tmp_path / "out")
    record.working("x").mkdir(parents=True)
    (task,) = _tasks(record.root, ["x"])
    with held(record.working("x")):
        assert make.Maker().make(task).state == "busy"
        assert make.record_failure(task, "its worker died").state == "busy"
    assert make.record_failure(task, "its worker died").state == "queued"
    assert make.record_failure(task, "its worker died").state == "failed"
    assert record.status("x").failures == 2 and record.status("x").error == "its worker died"
