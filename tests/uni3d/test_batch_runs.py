"""Whole batches in this process, with the tiny teacher: nothing twice, nothing lost, failures."""

import json
import os
import signal
from collections import Counter

import pytest
import yaml
from batches import done_names, events
from tiny import TINY

from uni3d import cli
from uni3d.batch import best, make
from uni3d.batch.record import Record
from uni3d.run import finish


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
    assert batch([{"prompt": "a cat"}], "--retry-failed", "--drop-checkpoints") == 0
    assert (out / name / "mesh.glb").is_file()
    assert not (out / name / "checkpoint.safetensors").exists()
    # Other formats would want it: they are not tried.
    assert batch([{"prompt": "a cat"}], "--formats", "glb,ply") == 0
    assert not (out / name / "mesh.ply").exists()


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
