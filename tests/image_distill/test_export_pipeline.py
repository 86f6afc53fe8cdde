"""An exported student: five lines of diffusers, elsewhere, give the pictures of `generate`."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny_run import write_teacher

from image_distill.__main__ import main
from image_distill.denoisers import build
from image_distill.sample import OneStep, generate
from image_distill.teachers import load_denoiser, write_denoiser

# In a process that does not have this package: only what the folder holds.
USE = """
import sys, numpy
from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)
pipe.set_progress_bar_config(disable=True)
images = pipe(seeds=[3, 5, 900], batch_size=2, output_type="pt").images
shown = pipe(seeds=[3], classes=[2] if pipe.unet.model.label_dim else None).images[0]
assert "image_distill" not in sys.modules and "uni3d" not in sys.modules
numpy.savez(sys.argv[2], images=images.numpy(), shown=numpy.array(shown))
"""


def used(out, tmp_path):
    """What the five lines make, far from this repository."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"HF_MODULES_CACHE": str(tmp_path / "modules"), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", USE, str(out), str(tmp_path / "made.npz")],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=600,
    )
    with np.load(tmp_path / "made.npz") as file:
        return torch.from_numpy(file["images"]), file["shown"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["song", "vp", "edm2"])
def test_the_pictures_are_those_of_generate(tmp_path, kind, capsys):
    run = tmp_path / "run"
    if kind == "edm2":
        arguments = {"img_resolution": 8, "img_channels": 3, "model_channels": 64}
        arguments |= {"channel_mult": [1], "num_blocks": 1, "attn_resolutions": [8]}
        network = build("EDM2UNet", arguments)
        network.model.out_gain.data += 1
        write_denoiser(run / "last", network, {"network": "EDM2UNet", "init_kwargs": arguments})
    else:
        write_teacher(run / "last")
    if kind == "vp":
        path = run / "last" / "network.json"
        changes = {"preconditioning": "VPPrecond", "precond_kwargs": {"beta_d": 18.0}}
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    (run / "recipe.yaml").write_text("init_sigma: 1.7\n")
    assert main(["export", str(run), str(tmp_path / "out")]) == 0
    assert "DiffusionPipeline" in capsys.readouterr().out

    images, shown = used(tmp_path / "out", tmp_path)
    denoiser, sampler = load_denoiser(run / "last"), OneStep(init_sigma=1.7)
    expected = torch.cat([b.images for b in generate(denoiser, [3, 5, 900], sampler)])
    assert float(expected.std()) > 0.05
    assert float((images - ((expected + 1) / 2).clamp(0, 1)).abs().max()) < 1e-5
    chosen = 2 if kind != "edm2" else None
    one = next(generate(denoiser, [3], sampler, chosen=chosen)).images[0]
    pixels = (one * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.abs(pixels.squeeze().astype(int) - shown.astype(int)).max() <= 1


def test_mistakes_are_one_line_and_nothing_is_lost(tmp_path, capsys):
    assert main(["export", str(tmp_path / "none"), str(tmp_path / "out")]) == 2
    assert "got no network" in capsys.readouterr().err
    write_teacher(tmp_path / "run" / "last")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    for more, said in (([], "--overwrite"), (["--overwrite"], "other files")):
        assert main(["export", str(tmp_path / "run"), str(tmp_path / "mine"), *more]) == 2
        assert said in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    # Once more into the same folder where asked; the best network goes before the last.
    write_teacher(tmp_path / "run" / "best", seed=1)
    for more in ([], ["--overwrite"]):
        assert main(["export", str(tmp_path / "run"), str(tmp_path / "out"), *more]) == 0
    from safetensors.torch import load_file

    found = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")
    best = load_denoiser(tmp_path / "run" / "best").state_dict()
    assert all(torch.equal(found[name], value) for name, value in best.items())
