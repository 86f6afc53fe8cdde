"""Four objects side by side: what is queued, and what is shown as the files appear."""

import pytest
from tiny import tiny_teacher

from uni3d.errors import ConfigError
from uni3d.storage import checkpoint
from uni3d.web.runs import RunStore
from uni3d.web.site import Site
from uni3d.web.variations import COUNT, look_at_four, start_four
from uni3d.web.worker import Worker


@pytest.fixture
def site(tmp_path):
    """A site with an instant network, whose worker never begins."""
    weights = tmp_path / "network.safetensors"
    checkpoint.save(weights, {}, {"apart": 0.02})
    store = RunStore(tmp_path / "outputs")
    base = {"steps": 10, "instant": {"weights": str(weights)}}
    return Site(store=store, worker=Worker(store), base=base, teachers={"toybox": "toybox"})


VALUES = {
    "prompt": "a corgi",
    "teacher": "toybox",
    "preset": "default",
    "method": "uni-instruct",
    "divergence": "",
    "seed": 7,
    "negative_prompt": "",
    "guidance_scale": 5.0,
    "steps": 300,
    "views": 2,
}


def test_four_objects_of_one_pass_are_queued_with_seeds_of_their_own(site):
    runs = start_four(site, VALUES, "")
    configs = [site.store.config(run) for run in runs]
    assert [config["seed"] for config in configs] == [7, 8, 9, 10]
    assert {config["instant"]["only"] for config in configs} == {True}
    assert {config["instant"]["weights"] for config in configs} == {site.base["instant"]["weights"]}
    assert [site.worker.position(run) for run in runs] == [0, 1, 2, 3]
    with pytest.raises(ConfigError, match="seed"):
        start_four(site, {**VALUES, "seed": 2**31 - 2}, "")  # the fourth would be above the limit
    # All four or none: what was queued of them before the fault waits no more.
    waiting = [one for one in site.store.runs() if one.state.state == "queued"]
    assert sorted(one.run_id for one in waiting) == sorted(runs)


def test_a_mesh_is_shown_when_its_file_is_there_and_only_then(site):
    runs = start_four(site, VALUES, "")

    def values(updates, first):
        return [u.get("value") for u in updates[first : first + COUNT] if "value" in u]

    updates = look_at_four(site, runs, "", "")
    seen = updates[1]
    assert values(updates, 2) == [None] * COUNT
    assert [u["interactive"] for u in updates[2 + COUNT :]] == [False] * COUNT
    quiet = look_at_four(site, runs, seen, "")
    assert all("value" not in update and "interactive" not in update for update in quiet)
    mesh = site.store.root / runs[2] / "mesh.glb"
    mesh.write_bytes(b"glTF")
    updates = look_at_four(site, runs, seen, "")
    assert str(mesh) in values(updates, 2)
    assert not updates[2 + COUNT + 2]["interactive"]  # it is still being written
    site.store.change(runs[2], state="done")
    later = look_at_four(site, runs, updates[1], "")
    assert str(mesh) not in values(later, 2)  # it is there already, and is not loaded again
    assert later[2 + COUNT + 2]["interactive"]


def test_what_is_refined_goes_on_as_a_run(site):
    (run, *_) = start_four(site, VALUES, "")
    with site.worker._changed:
        site.worker._waiting.clear()
    site.store.change(run, state="done")
    site.proceed(run, 0, "")
    assert [(job.kind, job.run_id) for job in site.worker._waiting] == [("resume", run)]


def test_a_site_without_a_network_offers_none(tmp_path):
    store = RunStore(tmp_path)
    teacher = tiny_teacher(tmp_path / "teacher")
    plain = Site(store=store, worker=Worker(store), base={}, teachers={"tiny": str(teacher)})
    assert not plain.instant and not plain.instant_varies


@pytest.mark.parametrize(("apart", "varies"), [(0.02, True), (0.003, False)])
def test_four_are_offered_only_where_seeds_differ(tmp_path, apart, varies):
    weights = tmp_path / "network.safetensors"
    checkpoint.save(weights, {}, {"apart": apart})
    store = RunStore(tmp_path / "outputs")
    base = {"instant": {"weights": str(weights)}}
    site = Site(store=store, worker=Worker(store), base=base, teachers={"toybox": "toybox"})
    assert site.instant and site.instant_varies is varies
