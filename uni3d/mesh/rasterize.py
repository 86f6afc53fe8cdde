"""Deterministic z-buffer rasteriser on the CPU: silhouettes, textured pictures and UV baking.

Screen space is pixels: x to the right, y down, the centre of pixel (row i, column j) is at
(j + 0.5, i + 0.5), the third coordinate is the distance along the viewing axis (positive in
front of the camera). The pictures agree with `Cameras.rays`, pixel for pixel.

Texture space follows OBJ: u to the right, v up, (0, 0) is the lower left corner of the picture.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.scene.kernels import kernel

__all__ = [
    "TriangleMesh",
    "normals",
    "project",
    "rasterize",
    "sample_texture",
    "shade",
    "silhouettes",
    "vertex_normals",
]

NEAR = 1e-4  # triangles that reach closer than this to the camera plane are dropped, not clipped


class TriangleMesh(Protocol):
    """What the rasteriser needs of a mesh; `uni3d.mesh.surface.Mesh` is one."""

    @property
    def vertices(self) -> NDArray[np.float32]: ...  # [v, 3]
    @property
    def faces(self) -> NDArray[np.int32]: ...  # [f, 3]
    @property
    def uv(self) -> NDArray[np.float32] | None: ...  # [v, 2]
    @property
    def texture(self) -> NDArray[np.uint8] | None: ...  # [h, w, 3]
    @property
    def vertex_colors(self) -> NDArray[np.uint8] | None: ...  # [v, 3]


def project(cameras: Cameras, vertices: NDArray, height: int, width: int) -> NDArray[np.float64]:
    """World points `[v, 3]` in screen space `[batch, v, 3]`: pixel x, pixel y, axis distance.

    The inverse of `Cameras.rays`. A point on the camera plane gives infinity or NaN.
    """
    rotation = cameras.rotation.numpy().astype(np.float64)  # [batch, 3, 3] columns: right, up, back
    position = cameras.position.numpy().astype(np.float64)  # [batch, 3]
    points = np.asarray(vertices, dtype=np.float64)
    local = (points[None] - position[:, None]) @ rotation  # [batch, v, 3]
    half = np.tan(np.deg2rad(cameras.fovy_deg.numpy().astype(np.float64)) / 2)[:, None]
    distance = -local[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        ndc_x = local[..., 0] / (distance * half) * (height / width)  # -1..1 over the width
        ndc_y = local[..., 1] / (distance * half)
    return np.stack([(ndc_x + 1) * (width / 2), (1 - ndc_y) * (height / 2), distance], axis=-1)


def rasterize(
    screen: NDArray, faces: NDArray, height: int, width: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Nearest triangle at every pixel centre.

    screen: `[v, 3]` pixel x, pixel y, distance (see the module); faces: `[f, 3]` indices.
    Returns the face index `[height, width]` (-1 where there is none), perspective-correct
    barycentric weights of the face's three corners `[height, width, 3]`, and the distance
    `[height, width]` (infinity where there is none). Both sides of a triangle are seen; of two
    triangles at the same distance the one with the lower index wins, so the result depends on
    nothing but the input. A triangle with a corner behind the camera is left out.
    """
    return _rasterize(
        np.ascontiguousarray(screen, dtype=np.float64),
        np.ascontiguousarray(faces, dtype=np.int32),
        height,
        width,
    )


@kernel()
def _rasterize(screen, faces, height, width):  # pragma: no cover - compiled
    face_index = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), np.inf, np.float32)
    nearest = np.zeros((height, width), np.float64)  # 1 / distance, 0 = infinitely far
    for f in range(faces.shape[0]):
        ax, ay, az = screen[faces[f, 0]]
        bx, by, bz = screen[faces[f, 1]]
        cx, cy, cz = screen[faces[f, 2]]
        if not (az > NEAR and bz > NEAR and cz > NEAR):
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0 or not np.isfinite(area):
            continue
        # Clamp before the cast: a corner far outside the picture must not overflow the integer.
        left = int(max(np.ceil(min(ax, bx, cx) - 0.5), 0.0))
        right = int(min(np.floor(max(ax, bx, cx) - 0.5), width - 1.0))
        top = int(max(np.ceil(min(ay, by, cy) - 0.5), 0.0))
        bottom = int(min(np.floor(max(ay, by, cy) - 0.5), height - 1.0))
        for i in range(top, bottom + 1):
            y = i + 0.5
            for j in range(left, right + 1):
                x = j + 0.5
                wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                wc = ((ax - x) * (by - y) - (ay - y) * (bx - x)) / area
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                inverse = wa / az + wb / bz + wc / cz  # 1 / distance is linear on the screen
                if inverse > nearest[i, j]:
                    nearest[i, j] = inverse
                    face_index[i, j] = f
                    depth[i, j] = 1.0 / inverse
                    weights[i, j, 0] = wa / az / inverse
                    weights[i, j, 1] = wb / bz / inverse
                    weights[i, j, 2] = wc / cz / inverse
    return face_index, weights, depth


def silhouettes(mesh: TriangleMesh, cameras: Cameras, height: int, width: int) -> Tensor:
    """Where the mesh is seen, bool `[batch, height, width]`: the pixel centre is covered."""
    screens = project(cameras, mesh.vertices, height, width)
    masks = [rasterize(screen, mesh.faces, height, width)[0] >= 0 for screen in screens]
    return torch.from_numpy(np.stack(masks))


def shade(
    mesh: TriangleMesh,
    cameras: Cameras,
    height: int,
    width: int,
    supersample: int = 2,
    light: Literal["none", "headlight"] = "none",
    background: float = 1.0,
) -> Tensor:
    """Pictures of the coloured mesh, float32 `[batch, 3, height, width]` in [0, 1].

    "none" shows the baked colours as they are (they already hold the field's shading);
    "headlight" multiplies by 0.35 + 0.65 |cos| of the angle to the viewing direction. Colours
    come from the texture (bilinear), else from the vertices, else light grey.
    `supersample`^2 samples per pixel are averaged.
    """
    unit = vertex_normals(mesh.vertices, mesh.faces) if light == "headlight" else None

    def colour(face: NDArray, weight: NDArray, position: NDArray) -> NDArray:
        corners = mesh.faces[face]  # [n, 3]
        if mesh.texture is not None and mesh.uv is not None:
            rgb = sample_texture(mesh.texture, _blend(mesh.uv[corners], weight))
        elif mesh.vertex_colors is not None:
            rgb = _blend(mesh.vertex_colors[corners], weight) / 255
        else:
            rgb = np.full((len(face), 3), 0.8)
        if unit is None:
            return rgb
        toward = _normalise(position - _blend(mesh.vertices[corners], weight))
        cosine = np.abs((_normalise(_blend(unit[corners], weight)) * toward).sum(-1))
        return rgb * (0.35 + 0.65 * cosine)[:, None]

    return _pictures(mesh, cameras, height, width, supersample, background, colour)


def normals(
    mesh: TriangleMesh,
    cameras: Cameras,
    height: int,
    width: int,
    supersample: int = 2,
    background: float = 1.0,
) -> Tensor:
    """World-space unit normals n shown as (n + 1) / 2, float32 `[batch, 3, height, width]`."""
    unit = vertex_normals(mesh.vertices, mesh.faces)

    def colour(face: NDArray, weight: NDArray, position: NDArray) -> NDArray:
        return (_normalise(_blend(unit[mesh.faces[face]], weight)) + 1) / 2

    return _pictures(mesh, cameras, height, width, supersample, background, colour)


def _pictures(mesh, cameras, height, width, supersample, background, colour) -> Tensor:
    """Rasterise every view at `supersample` times the size, colour the hits, average.

    Views are made by as many Python threads as torch has: none depends on another.
    """
    assert supersample >= 1, f"supersample: got {supersample}, want at least 1"
    rows, columns = height * supersample, width * supersample
    screens = project(cameras, mesh.vertices, rows, columns)
    positions = cameras.position.numpy().astype(np.float64)

    def view(screen: NDArray, position: NDArray) -> NDArray[np.float32]:
        face_index, weights, _ = rasterize(screen, mesh.faces, rows, columns)
        hit = face_index >= 0
        picture = np.full((rows, columns, 3), background, dtype=np.float64)
        picture[hit] = colour(face_index[hit], weights[hit].astype(np.float64), position)
        blocks = picture.reshape(height, supersample, width, supersample, 3)
        return blocks.mean(axis=(1, 3)).transpose(2, 0, 1).astype(np.float32)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return torch.from_numpy(np.stack(list(pool.map(view, screens, positions))))


def _blend(corner_values: NDArray, weight: NDArray) -> NDArray:
    """Interpolate `[n, 3 corners, c]` with barycentric weights `[n, 3]` to `[n, c]`."""
    return np.einsum("nkc,nk->nc", corner_values.astype(np.float64), weight)


def _normalise(vectors: NDArray) -> NDArray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-12)


def sample_texture(texture: NDArray[np.uint8], uv: NDArray) -> NDArray[np.float64]:
    """Bilinear look-up of `[h, w, 3]` at `uv [n, 2]`, clamped at the border; `[n, 3]` in 0..1."""
    height, width = texture.shape[:2]
    x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1)
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    top = texture[y0, x0] * (1 - fx) + texture[y0, x1] * fx
    bottom = texture[y1, x0] * (1 - fx) + texture[y1, x1] * fx
    return (top * (1 - fy) + bottom * fy) / 255


def vertex_normals(vertices: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """Area-weighted unit normals `[v, 3]`, shared by vertices at the same place.

    Texture seams split vertices; sharing keeps the seams from showing as creases.
    """
    _, weld = np.unique(vertices, axis=0, return_inverse=True)
    weld = weld.reshape(-1)
    corners = np.asarray(vertices, dtype=np.float64)[faces]  # [f, 3, 3]
    face_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((int(weld.max(initial=-1)) + 1, 3))
    for k in range(3):
        np.add.at(total, weld[faces[:, k]], face_normal)
    return _normalise(total)[weld]
