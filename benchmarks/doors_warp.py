"""The kernel of `doors` in Warp, which wants its kernels in a file."""

import warp as wp


@wp.kernel
def five(a: wp.array(dtype=wp.float64), b: wp.array(dtype=wp.float64),  # type: ignore[valid-type]
         c: wp.array(dtype=wp.float64), d: wp.array(dtype=wp.float64),  # type: ignore[valid-type]
         e: wp.array(dtype=wp.float64), y: wp.array(dtype=wp.float64)):  # type: ignore[valid-type]
    i = wp.tid()
    y[i] = a[i] * b[i] + c[i] * d[i] + e[i]


@wp.kernel
def dot(a: wp.array(dtype=wp.float64), b: wp.array(dtype=wp.float64),  # type: ignore[valid-type]
        y: wp.array(dtype=wp.float64)):  # type: ignore[valid-type]
    i = wp.tid()
    wp.atomic_add(y, 0, a[i] * b[i])
