"""What a mesh is, how one is asked for, and what is said of it."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from uni3d.config_io import within
from uni3d.errors import ExportError

__all__ = ["LOOK_SAMPLES", "FileOptions", "Mesh", "MeshConfig", "MeshReport"]

LOOK_SAMPLES = 12  # points along the short ray that makes a texel's colour


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """How the surface is taken out of the field."""

    resolution: int = 96  # density samples along each side of the box [-1, 1]^3; at least 8
    blur: float = 0.7  # pixels: deviation of the Gaussian over log density; 0 = off
    levels: int = 12  # density levels of the coarse sweep; two finer ones follow; at least 3
    # parts smaller than this share of the largest's area or volume are dropped; 0..1
    min_component_fraction: float = 0.02
    smoothing_iterations: int = 5  # Taubin pairs; 0 = off
    target_faces: int = 20_000  # triangles at most; at least 16
    texture_size: int = 1024  # texels along a side; at least 16
    uv_time_limit_s: float = 60.0  # seconds; then vertex colours are used instead of a texture
    chunk: int = 1 << 18  # points per call of density and colour; at least 12

    def __post_init__(self) -> None:
        limits = {"resolution": 8, "blur": 0, "levels": 3, "smoothing_iterations": 0}
        limits |= {"target_faces": 16, "texture_size": 16, "chunk": LOOK_SAMPLES}
        for name, least in limits.items():
            value = getattr(self, name)
            if value < least:
                raise ExportError(f"mesh.{name}: got {value}, want at least {least}; do: raise it")
        within(
            self,
            "mesh",
            resolution=(8, 2048),
            blur=(0, 1000),
            levels=(3, 1000),
            min_component_fraction=(0, 1),
            smoothing_iterations=(0, 10_000),
            target_faces=(16, 10**8),
            texture_size=(16, 16_384),
            uv_time_limit_s=(0, 1e6),
            chunk=(LOOK_SAMPLES, 2**26),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileOptions:
    """What may be asked of the mesh files of a run."""

    size_mm: float = 80.0  # longest side in STL, 3MF and USDZ
    # The colours hold little light (a soft lamp at the camera), and without shading a shape is
    # hard to read; so lit is the default.
    unlit: bool = False

    def __post_init__(self) -> None:
        if not 0.1 <= self.size_mm <= 100_000:
            raise ExportError(f"size-mm: got {self.size_mm}, want 0.1 to 100000; do: change it")


@dataclasses.dataclass(frozen=True)
class Mesh:
    """A triangle surface in world axes (z up), faces counter-clockwise seen from outside.

    vertices: float32 `[v, 3]`; faces: int32 `[f, 3]`; then either uv float32 `[v, 2]` (u right,
    v up) with texture uint8 `[h, w, 3]` (row 0 on top, sRGB), or vertex_colors uint8 `[v, 3]`.
    With a texture, vertices on chart borders appear once per chart.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None
    vertex_colors: NDArray[np.uint8] | None = None


@dataclasses.dataclass(frozen=True)
class MeshReport:
    """What came out; `dataclasses.asdict` gives plain JSON values."""

    faces: int
    vertices: int  # of the surface, before chart borders split them
    watertight: bool
    volume: float  # scene units cubed
    components_dropped: int
    level: float  # density of the surface
    silhouette_iou: float  # of the final mesh with opacity > 0.5, mean over the views
    textured: bool
    texture_note: str  # why there is no texture; empty when there is one
    seconds: dict[str, float]  # per stage
