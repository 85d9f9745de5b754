"""A Flax module whose forward pass is a kernel in loma: a damped oscillation is learnt.

    python examples/jax_module.py
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import loma
from loma import Array, In, Out, cos, exp, thread_id


@loma.kernel
def oscillation(t: In[Array[float]], amplitude: In[float], damping: In[float],
                frequency: In[float], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = amplitude * exp(-damping * t[i]) * cos(frequency * t[i])


class Oscillation(nn.Module):
    """A damped oscillation with unknown amplitude, damping and frequency."""

    @nn.compact
    def __call__(self, t: jax.Array) -> jax.Array:
        start = nn.initializers.constant
        amplitude = self.param("amplitude", start(1.0), ())
        damping = self.param("damping", start(0.1), ())
        frequency = self.param("frequency", start(2.5), ())
        return oscillation(t, amplitude, damping, frequency)


def train(steps: int = 400) -> list[float]:
    """Fits a curve; gives the loss of each step."""
    t = jnp.linspace(0.0, 4.0, 100)
    wanted = 1.5 * jnp.exp(-0.4 * t) * jnp.cos(3.0 * t)
    model = Oscillation()
    state = model.init(jax.random.key(0), t)
    optimiser = optax.adam(0.02)
    memory = optimiser.init(state)

    @jax.jit
    def step(state, memory):
        loss, gradient = jax.value_and_grad(
            lambda s: jnp.mean((model.apply(s, t) - wanted) ** 2))(state)
        update, memory = optimiser.update(gradient, memory)
        return optax.apply_updates(state, update), memory, loss

    losses = []
    for _ in range(steps):
        state, memory, loss = step(state, memory)
        losses.append(float(loss))
    return losses


if __name__ == "__main__":
    losses = train()
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.8f}")
