"""The rows of the tables against autograd of f alone, and the choices a user can make."""

import pytest
import torch

from uni3d.instruct import DIVERGENCES, METHODS, jeffrey, resolve_method
from uni3d.instruct.divergences import DIVERGENCE_ALIASES, FORMS, find_divergence

ROWS = [*DIVERGENCES.values(), jeffrey(0.4), jeffrey(0.0)]

# f written in r, independently of the table.
GENERATORS = {
    "forward-kl": lambda r: r * r.log(),
    "reverse-kl": lambda r: -r.log(),
    "jeffrey-kl": lambda r: (r - 1) * r.log(),
    "jeffrey-kl(0.4)": lambda r: 0.8 * r * r.log() - 1.2 * r.log(),
    "jeffrey-kl(0)": lambda r: -2 * r.log(),
    "chi-square": lambda r: (r - 1) ** 2,
    "jensen-shannon": lambda r: r * r.log() - (1 + r) * ((1 + r) / 2).log(),
    "hellinger": lambda r: (r.sqrt() - 1) ** 2,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_column_is_a_derivative_of_f(row):
    r = torch.logspace(-1.3, 1.3, 41, dtype=torch.float64).requires_grad_()

    def derivative(values):
        return torch.autograd.grad(values.sum(), r, create_graph=True)[0]

    # The zero term keeps the graph of a polynomial alive for four derivatives.
    f = GENERATORS[row.name](r) + 0 * r.sqrt()
    second = derivative(derivative(f))
    third = derivative(second)
    fourth = derivative(third)
    # h = r^2 f'', h' = 2 r f'' + r^2 f''', h'' = 2 f'' + 4 r f''' + r^2 f''''.
    want = {
        "f": f,
        "f_second": second,
        "h": r**2 * second,
        "r_h1": r * (2 * r * second + r**2 * third),
        "r2_h2": r**2 * (2 * second + 4 * r * third + r**2 * fourth),
    }
    for column, value in want.items():
        got = getattr(row, column)(r.detach().log())
        torch.testing.assert_close(got, value.detach(), rtol=1e-9, atol=1e-9, msg=column)
    assert float(row.f(torch.zeros(()))) == 0
    spread = row.h(torch.tensor([-1.0, 1.0]))
    assert row.needs_ratio == (float(spread[0]) != float(spread[1]))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_columns_stay_finite_in_float32_over_the_clipped_range(row):
    log_ratio = torch.linspace(-10, 10, 101)
    for column in ("h", "r_h1", "r2_h2"):
        exact = getattr(row, column)(log_ratio.double())
        got = getattr(row, column)(log_ratio)
        assert got.dtype == torch.float32
        torch.testing.assert_close(got.double(), exact, rtol=1e-5, atol=1e-7)


def test_the_reference_spellings_name_the_rows():
    assert {find_divergence(alias).name for alias in DIVERGENCE_ALIASES} == set(DIVERGENCES)
    assert find_divergence("Chi-Square") is DIVERGENCES["chi-square"]


def test_jeffrey_weight_out_of_range():
    with pytest.raises(ValueError, match=r"got w = 1.5; wanted a number in \[0, 1\]"):
        jeffrey(1.5)


@pytest.mark.parametrize(
    ("method", "form", "divergence", "sid_alpha", "learned", "through_networks"),
    [
        ("sds", "integral", "reverse-kl", None, False, False),
        ("vsd", "integral", "reverse-kl", None, True, False),
        ("diff-instruct", "integral", "reverse-kl", None, True, False),
        ("dmd", "integral", "reverse-kl", None, True, False),
        ("sim", "paper", "reverse-kl", None, True, True),
        ("sid", "paper", "reverse-kl", 1.2, True, True),
        ("f-distill-forward-kl", "integral", "forward-kl", None, True, False),
        ("f-distill-reverse-kl", "integral", "reverse-kl", None, True, False),
        ("f-distill-jensen-shannon", "integral", "jensen-shannon", None, True, False),
    ],
)
def test_older_methods_are_rows(method, form, divergence, sid_alpha, learned, through_networks):
    row = resolve_method(method)
    assert (row.form, row.divergence, row.sid_alpha) == (form, divergence, sid_alpha)
    assert (row.learned_fake_score, row.network_gradients) == (learned, through_networks)
    assert row == METHODS[method]
    assert resolve_method(method, divergence, form) == row


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("form", FORMS)
def test_uni_instruct_takes_every_divergence_and_form(divergence, form):
    row = resolve_method("uni-instruct", divergence, form)
    assert (row.divergence, row.form) == (divergence, form)
    assert row.network_gradients == (form != "integral")
    assert resolve_method("uni-instruct", divergence).form == "paper"


def test_sid_alpha_can_be_chosen():
    assert resolve_method("sid", sid_alpha=0.5).sid_alpha == 0.5
    assert METHODS["sid"].sid_alpha == 1.2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            {"method": "vds"},
            r"^method: got 'vds'; wanted one of uni-instruct, sds, .*; do: use '[sv][ds][sd]'\?$",
        ),
        ({"method": "uni-instruct"}, "^divergence: got none with method uni-instruct"),
        (
            {"method": "uni-instruct", "divergence": "renyi"},
            "^divergence: got 'renyi'; wanted one of forward-kl, reverse-kl, ",
        ),
        (
            {"method": "vsd", "divergence": "forward-kl"},
            "^divergence: got forward-kl with method vsd; wanted reverse-kl, which vsd fixes; do: ",
        ),
        ({"method": "sds", "form": "exact"}, "^form: got exact with method sds; wanted integral"),
        ({"method": "sim", "sid_alpha": 1.0}, "^sid_alpha: got 1.0 with method sim; wanted none"),
        (
            {"method": "uni-instruct", "divergence": "Forward-KL", "ratio_available": False},
            "^divergence: got forward-kl without a density ratio; wanted reverse-kl",
        ),
        (
            {"method": "f-distill-jensen-shannon", "ratio_available": False},
            "^divergence: got jensen-shannon without a density ratio",
        ),
    ],
)
def test_impossible_choices_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        resolve_method(**call)


def test_without_a_ratio_what_has_constant_h_is_allowed():
    for method in ("sds", "vsd", "sim", "sid", "f-distill-reverse-kl"):
        assert resolve_method(method, ratio_available=False) == METHODS[method]
    assert resolve_method("uni-instruct", "reverse-kl", "exact", ratio_available=False)
