"""The bench from its plan to its tables, with a teacher of a few thousand random numbers."""

import argparse
import dataclasses
import json

import numpy as np
import pytest
from tiny import TINY

from uni3d.bench import cost, scores, truth
from uni3d.bench.commands import _check_same
from uni3d.bench.features import Objects, stacked
from uni3d.bench.plan import (
    METHODS,
    PROMPTS,
    SUITES,
    TUNING_PROMPTS,
    Suite,
    config_of,
    folder_of,
    make_plan,
    read_plan,
    write_plan,
)
from uni3d.bench.report import tables
from uni3d.bench.work import OBJECTS_FILE, ROW, Only, finished, work, write_objects
from uni3d.errors import CheckpointError, ConfigError
from uni3d.instruct.names import DIVERGENCE_NAMES
from uni3d.storage.lock import held

SUITE = Suite(("a red car", "a chair"), 2, ("sds", "vsd"), 60.0, truths=24)


@pytest.fixture
def plan(tiny_folder):
    small = {**TINY, "teacher": {"name": str(tiny_folder)}}
    overrides = [f"{key}={json.dumps(value)}" for key, value in small.items()]
    methods = {name: METHODS[name] for name in SUITE.methods}
    made = make_plan(SUITE, methods, "draft", overrides, {"torch": "any"})
    free = {"step": 1.0, "setup": 0.5, "setup_pictures": 7.0}
    return type(made)(
        **{**vars(made), "steps": {"sds": 3, "vsd": 2}, "cost": dict.fromkeys(METHODS, free)}
    )


def test_the_table_has_all_methods_and_none_of_the_prompts_used_for_tuning():
    assert set(METHODS) == {"sds", "vsd", "sim", "sid", *DIVERGENCE_NAMES}
    assert not set(PROMPTS) & set(TUNING_PROMPTS)
    standard, full = SUITES["standard"], SUITES["full"]
    assert (len(standard.prompts), standard.seeds) == (6, 8)
    assert (len(full.prompts), full.seeds) == (8, 16)
    for suite in SUITES.values():
        made = make_plan(suite, {m: METHODS[m] for m in suite.methods}, "draft", [], {})
        assert not config_of(made, made.prompts[0], 0, suite.methods[0]).instant.use
    # Also where the preset is of one pass: there would be nothing to compare.
    made = make_plan(SUITES["smoke"], {"sds": METHODS["sds"]}, "instant", [], {})
    assert not config_of(made, made.prompts[0], 0, "sds").instant.only


def test_other_options_than_those_of_the_folder_are_refused(tmp_path):
    write_plan(make_plan(SUITES["smoke"], {"sds": METHODS["sds"]}, "draft", [], {}), tmp_path)
    asked = argparse.Namespace(out=tmp_path, suite="smoke", preset="draft", report=False)
    vars(asked).update(budget=None, seeds=None, prompts=None, methods=None, variants=None)
    asked.overrides = []
    kept = read_plan(tmp_path)
    _check_same(kept, asked)  # none given: what is there
    asked.methods = "sds"
    _check_same(kept, asked)
    asked.budget = 9.0
    with pytest.raises(ConfigError, match="a bench with other budget; wanted"):
        _check_same(kept, asked)


def test_runs_of_a_seed_differ_in_their_method_alone(plan):
    one, other = (config_of(plan, "a chair", 1, method) for method in ("sds", "vsd"))
    assert (one.method, one.steps, other.method, other.steps) == ("sds", 3, "vsd", 2)
    assert (one.seed, one.prompt, one.camera, one.scene) == (
        other.seed,
        other.prompt,
        other.camera,
        other.scene,
    )
    # A bench that is stopped has whole prompts: both seeds of the first before the second's.
    assert [cell[0] for cell in plan.cells[:4]] == ["a red car"] * 4
    assert len(set(plan.cells)) == 8


def test_a_plan_comes_back_as_it_was(plan, tmp_path):
    assert read_plan(tmp_path) is None
    write_plan(plan, tmp_path)
    assert read_plan(tmp_path) == plan
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not a plan"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": 1}, "wanted 2 seeds or more"),
        ({"prompts": ("a zxqv",)}, "want a thing the teacher knows"),
        ({"prompts": ("a chair", "a  chair")}, "two of these share one"),
        ({}, "steps"),
    ],
)
def test_impossible_suites_stop_at_once(change, message):
    methods = {"sds": METHODS["sds"] if change else {"method": "sds", "steps": 0}}
    with pytest.raises(ConfigError, match=message):
        make_plan(Suite(**{**vars(SUITE), **change}), methods, "draft", [], {})


def test_a_budget_is_as_many_steps_as_it_pays(plan, monkeypatch):
    clock = [0.0]
    taken = {"sds": 0.5, "vsd": 2.0}

    def take_step(parts, step):
        clock[0] += taken[parts.config.method]

    monkeypatch.setattr(cost, "take_step", take_step)
    monkeypatch.setattr(cost.time, "process_time", lambda: clock[0])
    *_, (_, _, priced) = cost.priced(plan, 4)
    assert priced.steps == {"sds": 120, "vsd": 30}
    assert priced.cost["vsd"]["step"] == 2.0
    own = {"sds": {"method": "sds", "steps": 7}, "vsd": plan.methods["vsd"]}
    *_, (_, _, priced) = cost.priced(dataclasses.replace(plan, methods=own), 4)
    assert priced.steps == {"sds": 7, "vsd": 30}  # a variant's own steps stay
    poor = type(plan)(**{**vars(plan), "budget": 1.0})
    with pytest.raises(ConfigError, match=r"vsd needs 0\.0 s before its first step and 2\.00 s a"):
        list(cost.priced(poor, 4))


def test_what_is_finished_is_kept_and_what_another_does_is_left(plan, tmp_path):
    first, second, *others = plan.cells
    busy = tmp_path / folder_of(*second)
    busy.mkdir(parents=True)
    with held(busy):
        done = [
            cell for cell, _, _, done in work(plan, tmp_path, Only(("a-red-car",)), bool) if done
        ]
    assert done == [cell for cell in plan.cells if cell[0] == "a red car" and cell != second]
    before = (tmp_path / folder_of(*first) / OBJECTS_FILE).read_bytes()
    stamps = {cell: (tmp_path / folder_of(*cell) / ROW).stat().st_mtime_ns for cell in done}
    done = [cell for cell, _, _, done in work(plan, tmp_path, Only(()), bool) if done]
    assert set(done) == {second, *(cell for cell in others if cell[0] == "a chair")}
    for cell, stamp in stamps.items():
        assert (tmp_path / folder_of(*cell) / ROW).stat().st_mtime_ns == stamp
    rows = finished(plan, tmp_path)
    assert set(rows) == set(plan.cells)
    sds, vsd = (rows["a chair", 0, method] for method in ("sds", "vsd"))
    # 2 views: guided asks 4 pictures a step, vsd the fake score and its fit 2 each besides.
    assert (sds["unet_pictures"], vsd["unet_pictures"]) == (3 * 4 + 7, 2 * (4 + 2 + 2) + 7)
    assert (sds["steps"], vsd["steps"]) == (3, 2)
    # Again from nothing it is the same, to the byte.
    (tmp_path / folder_of(*first) / ROW).unlink()
    list(work(plan, tmp_path, Only(("sds", "a-red-car", "seed0")), bool))
    assert (tmp_path / folder_of(*first) / OBJECTS_FILE).read_bytes() == before


def test_a_run_that_is_broken_off_leaves_no_row(plan, tmp_path):
    pressed = []
    for _, step, _, done in work(plan, tmp_path, Only(()), lambda: bool(pressed)):
        assert not done
        pressed.append(step)
    assert finished(plan, tmp_path) == {}


def _as_if_made(plan, folder, objects):
    """Rows and pictures of runs that were not run: objects(method, prompt, seed) -> Objects."""
    for cell in plan.cells:
        run = folder / folder_of(*cell)
        run.mkdir(parents=True)
        prompt, seed, method = cell
        write_objects(objects(method, prompt, seed), run / OBJECTS_FILE)
        row = {"steps": 1, "seconds": 60.0, "unet_pictures": 8, "peak_memory_mb": 100.0}
        (run / ROW).write_text(json.dumps({**row, "metrics": {"gap": 0.25}}))


def test_truth_scores_as_the_floor_and_a_blob_does_not(plan, tmp_path, monkeypatch):
    plan = type(plan)(**{**vars(plan), "seeds": 4})
    monkeypatch.setattr(truth, "FLOOR", 16)
    monkeypatch.setattr(scores, "DRAWS", 200)

    def teacher(plan, _folder, prompt):  # the tiny one cannot draw
        return Objects(truth.drawn(prompt, plan.seeds, 50).pictures, None)

    monkeypatch.setattr(scores, "teacher_pictures", teacher)
    blob = stacked([truth.drawn("a pink donut", 1, 60)])

    def objects(method, prompt, seed):
        return truth.drawn(prompt, 4, 70)[slice(seed, seed + 1)] if method == "sds" else blob

    _as_if_made(plan, tmp_path, objects)
    found = scores.scores_of(plan, tmp_path)
    good, bad, floor = (found.rows[name] for name in ("sds", "vsd", "truth"))
    assert found.pairs == [(p, s) for p in plan.prompts for s in range(4)]
    for space in ("look", "shape", "colour"):
        name = f"mmd2 {space}"
        assert abs(good[name].mean) < 0.25, name  # one draw of 4 objects
        assert bad[name].low > 0.5 and bad[name].low <= bad[name].mean <= bad[name].high
    assert abs(floor["mmd2 look"].mean) < 0.1 and floor["mmd2 look"].low < 0
    assert abs(bad["diversity"].mean) < 1e-9 and 0.6 < good["diversity"].mean < 1.6
    assert bad["1-NN accuracy"].mean == 1 and bad["coverage"].mean < 0.1 < good["coverage"].mean
    assert good["kind"].mean > 0.9 and bad["kind"].mean < 0.1
    assert good["sharpness"].mean == pytest.approx(1, abs=0.2)
    assert good["psnr"].mean > bad["psnr"].mean + 3
    difference = bad["minus sds"]
    assert difference.mean == pytest.approx(bad["mmd2 look"].mean - good["mmd2 look"].mean)
    assert difference.low > 0.3 and difference.p == pytest.approx(2 / 201)
    assert np.isnan([good[n].mean for n in ("worn",) if n in good]).all()
    text = tables(plan, found)
    assert (
        "| vsd | " in text
        and "p 0.01" in text
        and "2 prompts (a red car, a chair), 4 seeds" in text
    )


def test_without_two_seeds_there_is_nothing_to_compare(plan, tmp_path):
    with pytest.raises(CheckpointError, match="no prompt has two seeds"):
        scores.scores_of(plan, tmp_path)
