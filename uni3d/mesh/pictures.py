"""Pictures as files: PNG, labelled sheets, turntable video.

Every file appears whole or not at all. Nothing depends on the clock, so the same input gives the
same bytes.
"""

import contextlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from uni3d.storage.whole import replace_all, temporary_names

__all__ = ["as_uint8", "first_of_sheet", "write_png", "write_sheet", "write_turntable"]

PathLike = str | os.PathLike[str]


def as_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Float pictures `[n, 3, h, w]` in [0, 1] (clamped) as bytes `[n, h, w, 3]`."""
    return (images.detach().cpu().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()


def write_png(image: NDArray[np.uint8], path: PathLike) -> None:
    """One picture, uint8 `[h, w, 3]` or `[h, w]`."""
    replace_all({pathlib.Path(path): _png_bytes(image)})


def _png_bytes(image: NDArray[np.uint8]) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, format="png")
    return buffer.getvalue()


def write_sheet(
    rows: Mapping[str, NDArray[np.uint8]], path: PathLike, columns: Sequence[str] = ()
) -> None:
    """A labelled grid of pictures: one row per entry, its name at the left.

    rows: name -> uint8 `[n, h, w, 3]` or grey `[n, h, w]`, all of one size; columns: headings.
    """
    from PIL import Image, ImageDraw, ImageFont

    pictures = {
        name: np.repeat(stack[..., None], 3, axis=-1) if stack.ndim == 3 else stack
        for name, stack in rows.items()
    }
    shapes = {stack.shape[1:3] for stack in pictures.values()}
    assert len(shapes) == 1, f"rows: got pictures of sizes {sorted(shapes)}, want one size"
    (height, width), gap = shapes.pop(), 2
    across = max(len(stack) for stack in pictures.values())
    font = ImageFont.load_default()
    left = 12 + max(int(font.getlength(name)) for name in pictures)
    top = 18 if columns else 0
    size = (left + across * (width + gap), top + len(pictures) * (height + gap))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for j, heading in enumerate(columns):
        middle = left + j * (width + gap) + width // 2
        draw.text((middle - int(font.getlength(heading)) // 2, 3), heading, "black", font)
    for i, (name, stack) in enumerate(pictures.items()):
        y = top + i * (height + gap)
        draw.text((6, y + height // 2 - 6), name, "black", font)
        for j, picture in enumerate(stack):
            sheet.paste(Image.fromarray(picture), (left + j * (width + gap), y))
    write_png(np.asarray(sheet), path)


def first_of_sheet(sheet: Any) -> Any:
    """The picture at the top left of the sheet (a PIL image) of a run: three rows of eight."""
    top = 18
    side = (sheet.height - top) // 3 - 2
    left = sheet.width - 8 * (side + 2)
    return sheet.crop((left, top, left + side, top + side))


def write_turntable(
    frames: NDArray[np.uint8], path: PathLike, fps: int = 24
) -> tuple[pathlib.Path, str]:
    """Video of the frames, uint8 `[n, h, w, 3]`; returns where it is and a notice ("" = none).

    An MP4 (H.264, plays everywhere) by imageio-ffmpeg; without ffmpeg an animated GIF of the
    same name, and the notice says so. Odd sizes grow by one repeated row or column.
    """
    assert frames.ndim == 4 and len(frames) > 0, f"frames: got {frames.shape}, want [n, h, w, 3]"
    path = pathlib.Path(path)
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        path = path.with_suffix(".gif")
        replace_all({path: _gif_bytes(frames, fps)})
        return path, f"ffmpeg is not available ({error}); wrote {path.name} instead"
    odd_rows, odd_columns = frames.shape[1] % 2, frames.shape[2] % 2
    even = np.pad(frames, ((0, 0), (0, odd_rows), (0, odd_columns), (0, 0)), mode="edge")
    with temporary_names([path]) as (temporary,):
        writer = imageio_ffmpeg.write_frames(
            str(temporary),
            (even.shape[2], even.shape[1]),
            fps=fps,
            codec="libx264",
            quality=None,  # type: ignore[arg-type]
            macro_block_size=2,
            # One thread and no version strings: the same frames give the same file.
            output_params=(
                "-crf 18 -threads 1 -movflags +faststart "
                "-fflags +bitexact -flags:v +bitexact -f mp4"
            ).split(),
        )
        with contextlib.closing(writer):
            writer.send(None)
            for frame in even:
                writer.send(np.ascontiguousarray(frame))
    return path, ""


def _gif_bytes(frames: NDArray[np.uint8], fps: int) -> bytes:
    import io

    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, "gif", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)
    return buffer.getvalue()
