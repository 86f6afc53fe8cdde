"""Texture coordinates, on the CPU.

The unwrapping (xatlas) runs in a child process, because it is native code that cannot be
interrupted and has been seen to take an hour on rough surfaces; the child is killed in time.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from numpy.typing import NDArray

__all__ = ["unwrap"]

# Run as `python -c`: the child must not import the caller's __main__ (scripts without a guard,
# notebooks) nor torch, so multiprocessing is not used.
_CHILD = """
import sys
import numpy as np
import xatlas

with np.load(sys.argv[1]) as data:
    vertices, faces, resolution, padding = (data[k] for k in ("v", "f", "resolution", "padding"))
atlas = xatlas.Atlas()
atlas.add_mesh(vertices, faces)
options = xatlas.PackOptions()
options.resolution = int(resolution)
options.padding = int(padding)
options.bilinear = True
atlas.generate(xatlas.ChartOptions(), options)
if atlas.atlas_count != 1:
    sys.exit(f"xatlas made {atlas.atlas_count} atlases, 1 is needed")
source, corners, uv = atlas[0]
np.savez(sys.argv[2], source=source, faces=corners, uv=uv)
"""


def unwrap(
    vertices: NDArray, faces: NDArray, texture_size: int, time_limit_s: float, padding: int = 3
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]] | str:
    """Cut the surface into charts and pack them in the unit square.

    Returns, for each vertex of the unwrapped mesh, the vertex it came from `[n]`, the faces
    `[f, 3]` and uv `[n, 2]` - or, where it cannot be done in `time_limit_s` seconds of wall
    clock, a sentence why. `padding` is the free space around charts in texels.
    """
    if time_limit_s <= 0:
        return "the time limit for texture coordinates is 0"
    with tempfile.TemporaryDirectory(prefix="uni3d-uv-") as folder:
        given, made = pathlib.Path(folder, "given.npz"), pathlib.Path(folder, "made.npz")
        np.savez(
            given,
            v=np.ascontiguousarray(vertices, dtype=np.float32),
            f=np.ascontiguousarray(faces, dtype=np.uint32),
            resolution=texture_size,
            padding=padding,
        )
        path = os.pathsep.join(entry for entry in sys.path if entry)
        try:
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, str(given), str(made)],
                timeout=time_limit_s,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": path},
                check=False,
            )
        except subprocess.TimeoutExpired:  # run() has killed the child by now
            return f"texture coordinates took longer than {time_limit_s:g} s"
        except OSError as error:
            return f"xatlas could not be started: {error}"
        if done.returncode != 0 or not made.exists():
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            return f"xatlas failed: {last}"
        with np.load(made) as data:
            source, corners, uv = data["source"], data["faces"], data["uv"]
    return source.astype(np.int64), corners.astype(np.int32), uv.astype(np.float32)
