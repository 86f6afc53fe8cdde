"""A teacher of a few thousand random numbers in the folder layout of a diffusers pipeline."""

import json
from pathlib import Path

import torch

__all__ = ["TINY", "small_pictures", "tiny_run", "tiny_teacher"]

# Of its own: the random numbers must not change when the toybox learns a word.
VOCABULARY = 2000


def tiny_teacher(folder: Path, prediction_type: str = "sample") -> Path:
    """Write it, return the folder; pictures are 16 x 16, latents 12 x 8 x 8, it knows cameras."""
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from uni3d.teacher.hub import BUILT_IN, SHIPPED
    from uni3d.toybox.model import adopt_tokenizer, build_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    adopt_tokenizer(SHIPPED[BUILT_IN] / "tokenizer", folder / "tokenizer")
    vocabulary = json.loads((folder / "tokenizer" / "vocab.json").read_text())
    spare = range(len(vocabulary), VOCABULARY)
    vocabulary |= {f"<spare {n}>": n for n in spare}
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = build_tokenizer(folder / "tokenizer")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=12,
            out_channels=12,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=2,
            cross_attention_dim=16,
            norm_num_groups=8,
            class_embed_type="projection",
            projection_class_embeddings_input_dim=4,
        )
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=VOCABULARY,
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=tokenizer.model_max_length,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=1,
            )
        )
    scheduler = DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        beta_schedule="scaled_linear",
        prediction_type=prediction_type,
    )
    for name, part in (
        ("unet", unet),
        ("text_encoder", text),
        ("tokenizer", tokenizer),
        ("scheduler", scheduler),
    ):
        part.save_pretrained(folder / name)
    (folder / "codec").mkdir(exist_ok=True)
    described = {"type": "space_to_depth", "factor": 2, "image_size": 16}
    (folder / "codec" / "config.json").write_text(json.dumps(described))
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDPMScheduler"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def tiny_run(teacher: Path, **changes):
    """A RunConfig of a few seconds: 16 x 16 pictures, a small scene, the tiny teacher."""
    from uni3d import config_io
    from uni3d.run.settings import RunConfig

    mapping = {"prompt": "a corgi", "teacher": str(teacher), **TINY}
    return config_io.load(RunConfig, config_io.apply_overrides(mapping | changes, []))


TINY = {
    "steps": 6,
    "views": 2,
    "resolutions": [[0.0, 16]],
    "checkpoint_every": 3,
    "picture_every": 1000,
    "scene": {
        "field": {"levels": 3, "log2_table_size": 10, "max_resolution": 16, "hidden": 8},
        "occupancy": {"resolution": 12},
    },
    "fake_score": {"start": 0.0, "rank": 2},
    "guidance": {"real_samples_per_view": 1, "ratio_warm_up": 0.0},
    "mesh": {"resolution": 24, "levels": 3, "target_faces": 300, "texture_size": 32},
}


def small_pictures(patch) -> None:
    """A sheet, a turntable and real samples of a moment; `patch` is a MonkeyPatch."""
    from uni3d.run import finish, real_samples

    patch.setattr(real_samples, "BINS", 2)
    for name, value in (("TURNTABLE_FRAMES", 3), ("TURNTABLE_SIZE", 32), ("SHEET_SIZE", 32)):
        patch.setattr(finish, name, value)
