"""Batches that are killed, on every engine: all done, none twice, none lost, bytes as ever."""

import random
import signal
import time

import pytest
from batches import PROMPTS, Batches, done_names

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    made = Batches(tmp_path_factory.mktemp("batches"), PROMPTS)
    made.single(made.folder / "single", made.prompts)
    return made


KILLS = ["driver", "worker", "driver", "worker", "driver"]


def test_twenty_four_prompts_survive_five_kills(batches):
    out = batches.folder / "processes"
    hits = batches.killed(out, KILLS, 1, "--workers", "2", "--retries", "3")
    batches.check(out, batches.folder / "single")
    assert sum("done" in hit for hit in hits) >= 4, hits  # it may end before the last


def test_ray_survives_kills_of_actors_and_driver(batches):
    pytest.importorskip("ray")
    out = batches.folder / "ray"
    kills = ["worker", "worker", "driver", "worker", "worker"]
    hits = batches.killed(out, kills, 2, "--ray", "--workers", "2", "--retries", "3")
    batches.check(out, batches.folder / "single")
    assert sum("done" in hit for hit in hits) >= 4, hits


def test_two_shards_in_one_folder_of_which_one_is_killed(batches):
    out, draw = batches.folder / "shards", random.Random(3)
    parts = [batches.command(out, "--shard", f"{k}/2") for k in range(2)]
    for _ in range(5):
        wanted = len(done_names(out)) + draw.randint(1, 3)
        while len(done_names(out)) < wanted and any(p.poll() is None for p in parts):
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 1))
        hit = draw.randrange(2)
        if parts[hit].poll() is None:
            parts[hit].send_signal(signal.SIGKILL)
            parts[hit].wait()
            parts[hit] = batches.command(out, "--shard", f"{hit}/2")
    assert [part.wait(1200) for part in parts] == [0, 0]
    batches.check(out, batches.folder / "single")
