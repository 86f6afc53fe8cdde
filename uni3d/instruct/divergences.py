"""The f-divergences and the distillation methods, as rows of two tables.

`D_f(q || p) = E_p[f(q / p)]`, teacher q, student p, `r = q_t / p_t`. The gradient of Uni-Instruct
(2505.20755) needs f only through `h(r) = r^2 f''(r)` and its derivatives. All functions take
`log r`: it is what a discriminator estimates.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor

from uni3d.instruct.names import DIVERGENCE_NAMES, FORM_NAMES, METHOD_NAMES

OfLogRatio = Callable[[Tensor], Tensor]
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class FDivergence:
    """One f-divergence; every function maps log r (any shape) to that shape.

    `needs_ratio` is false where h is constant: then the loss does not depend on r at all.
    """

    name: str
    f: OfLogRatio
    f_second: OfLogRatio  # f''(r)
    h: OfLogRatio  # r^2 f''(r)
    r_h1: OfLogRatio  # r h'(r)
    r2_h2: OfLogRatio  # r^2 h''(r)
    needs_ratio: bool = True


def jeffrey(w: float = 0.5, *, name: str | None = None) -> FDivergence:
    """`2 (w KL(q||p) + (1 - w) KL(p||q))`, `h = 2 (w r + 1 - w)`; w = 1/2 is the plain sum.

    The released variant of the reference is w = 0.4.
    """
    if not 0 <= w <= 1:
        raise ValueError(f"jeffrey: got w = {w}; wanted a number in [0, 1]; do: use 0.5 or 0.4")
    return FDivergence(
        name=name or f"jeffrey-kl({w:g})",
        f=lambda log_r: 2 * (w * log_r.exp() - (1 - w)) * log_r,
        f_second=lambda log_r: 2 * (w * (-log_r).exp() + (1 - w) * (-2 * log_r).exp()),
        h=lambda log_r: 2 * (w * log_r.exp() + 1 - w),
        r_h1=lambda log_r: 2 * w * log_r.exp(),
        r2_h2=torch.zeros_like,
        needs_ratio=w > 0,
    )


_ALL = (
    FDivergence(  # KL(q || p)
        name="forward-kl",
        f=lambda log_r: log_r.exp() * log_r,
        f_second=lambda log_r: (-log_r).exp(),
        h=torch.exp,
        r_h1=torch.exp,
        r2_h2=torch.zeros_like,
    ),
    FDivergence(  # KL(p || q)
        name="reverse-kl",
        f=torch.neg,
        f_second=lambda log_r: (-2 * log_r).exp(),
        h=torch.ones_like,
        r_h1=torch.zeros_like,
        r2_h2=torch.zeros_like,
        needs_ratio=False,
    ),
    jeffrey(name="jeffrey-kl"),
    FDivergence(  # Pearson
        name="chi-square",
        f=lambda log_r: torch.expm1(log_r) ** 2,
        f_second=lambda log_r: torch.full_like(log_r, 2),
        h=lambda log_r: 2 * (2 * log_r).exp(),
        r_h1=lambda log_r: 4 * (2 * log_r).exp(),
        r2_h2=lambda log_r: 4 * (2 * log_r).exp(),
    ),
    FDivergence(  # twice the Jensen-Shannon divergence; r / (1 + r) = sigmoid(log r)
        name="jensen-shannon",
        f=lambda log_r: (
            log_r.exp() * log_r
            - (1 + log_r.exp()) * (torch.nn.functional.softplus(log_r) - math.log(2))
        ),
        f_second=lambda log_r: torch.sigmoid(-log_r) * (-log_r).exp(),
        h=torch.sigmoid,
        r_h1=lambda log_r: torch.sigmoid(log_r) * torch.sigmoid(-log_r),
        r2_h2=lambda log_r: -2 * torch.sigmoid(log_r) ** 2 * torch.sigmoid(-log_r),
    ),
    FDivergence(  # squared, not halved
        name="hellinger",
        f=lambda log_r: torch.expm1(log_r / 2) ** 2,
        f_second=lambda log_r: (-1.5 * log_r).exp() / 2,
        h=lambda log_r: (log_r / 2).exp() / 2,
        r_h1=lambda log_r: (log_r / 2).exp() / 4,
        r2_h2=lambda log_r: -(log_r / 2).exp() / 8,
    ),
)


def _table(names: tuple[str, ...], rows: Mapping[str, Row]) -> Mapping[str, Row]:
    """The rows in the order of their names; a row without a name, or a name without, is a fault."""
    if set(names) != set(rows):
        raise AssertionError(f"names.py and the rows differ: {sorted(set(names) ^ set(rows))}")
    return MappingProxyType({name: rows[name] for name in names})


DIVERGENCES = _table(DIVERGENCE_NAMES, {one.name: one for one in _ALL})

# The spellings of the reference's command line.
DIVERGENCE_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "Forward-KL": "forward-kl",
        "Reverse-KL": "reverse-kl",
        "Jeffrey-KL": "jeffrey-kl",
        "Chi-Square": "chi-square",
        "Jensen-Shannon": "jensen-shannon",
        "Hellinger": "hellinger",
    }
)


@dataclass(frozen=True, kw_only=True)
class Form:
    """Which terms of the gradient are on (loss.py); `integral` excludes the other four."""

    sim: bool = False
    fgm: bool = False
    curvature: bool = False
    cross: bool = False
    integral: bool = False


FORMS = _table(
    FORM_NAMES,
    {
        "paper": Form(sim=True, curvature=True),
        "exact": Form(sim=True, fgm=True, curvature=True, cross=True),
        "integral": Form(integral=True),
    },
)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One distillation method as a choice of terms.

    `form` and `divergence` are None where the user chooses; `sid_alpha` is SiD's a in
    `u.v + (1 - a) |u|^2`; `learned_fake_score` is false where the injected noise stands in for the
    fake score (`D_p = x0`).
    """

    name: str
    form: str | None = None
    divergence: str | None = None
    sid_alpha: float | None = None
    learned_fake_score: bool = True

    @property
    def network_gradients(self) -> bool:
        """Whether teacher and fake score are differentiated through with respect to x."""
        return self.form is None or not FORMS[self.form].integral


_INTEGRAL_KL = Method(name="vsd", form="integral", divergence="reverse-kl")
METHODS = _table(
    METHOD_NAMES,
    {
        method.name: method
        for method in (
            replace(_INTEGRAL_KL, name="sds", learned_fake_score=False),  # 2209.14988
            _INTEGRAL_KL,  # 2305.16213
            replace(_INTEGRAL_KL, name="diff-instruct"),  # 2305.18455
            replace(_INTEGRAL_KL, name="dmd"),  # 2405.14867
            Method(name="sim", form="paper", divergence="reverse-kl"),  # 2410.16794
            Method(name="sid", form="paper", divergence="reverse-kl", sid_alpha=1.2),  # 2404.04057
            Method(name="f-distill-forward-kl", form="integral", divergence="forward-kl"),
            Method(name="f-distill-reverse-kl", form="integral", divergence="reverse-kl"),
            Method(name="f-distill-jensen-shannon", form="integral", divergence="jensen-shannon"),
            Method(name="uni-instruct"),
        )
    },
)


def look_up(what: str, name: str, known: Iterable[str]) -> str:
    """`name` if it is known, else a ValueError that names the nearest."""
    known = tuple(known)
    if name in known:
        return name
    nearest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.0)
    raise ValueError(
        f"{what}: got {name!r}; wanted one of {', '.join(known)}; do: use {nearest[0]!r}?"
    )


def find_divergence(divergence: "str | FDivergence") -> FDivergence:
    """The row of a name or alias; a row is returned as it is. Raises ValueError if unknown."""
    if isinstance(divergence, FDivergence):
        return divergence
    name = DIVERGENCE_ALIASES.get(divergence, divergence)
    return DIVERGENCES[look_up("divergence", name, DIVERGENCES)]


def resolve_method(
    method: str,
    divergence: str | None = None,
    form: str | None = None,
    *,
    sid_alpha: float | None = None,
    ratio_available: bool = True,
) -> Method:
    """The complete row of a user's choice: `form` and `divergence` are set in what is returned.

    `sid_alpha` replaces the published value of a method that has one.

    Raises ValueError for an unknown name, for a divergence or form that contradicts the method,
    and for a divergence that needs the density ratio where there is none.
    """
    chosen_method = METHODS[look_up("method", method, METHODS)]
    if divergence is not None:
        divergence = find_divergence(divergence).name
    if form is not None:
        look_up("form", form, FORMS)
    for what, fixed, chosen in (
        ("divergence", chosen_method.divergence, divergence),
        ("form", chosen_method.form, form),
    ):
        if fixed is not None and chosen not in (None, fixed):
            raise ValueError(
                f"{what}: got {chosen} with method {method}; wanted {fixed}, which {method} fixes; "
                f"do: leave {what} out, or use method uni-instruct"
            )
    divergence = chosen_method.divergence or divergence
    if divergence is None:
        raise ValueError(
            f"divergence: got none with method {method}; wanted one of {', '.join(DIVERGENCES)}; "
            "do: choose one"
        )
    if DIVERGENCES[divergence].needs_ratio and not ratio_available:
        raise ValueError(
            f"divergence: got {divergence} without a density ratio; wanted reverse-kl, whose h is "
            "constant; do: use reverse-kl, or train a discriminator for the ratio"
        )
    if sid_alpha is not None and chosen_method.sid_alpha is None:
        raise ValueError(
            f"sid_alpha: got {sid_alpha} with method {method}; wanted none, only sid has one; "
            "do: leave sid_alpha out, or use method sid"
        )
    sid_alpha = chosen_method.sid_alpha if sid_alpha is None else sid_alpha
    form = chosen_method.form or form or "paper"
    return replace(chosen_method, divergence=divergence, form=form, sid_alpha=sid_alpha)
