"""A network of one hidden ReLU layer without bias, y = relu(x W1) W2, as numba kernels.

Faster than torch for a hundred thousand points of 16 numbers, because nothing but x is kept, and
bit-equal for every number of threads, which torch's weight gradients are not.
"""

import numpy as np
import torch
from numba import prange
from torch import Tensor

from uni3d.scene.kernels import as_array, kernel, launch

__all__ = ["mlp", "mlp_reference"]

LANES = 64  # points handled together, transposed so that loops over them are vector instructions
CHUNK = 16 * LANES  # points per parallel piece and per partial weight gradient
ZERO = np.float32(0)
# No "reassoc": LLVM may then add in any order, and code that numba compiles and code that it loads
# from its cache had different ones. So every sum here has its order written down.
FAST = {"contract"}


@kernel(fastmath=FAST)
def _load(rows, low, columns, out):
    """out[columns, LANES] <- rows[low : low + LANES] transposed, zeros below the end."""
    count = min(LANES, rows.shape[0] - low)
    for i in range(count):
        for k in range(columns):
            out[k, i] = rows[low + i, k]
    for i in range(count, LANES):
        for k in range(columns):
            out[k, i] = ZERO
    return count


@kernel(fastmath=FAST)
def _hidden(x, weights, j, h):
    """h[LANES] <- column j of x^T weights, before the ReLU. The number of inputs is even."""
    for i in range(LANES):
        h[i] = ZERO
    for k in range(0, x.shape[0], 2):
        a, b = weights[k, j], weights[k + 1, j]
        for i in range(LANES):
            h[i] = h[i] + a * x[k, i] + b * x[k + 1, i]


@kernel(fastmath=FAST)
def _add_products(x, rows, total):
    """total[a, b] += sum over the LANES points i of x[a, i] rows[i, b], in the order of i.

    Four points at a time, so that `total` is loaded and stored a quarter as often.
    """
    for i in range(0, LANES, 4):
        for k in range(total.shape[0]):
            p, q, r, s = x[k, i], x[k, i + 1], x[k, i + 2], x[k, i + 3]
            for j in range(total.shape[1]):
                total[k, j] = (
                    total[k, j]
                    + p * rows[i, j]
                    + q * rows[i + 1, j]
                    + r * rows[i + 2, j]
                    + s * rows[i + 3, j]
                )


@kernel(parallel=True, fastmath=FAST)
def _forward(inputs, w1, w2, outputs):
    count = inputs.shape[0]
    for chunk in prange((count + CHUNK - 1) // CHUNK):
        x = np.empty((w1.shape[0], LANES), np.float32)
        y = np.empty((w2.shape[1], LANES), np.float32)
        h = np.empty(LANES, np.float32)
        for low in range(chunk * CHUNK, min((chunk + 1) * CHUNK, count), LANES):
            here = _load(inputs, low, w1.shape[0], x)
            y[:] = ZERO
            for j in range(w1.shape[1]):
                _hidden(x, w1, j, h)
                for o in range(w2.shape[1]):
                    weight = w2[j, o]
                    if weight != ZERO:  # two networks side by side leave half of them zero
                        for i in range(LANES):
                            y[o, i] += weight * max(h[i], ZERO)
            for i in range(here):
                for o in range(w2.shape[1]):
                    outputs[low + i, o] = y[o, i]


@kernel(parallel=True, fastmath=FAST)
def _backward(inputs, w1, w2, grad_outputs, grad_inputs, partial_w1, partial_w2):
    """partial_w1[chunks, a, b], partial_w2[chunks, c, b]: of each piece, to be added; zeros before.

    The second is transposed: both are sums over points with hidden units side by side.
    """
    count, width = inputs.shape[0], w1.shape[1]
    for chunk in prange((count + CHUNK - 1) // CHUNK):
        x = np.empty((w1.shape[0], LANES), np.float32)
        gx = np.empty((w1.shape[0], LANES), np.float32)
        gy = np.empty((w2.shape[1], LANES), np.float32)
        h = np.empty(LANES, np.float32)
        gh = np.empty(LANES, np.float32)
        hidden = np.empty((LANES, width), np.float32)
        grad_hidden = np.empty((LANES, width), np.float32)
        for low in range(chunk * CHUNK, min((chunk + 1) * CHUNK, count), LANES):
            here = _load(inputs, low, w1.shape[0], x)
            _load(grad_outputs, low, w2.shape[1], gy)
            gx[:] = ZERO
            for j in range(width):
                _hidden(x, w1, j, h)
                for i in range(LANES):
                    gh[i] = ZERO
                for o in range(w2.shape[1]):
                    weight = w2[j, o]
                    if weight != ZERO:
                        for i in range(LANES):
                            gh[i] += weight * gy[o, i]
                for i in range(LANES):
                    gh[i] = gh[i] if h[i] > ZERO else ZERO
                for k in range(w1.shape[0]):
                    weight = w1[k, j]
                    for i in range(LANES):
                        gx[k, i] += weight * gh[i]
                for i in range(LANES):
                    hidden[i, j] = max(h[i], ZERO)
                    grad_hidden[i, j] = gh[i]
            _add_products(x, grad_hidden, partial_w1[chunk])
            _add_products(gy, hidden, partial_w2[chunk])
            for i in range(here):
                for k in range(w1.shape[0]):
                    grad_inputs[low + i, k] = gx[k, i]


class _Mlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
        outputs = torch.empty(inputs.shape[0], w2.shape[1])
        ctx.save_for_backward(inputs, w1, w2)
        launch(_forward, as_array(inputs), as_array(w1), as_array(w2), as_array(outputs))
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_outputs: Tensor):
        inputs, w1, w2 = ctx.saved_tensors
        grad_inputs = torch.empty_like(inputs, memory_format=torch.contiguous_format)
        chunks = -(-inputs.shape[0] // CHUNK)
        partial_w1 = np.zeros((chunks, *w1.shape), np.float32)
        partial_w2 = np.zeros((chunks, *w2.T.shape), np.float32)
        launch(
            _backward,
            as_array(inputs),
            as_array(w1),
            as_array(w2),
            as_array(grad_outputs),
            as_array(grad_inputs),
            partial_w1,
            partial_w2,
        )
        # numpy adds along the first axis in order, whatever the number of threads.
        grad_w1, grad_w2 = partial_w1.sum(0), np.ascontiguousarray(partial_w2.sum(0).T)
        return grad_inputs, torch.from_numpy(grad_w1), torch.from_numpy(grad_w2)


def mlp(inputs: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
    """relu(inputs @ w1) @ w2 for float32 `[n, a]` (a even), `[a, b]`, `[b, c]` on the CPU.

    Differentiable once to all three.
    """
    assert inputs.shape[1] == w1.shape[0] and w1.shape[0] % 2 == 0, (
        f"inputs: got {tuple(inputs.shape)}, want [n, {w1.shape[0]}], even"
    )
    return _Mlp.apply(inputs, w1, w2)


def mlp_reference(inputs: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
    """The twin of `mlp` in torch, any float type and device."""
    return (inputs @ w1).relu() @ w2
