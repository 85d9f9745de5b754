"""A kernel of the Python door on CUDA."""

import loma
from loma import Array, In, Out, sin, thread_id


@loma.kernel(target="cuda")
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = a * sin(x[i])
