"""The loss on small pictures: each method by its own formula, its terms, and what it refuses."""

import pytest
import torch

from uni3d.instruct import denoising_score_matching, jeffrey, uni_instruct_loss


def image_case(dtype=torch.float32, log_ratio=0.0):
    """A student of one tensor, [batch, 1, 2, 3], with smooth nonlinear made-up denoisers."""
    generator = torch.Generator().manual_seed(3)
    theta = torch.randn(5, 1, 2, 3, generator=generator, dtype=dtype).requires_grad_()
    sigma = torch.rand(5, generator=generator, dtype=dtype) + 0.3
    x = theta + sigma[:, None, None, None] * torch.randn(theta.shape, generator=generator).to(dtype)
    return theta, torch.tanh(x + 0.3), 0.5 * torch.sin(x), sigma, torch.full_like(sigma, log_ratio)


def image_gradient(log_ratio=0.0, **choices):
    theta, *rest = image_case(log_ratio=log_ratio)
    loss = uni_instruct_loss(theta, *rest, **choices).per_sample
    return torch.autograd.grad(loss.mean(), theta)[0]


def test_forward_kl_with_ratio_one_is_sid_with_alpha_one_bit_for_bit():
    ours = image_gradient(divergence="forward-kl")
    sid = image_gradient(divergence="reverse-kl", sid_alpha=1.0)
    assert torch.equal(ours, sid) and float(ours.abs().min()) > 0
    assert not torch.equal(ours, image_gradient(0.1, divergence="forward-kl"))


def test_reverse_kl_exact_is_sid_with_alpha_one_half():
    exact = image_gradient(divergence="reverse-kl", form="exact")
    assert torch.equal(exact, image_gradient(divergence="reverse-kl", sid_alpha=0.5))
    sim = image_gradient(divergence="reverse-kl")
    published = image_gradient(divergence="reverse-kl", sid_alpha=1.2)
    # Linear in a: a = 1.2 lies beyond SIM (a = 1), away from the exact gradient (a = 1/2).
    torch.testing.assert_close(published - sim, 0.4 * (sim - exact), rtol=1e-4, atol=1e-6)


def test_sid_by_its_own_formula():
    theta, teacher, fake, sigma, _ = image_case(torch.float64)
    loss = uni_instruct_loss(
        theta, teacher, fake, sigma, divergence="reverse-kl", sid_alpha=1.2, weight="none"
    )
    # SiD (2404.04057), eq. 23: (D_q - D_p).(D_q - x0) - a |D_q - D_p|^2.
    want = ((teacher - fake) * (teacher - theta) - 1.2 * (teacher - fake) ** 2).sum((1, 2, 3))
    torch.testing.assert_close(loss.per_sample, want)


@pytest.mark.parametrize("method", ["sds", "vsd"])
def test_sds_and_vsd_gradients(method):
    theta, teacher, fake, sigma, _ = image_case(torch.float64)
    fake = theta if method == "sds" else fake
    loss = uni_instruct_loss(
        theta, teacher, fake, sigma, divergence="reverse-kl", form="integral", weight="none"
    )
    (got,) = torch.autograd.grad(loss.per_sample.sum(), theta)
    # DreamFusion: sigma (eps_q - eps); ProlificDreamer: sigma (eps_q - eps_p).
    torch.testing.assert_close(got, (fake - teacher).detach())


def test_omega_is_the_mean_distance_to_the_teacher():
    theta, teacher, fake, sigma, _ = image_case(torch.float64)
    terms = uni_instruct_loss(theta, teacher, fake, sigma, divergence="reverse-kl").terms
    want = 1 / (theta - teacher).detach().abs().mean((1, 2, 3))
    torch.testing.assert_close(terms["weight"], want)
    # No gradient flows through it: the loss' gradient is the unweighted one, sample by sample.
    gradients = []
    for weight in ("omega", "none"):
        theta, teacher, fake, sigma, _ = image_case(torch.float64)
        loss = uni_instruct_loss(
            theta, teacher, fake, sigma, divergence="reverse-kl", weight=weight
        )
        gradients += torch.autograd.grad(loss.per_sample.sum(), theta)
    torch.testing.assert_close(gradients[0], gradients[1] * want[:, None, None, None])
    at_teacher = uni_instruct_loss(theta, theta + 0, fake, sigma, divergence="reverse-kl")
    torch.testing.assert_close(at_teacher.terms["weight"], torch.full_like(sigma, 1e5))


def test_each_sample_is_on_its_own_and_half_precision_is_widened():
    theta, teacher, fake, sigma, log_ratio = image_case()
    choices = {"divergence": "jensen-shannon", "form": "exact"}
    whole = uni_instruct_loss(theta, teacher, fake, sigma, log_ratio + sigma, **choices).per_sample
    for i in range(len(sigma)):
        row = slice(i, i + 1)
        one = uni_instruct_loss(
            theta[row], teacher[row], fake[row], sigma[row], (log_ratio + sigma)[row], **choices
        ).per_sample
        torch.testing.assert_close(one, whole[row])
    coarse = [tensor.detach().bfloat16() for tensor in (theta, teacher, fake)]
    got = uni_instruct_loss(*coarse, sigma, log_ratio + sigma, **choices).per_sample
    want = uni_instruct_loss(*[t.float() for t in coarse], sigma, log_ratio + sigma, **choices)
    assert got.dtype == torch.float32 and torch.equal(got, want.per_sample)


def test_normalised_h_and_logged_terms_add_up():
    theta, teacher, fake, sigma, _ = image_case(torch.float64)
    log_ratio = sigma.log()  # h of forward-kl is then sigma itself
    choices = {"divergence": "forward-kl", "form": "exact", "weight": "none"}
    plain = uni_instruct_loss(theta, teacher, fake, sigma, log_ratio, **choices)
    normal = uni_instruct_loss(theta, teacher, fake, sigma, log_ratio, normalise_h=True, **choices)
    torch.testing.assert_close(normal.per_sample * sigma.mean(), plain.per_sample)
    torch.testing.assert_close(plain.terms["h"], sigma)
    parts = sum(plain.terms[name] for name in ("sim", "fgm", "curvature", "cross"))
    torch.testing.assert_close(parts, plain.per_sample.detach())


def test_the_released_jeffrey_is_two_fifths_forward():
    mixed = image_gradient(0.3, divergence=jeffrey(0.4), form="exact")
    forward, backward = (
        image_gradient(0.3, divergence=name, form="exact") for name in ("forward-kl", "reverse-kl")
    )
    torch.testing.assert_close(mixed, 2 * (0.4 * forward + 0.6 * backward), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_ratio": None}, "log_ratio: got None with divergence forward-kl"),
        ({"x0_fake": "x0"}, "x0_fake: got x0 itself in form paper"),
        ({"x0_fake": "detached"}, "x0_fake: got x0 itself in form paper"),
        ({"x0_teacher": torch.zeros(5, 6)}, r"x0_teacher: got shape \(5, 6\); wanted \(5, 1, 2"),
        ({"sigma": torch.ones(4)}, r"sigma: got shape \(4,\) for a batch of 5"),
        ({"divergence": "forward-lk"}, "do: use 'forward-kl'"),
        ({"form": "papers"}, "do: use 'paper'"),
        ({"weight": "scores"}, "do: use 'score'"),
        ({"sid_alpha": 1.2}, "sid_alpha: got 1.2 with divergence forward-kl"),
    ],
)
def test_impossible_calls_say_what_to_do(change, message):
    names = ("x0", "x0_teacher", "x0_fake", "sigma", "log_ratio")
    call = dict(zip(names, image_case(), strict=True)) | {"divergence": "forward-kl"} | change
    stand_ins = {"x0": call["x0"], "detached": call["x0"].detach()}
    if isinstance(call["x0_fake"], str):
        call["x0_fake"] = stand_ins[call["x0_fake"]]
    with pytest.raises(ValueError, match=message):
        uni_instruct_loss(**call)


def test_score_matching_weights_are_the_errors_of_their_parametrisations():
    generator = torch.Generator().manual_seed(1)
    x0, noise, guess = torch.randn(3, 4, 2, 2, 2, generator=generator, dtype=torch.float64)
    sigma = torch.tensor([0.1, 0.5, 2.0, 9.0], dtype=torch.float64)
    level = sigma[:, None, None, None]
    x, alpha = x0 + level * noise, (1 + level**2).rsqrt()
    targets = {
        "none": lambda clean: clean,
        "uniform-eps": lambda clean: (x - clean) / level,
        "uniform-v": lambda clean: (alpha**2 * x - clean) / (alpha * level),
        # F of the EDM preconditioning (2206.00364, eq. 7), sigma_data = 0.5.
        "edm": lambda clean: (
            (clean - 0.25 / (level**2 + 0.25) * x) * (level**2 + 0.25).sqrt() / (0.5 * level)
        ),
    }
    for weight, target in targets.items():
        want = ((target(guess) - target(x0)) ** 2).mean((1, 2, 3))
        torch.testing.assert_close(denoising_score_matching(guess, x0, sigma, weight=weight), want)


def test_score_matching_trains_the_network_alone():
    clean = torch.ones(2, 3, requires_grad=True)
    guess = torch.zeros(2, 3, requires_grad=True)
    loss = denoising_score_matching(guess, clean, torch.ones(2), weight="none").sum()
    to_guess, to_clean = torch.autograd.grad(loss, (guess, clean), allow_unused=True)
    torch.testing.assert_close(to_guess, torch.full((2, 3), -2 / 3))
    assert to_clean is None
