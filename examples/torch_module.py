"""A layer of a PyTorch network written in loma: Gaussian bumps whose places and widths are learnt.

    python examples/torch_module.py
"""

from __future__ import annotations

import torch

import loma
from loma import Array, In, Out, exp, thread_id


@loma.kernel
def bumps(x: In[Array[float]], centre: In[Array[float, "k"]], width: In[Array[float, "k"]],
          weight: In[Array[float, "k"]], k: In[int], y: Out[Array[float]]):
    i: int = thread_id()
    s: float = 0.0
    for j in range(k):
        d: float = (x[i] - centre[j]) / width[j]
        s = s + weight[j] * exp(-d * d)
    y[i] = s


class Bumps(torch.nn.Module):
    """A sum of Gaussian bumps."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.centre = torch.nn.Parameter(torch.linspace(-2.0, 2.0, k))
        self.width = torch.nn.Parameter(torch.ones(k))
        self.weight = torch.nn.Parameter(torch.zeros(k))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return bumps(x, self.centre, self.width, self.weight, len(self.centre))


def train(steps: int = 300) -> list[float]:
    """Fits a curve; gives the loss of each step."""
    x = torch.linspace(-3.0, 3.0, 200)
    wanted = torch.sin(2.0 * x) * torch.exp(-0.2 * x * x)
    model = Bumps(8)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(steps):
        loss = ((model(x) - wanted) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    losses = train()
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.6f}")
