"""The Uni-Instruct loss and denoising score matching: pure, per sample, nothing reduced.

With `u = D_q - D_p` (towards the teacher), `v = D_p - x0`, `r = q_t / p_t`, `h(r) = r^2 f''(r)`, a
dot that sums over all pixels and SG for stop-gradient, at each noise level the gradient of
`E_{p_t}[h(r) |s_p - s_q|^2]` (Uni-Instruct, 2505.20755; its integral over sigma^2 / 2 is
`D_f(q_0 || p_0)`) is the pathwise gradient, with the weights of the networks frozen, of

    2 / sigma^4 {  SG[h] u.v                                                       sim
                 + SG[(h - r h') / 2] |u|^2                                        fgm
                 - SG[r^2 h'' / 2 |u|^2] SG[u].x0 / sigma^2                        curvature
                 + SG[r h' u.v] SG[u].x0 / sigma^2 }                               cross

The form `exact` has all four, `paper` has sim and curvature, `integral` is `SG[-h u].x0`: SDS, VSD
and f-distill. The value of the loss means nothing; only its gradient does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from uni3d.instruct.divergences import FORMS, FDivergence, find_divergence, look_up


@dataclass(frozen=True, kw_only=True)
class LossTerms:
    """`per_sample` [batch], differentiable, and detached [batch] `terms` for the log.

    `terms` holds sim, fgm, curvature, cross, integral (unweighted; absent where off), `h`,
    `weight`, and `u_norm` = |u|.
    """

    per_sample: Tensor
    terms: Mapping[str, Tensor]


def _omega(x0: Tensor, x0_teacher: Tensor, sigma: Tensor) -> Tensor:
    return 1 / (x0 - x0_teacher).abs().mean(1).clamp(min=1e-5)


# Prefactors [batch] from x0 [batch, pixels], x0_teacher and sigma [batch]; never differentiated.
LOSS_WEIGHTS: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        "omega": _omega,  # SiD, DMD2
        "score": lambda x0, x0_teacher, sigma: 2 / sigma**4,  # the exact gradient of the theorem
        "none": lambda x0, x0_teacher, sigma: torch.ones_like(sigma),
    }
)


def _flat(tensor: Tensor) -> Tensor:
    """[batch, ...] -> [batch, pixels] in at least fp32 (float64 stays)."""
    tensor = tensor.to(torch.promote_types(tensor.dtype, torch.float32))
    return tensor.reshape(len(tensor), -1)


def _per_sample(name: str, values: Tensor, x0: Tensor) -> Tensor:
    """`values` as detached [batch] in the dtype of the flat `x0`."""
    if values.numel() != len(x0):
        raise ValueError(
            f"{name}: got shape {tuple(values.shape)} for a batch of {len(x0)}; "
            f"wanted [{len(x0)}]; do: give one value per sample"
        )
    return values.detach().reshape(-1).to(x0)


def _check(
    x0: Tensor,
    x0_teacher: Tensor,
    x0_fake: Tensor,
    log_ratio: Tensor | None,
    f_divergence: FDivergence,
    form: str,
    sid_alpha: float | None,
) -> None:
    for name, other in (("x0_teacher", x0_teacher), ("x0_fake", x0_fake)):
        if other.shape != x0.shape:
            raise ValueError(
                f"{name}: got shape {tuple(other.shape)}; wanted {tuple(x0.shape)}, that of x0; "
                "do: give both predictions in the shape of x0"
            )
    if log_ratio is None and f_divergence.needs_ratio:
        raise ValueError(
            f"log_ratio: got None with divergence {f_divergence.name}; wanted log(q_t / p_t) "
            "[batch]; do: estimate it, or use reverse-kl, whose h is constant"
        )
    if not FORMS[form].integral and x0_fake.data_ptr() == x0.data_ptr():
        raise ValueError(
            f"x0_fake: got x0 itself in form {form}; wanted a learned fake score, u.v is zero "
            "without one; do: use form integral (sds), or train a fake score"
        )
    if sid_alpha is not None and (form != "paper" or f_divergence.needs_ratio):
        raise ValueError(
            f"sid_alpha: got {sid_alpha} with divergence {f_divergence.name} in form {form}; "
            "wanted reverse-kl in form paper; do: use these, or leave sid_alpha out"
        )


def uni_instruct_loss(
    # predictions, all [batch, ...]
    x0: Tensor,
    x0_teacher: Tensor,
    x0_fake: Tensor,
    # per sample, [batch]
    sigma: Tensor,
    log_ratio: Tensor | None = None,
    *,
    divergence: str | FDivergence,
    form: str = "paper",
    weight: str = "omega",
    sid_alpha: float | None = None,
    normalise_h: bool = False,
    constant_h: Tensor | None = None,
) -> LossTerms:
    """The generator's loss at one noise level per sample; equations at the top of the module.

    Differentiated through: `x0`, `x0_teacher`, `x0_fake`, as far as they carry a graph. `exact`
    and `paper` need the predictions attached to `x = x0 + sigma eps` with frozen weights; in
    `integral` only `x0` matters. Everything else is detached. Computed in fp32 or better.

    Args:
        x0: what the student made.
        x0_teacher, x0_fake: D_q and D_p at the noisy `x`; for SDS pass `x0_fake=x0`.
        sigma: variance-exploding noise level.
        log_ratio: log(q_t / p_t) at `x`; None only where h is constant.
        divergence: a name of DIVERGENCES, its alias, or a row of your own.
        form: paper, exact or integral.
        weight: the prefactor. omega: `1 / mean |x0 - D_q|`; score: `2 / sigma^4`; none: 1.
            In the form integral, `sigma^2 / 2` times score gives the gradient of `D_f(q_t||p_t)`.
        sid_alpha: SiD's a (2404.04057): `u.v + (1 - a) |u|^2`; reverse-kl in form paper only.
        normalise_h: divide the loss by the batch mean of h (for estimated ratios).
        constant_h: where [batch] h is taken as constant, `r h' = r^2 h'' = 0`: where `log_ratio`
            was clipped, is steeper than its estimate, or stands in for one not known yet.

    Raises:
        ValueError: wrong shapes or names, a ratio or a fake score that is needed and missing.
    """
    f_divergence = find_divergence(divergence)
    terms_on = FORMS[look_up("form", form, FORMS)]
    prefactor = LOSS_WEIGHTS[look_up("weight", weight, LOSS_WEIGHTS)]
    _check(x0, x0_teacher, x0_fake, log_ratio, f_divergence, form, sid_alpha)

    x0, x0_teacher, x0_fake = _flat(x0), _flat(x0_teacher), _flat(x0_fake)  # [batch, pixels]
    level = _per_sample("sigma", sigma, x0)  # [batch], as everything below
    log_r = (
        torch.zeros_like(level) if log_ratio is None else _per_sample("log_ratio", log_ratio, x0)
    )
    varies = torch.ones_like(level)
    if constant_h is not None:
        varies = 1 - _per_sample("constant_h", constant_h, x0)
    h, r_h1, r2_h2 = (
        f_divergence.h(log_r),
        f_divergence.r_h1(log_r) * varies,
        f_divergence.r2_h2(log_r) * varies,
    )

    u, v = x0_teacher - x0_fake, x0_fake - x0  # [batch, pixels]
    uv, uu = (u * v).sum(1), (u * u).sum(1)
    pull = (u.detach() * x0).sum(1)  # its gradient in x0 is SG[u]
    fgm = (h - r_h1) / 2 if sid_alpha is None else (1 - sid_alpha) * h
    terms: dict[str, Tensor] = {}
    if terms_on.sim:
        terms["sim"] = h * uv
    if terms_on.fgm or sid_alpha is not None:
        terms["fgm"] = fgm * uu
    if terms_on.curvature:
        terms["curvature"] = -r2_h2 / 2 * uu.detach() / level**2 * pull
    if terms_on.cross:
        terms["cross"] = r_h1 * uv.detach() / level**2 * pull
    if terms_on.integral:
        terms["integral"] = -h * pull

    with torch.no_grad():
        scale = prefactor(x0, x0_teacher, level)
        if normalise_h:
            scale = scale / h.mean()
    per_sample = scale * torch.stack(list(terms.values())).sum(0)
    log = {name: term.detach() for name, term in terms.items()}
    log |= {"h": h, "weight": scale, "u_norm": uu.detach().sqrt()}
    return LossTerms(per_sample=per_sample, terms=MappingProxyType(log))


def guidance_pull(x0: Tensor, direction: Tensor, weight: Tensor) -> Tensor:
    """`-weight SG[direction] . x0` per sample [batch]: guidance apart from the divergence.

    With `direction` = (s - 1) (D_cond - D_uncond) = (s - 1) sigma^2 grad_x log q_t(c | x) its
    gradient in `x0` is that of -(s - 1) log q_t(c | x), times `weight` sigma^2: what is made is
    drawn to where the teacher's own classifier is sure (docs/methods.md).

    Args:
        x0: what the student made, [batch, ...]; the gradient flows into it alone.
        direction: of the shape of `x0`; detached.
        weight: [batch]; that of the divergence, `LossTerms.terms["weight"]`; detached.
    """
    if direction.shape != x0.shape:
        raise ValueError(
            f"direction: got shape {tuple(direction.shape)}; wanted {tuple(x0.shape)}, that of "
            "x0; do: give the difference of two predictions"
        )
    x0 = _flat(x0)
    return -_per_sample("weight", weight, x0) * (_flat(direction).detach() * x0).sum(1)


# Weights [batch] of |D - x0|^2 from sigma [batch] and sigma_data.
SCORE_MATCHING_WEIGHTS: Mapping[str, Callable[[Tensor, float], Tensor]] = MappingProxyType(
    {
        "edm": lambda sigma, data: (sigma**2 + data**2) / (sigma * data) ** 2,
        "uniform-eps": lambda sigma, data: 1 / sigma**2,  # the plain error of eps
        "uniform-v": lambda sigma, data: (1 + sigma**2) / sigma**2,  # the plain error of v
        "none": lambda sigma, data: torch.ones_like(sigma),
    }
)


def denoising_score_matching(
    x0_pred: Tensor, x0: Tensor, sigma: Tensor, *, weight: str = "edm", sigma_data: float = 0.5
) -> Tensor:
    """Weighted squared error of a denoiser [batch], mean over pixels; `x0` is detached.

    Args:
        x0_pred: the denoiser at `x0 + sigma eps`, [batch, ...]; the gradient flows through it.
        x0: clean samples [batch, ...].
        sigma: noise levels [batch].
        weight: edm (2206.00364, table 1), uniform-eps, uniform-v, or none.
        sigma_data: standard deviation of the data, for edm.
    """
    weight_of = SCORE_MATCHING_WEIGHTS[look_up("weight", weight, SCORE_MATCHING_WEIGHTS)]
    if x0_pred.shape != x0.shape:
        raise ValueError(
            f"x0_pred: got shape {tuple(x0_pred.shape)}; wanted {tuple(x0.shape)}, that of x0; "
            "do: give the prediction in the shape of x0"
        )
    error = (_flat(x0_pred) - _flat(x0.detach())).square().mean(1)
    return weight_of(_per_sample("sigma", sigma, error), sigma_data) * error
