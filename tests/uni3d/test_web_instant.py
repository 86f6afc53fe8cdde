"""In a browser: four objects of the instant network, each in a viewer, and one refined."""

import dataclasses

import numpy as np
import pytest
import torch
import yaml
from served import Served
from test_web_browser import MINUTES, Tab, _pixels, browser  # noqa: F401
from tiny import TINY

from uni3d.instant.generator import Generator, GeneratorConfig
from uni3d.storage import checkpoint

pytestmark = pytest.mark.slow

SMALL = GeneratorConfig(
    text_width=16, text=8, noise=4, style=8, channels=(8, 8, 8), side=3, features=3, hidden=8
)


def test_four_objects_are_shown_and_one_is_refined(browser, tiny_folder, tmp_path):  # noqa: F811
    network = Generator(SMALL, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.out.weight.mul_(6)
    weights = tmp_path / "network.safetensors"
    described = {"network": dataclasses.asdict(SMALL), "teacher": str(tiny_folder)}
    checkpoint.save(weights, network.state_dict(), described)
    own = {k: v for k, v in TINY.items() if k != "checkpoint_every"}
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump({**own, "instant": {"weights": str(weights)}}))
    teachers = ("--teacher", str(tiny_folder), "--config", str(config))
    with Served(tmp_path / "outputs", *teachers, "--picture-seconds", "1") as served:
        tab = Tab(browser, served)
        page = tab.page
        page.fill("#prompt textarea", "a corgi")
        page.click("#advanced > button")
        tab.choose("teacher", "tiny")
        page.click("#four")
        for k in range(1, 5):
            page.locator(f"#variation-{k} canvas").wait_for(timeout=4 * MINUTES)
            page.wait_for_selector(f"#refine-{k}:not([disabled])", timeout=4 * MINUTES)
        seen = _pixels(page.locator("#variation-2 canvas"))
        assert len(np.unique(seen.reshape(-1, 3), axis=0)) > 30
        configs = [served.store.config(one.run_id) for one in served.store.runs()]
        assert sorted(config["seed"] for config in configs) == [0, 1, 2, 3]
        page.click("#refine-2")
        tab.wait("Done")
        run = served.store.config(tab.run_id)
        assert run["seed"] == 1
        assert served.store.report(tab.run_id)["steps_done"] == run["steps"]
        assert tab.errors == []
        page.context.close()
