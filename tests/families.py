"""Tiny pipelines of the published families, built in code and saved by diffusers itself."""

from pathlib import Path

import torch

__all__ = ["FAMILIES", "save_family"]

SIDE = 8  # latent side; pictures are twice that, or as large in pixel space


def _unet(**changes):
    from diffusers import UNet2DConditionModel

    settings = {
        "sample_size": SIDE,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": 2,
        "cross_attention_dim": 16,
        "norm_num_groups": 4,
    }
    return UNet2DConditionModel(**settings | changes)


def _vae(scaling_factor: float):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
        sample_size=2 * SIDE,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=scaling_factor,
    )


def _clip_tokenizer(folder: Path, words=("a</w>", "red</w>", "chair</w>", "front</w>", "view</w>")):
    from transformers import CLIPTokenizer

    letters = [chr(c) for c in range(33, 127)]
    tokens = [*letters, *(f"{x}</w>" for x in letters), *words]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    merges = [("r", "e"), ("re", "d</w>")]
    vocabulary |= {"re": len(vocabulary)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
    return tokenizer


def _clip(vocabulary: int, width: int, projection: bool = False):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=width,
        bos_token_id=vocabulary - 3,
        eos_token_id=vocabulary - 2,
        pad_token_id=vocabulary - 2,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def _scheduler(name: str = "PNDMScheduler", **changes):
    import diffusers

    settings = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
    }
    return getattr(diffusers, name)(**settings | changes)


def _save_sd(folder: Path, scheduler, **unet) -> None:
    from diffusers import StableDiffusionPipeline

    tokenizer = _clip_tokenizer(folder)
    StableDiffusionPipeline(
        vae=_vae(0.18215),
        text_encoder=_clip(len(tokenizer), 16),
        tokenizer=tokenizer,
        unet=_unet(**unet),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def sd1(folder: Path) -> None:
    """eps, PNDM's schedule, one CLIP: Stable Diffusion 1.x."""
    _save_sd(folder, _scheduler(skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False))


def sd2(folder: Path) -> None:
    """v, DDIM's schedule with zero terminal SNR, linear projections: Stable Diffusion 2.x."""
    scheduler = _scheduler(
        "DDIMScheduler",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    _save_sd(folder, scheduler, use_linear_projection=True, attention_head_dim=(2, 4))


def sdxl(folder: Path) -> None:
    """eps, Euler's schedule, two CLIPs, a pooled text and time ids, zeros for no text."""
    from diffusers import StableDiffusionXLPipeline

    one, two = _clip_tokenizer(folder), _clip_tokenizer(folder)
    unet = _unet(
        cross_attention_dim=28,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=12 + 6 * 4,
        use_linear_projection=True,
        transformer_layers_per_block=(1, 2),
    )
    StableDiffusionXLPipeline(
        vae=_vae(0.13025),
        text_encoder=_clip(len(one), 16),
        tokenizer=one,
        text_encoder_2=_clip(len(two), 12, projection=True),
        tokenizer_2=two,
        unet=unet,
        scheduler=_scheduler("EulerDiscreteScheduler"),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    ).save_pretrained(folder)


def deepfloyd(folder: Path) -> None:
    """eps and a learned variance in pixel space, T5: DeepFloyd IF, stage 1."""
    from diffusers import IFPipeline
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    letters = [(f"▁{c}", -3.0) for c in "abcdefghijklmnopqrstuvwxyz"]
    letters += [(c, -4.0) for c in "abcdefghijklmnopqrstuvwxyz,"]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = T5Tokenizer(vocab=special + letters, extra_ids=0, model_max_length=512)
    encoder = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            feed_forward_proj="gated-gelu",
        )
    )
    unet = _unet(
        in_channels=3,
        out_channels=6,
        sample_size=2 * SIDE,
        encoder_hid_dim=16,
        encoder_hid_dim_type="text_proj",
        cross_attention_dim=16,
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        class_embed_type=None,
        act_fn="gelu",
        resnet_time_scale_shift="scale_shift",
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
    )
    scheduler = _scheduler(
        "DDPMScheduler",
        beta_start=0.0001,
        beta_end=0.02,
        beta_schedule="squaredcos_cap_v2",
        clip_sample=True,
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.5,
        variance_type="learned_range",
    )
    IFPipeline(
        tokenizer=tokenizer,
        text_encoder=encoder,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


FAMILIES = {"sd1": sd1, "sd2": sd2, "sdxl": sdxl, "if": deepfloyd}


def save_family(name: str, folder: Path) -> Path:
    """Write the tiny pipeline, return its folder; the same numbers every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        FAMILIES[name](folder)
    return folder
