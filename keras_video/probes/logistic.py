"""Multinomial logistic regression with an L2 penalty, solved to its optimum."""

import numpy as np

# Pairs of steps and gradient changes from which L-BFGS estimates the curvature.
_MEMORY = 10
_SUFFICIENT = 1e-4


def fit_logistic(x, targets, weights, l2, tolerance=1e-5, max_iterations=300):
    """The kernel and bias that minimize the weighted mean cross-entropy plus a penalty.

    The penalty is half of `l2` times the sum of the kernel's squares. The optimum is unique and
    does not depend on a seed: L-BFGS (Liu and Nocedal, 1989) runs until no entry of the gradient
    is above the tolerance. With fewer examples than features it works in the space spanned by
    the examples, which contains the optimum.

    Args:
        x: float `(examples, width)`.
        targets: float `(examples, classes)`, rows sum to 1.
        weights: float `(examples,)`, not negative, not all 0.
        l2: above 0.

    Returns:
        `(kernel (width, classes), bias (classes,))`, float64.
    """
    x, targets = np.asarray(x, np.float64), np.asarray(targets, np.float64)
    weights = np.asarray(weights, np.float64) / np.sum(weights)
    basis = None
    if x.shape[0] < x.shape[1]:
        left, scale, right = np.linalg.svd(x, full_matrices=False)
        x, basis = left * scale, right
    classes = targets.shape[1]

    def loss_and_gradient(flat):
        kernel, bias = flat[:-classes].reshape(-1, classes), flat[-classes:]
        logits = x @ kernel + bias
        logits -= logits.max(1, keepdims=True)
        total = np.exp(logits).sum(1, keepdims=True)
        loss = weights @ (np.log(total[:, 0]) - (targets * logits).sum(1))
        error = (np.exp(logits) / total - targets) * weights[:, None]
        gradient = np.concatenate([(x.T @ error + l2 * kernel).ravel(), error.sum(0)])
        return loss + l2 / 2 * np.sum(kernel**2), gradient

    initial = np.zeros((x.shape[1] + 1) * classes)
    flat = _minimize(loss_and_gradient, initial, tolerance, max_iterations)
    kernel, bias = flat[:-classes].reshape(-1, classes), flat[-classes:]
    return (kernel if basis is None else basis.T @ kernel), bias


def _minimize(function, point, tolerance, max_iterations):
    loss, gradient = function(point)
    steps = []
    for _ in range(max_iterations):
        if np.abs(gradient).max() <= tolerance:
            break
        direction = _direction(gradient, steps)
        slope = gradient @ direction
        length = 1.0
        while True:
            new_point = point + length * direction
            new_loss, new_gradient = function(new_point)
            if new_loss <= loss + _SUFFICIENT * length * slope:
                break
            length /= 2
            if length < 1e-12:  # the remaining progress is below rounding error
                return point
        step, change = new_point - point, new_gradient - gradient
        if step @ change > 0:
            steps = [*steps[1 - _MEMORY :], (step, change)]
        point, loss, gradient = new_point, new_loss, new_gradient
    return point


def _direction(gradient, steps):
    """The L-BFGS direction: to the minimum of the quadratic model of the last steps."""
    direction, factors = -gradient, []
    for step, change in reversed(steps):
        factor = (step @ direction) / (step @ change)
        factors.append(factor)
        direction = direction - factor * change
    if steps:
        step, change = steps[-1]
        direction = direction * (step @ change) / (change @ change)
    for (step, change), factor in zip(steps, reversed(factors), strict=True):
        direction = direction + (factor - (change @ direction) / (step @ change)) * step
    return direction
