"""The main job in small: the loss falls, the gradient is right, and the picture is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from devices.toolchains import MISSING

from loma.demo import DemoError, Options, Step, run
from loma.demo.fit import compare, optimise, scattered
from loma.demo.picture import photograph, save_figure
from loma.demo.renderer import PARAMETERS, Program, Reals, Renderer, program

TARGETS = ["c", *(t for t in ("opencl", "wgsl", "ispc") if t not in MISSING)]


@pytest.fixture(scope="module")
def single() -> Program:
    """The renderer in f32."""
    return program("f32")


@pytest.fixture(scope="module")
def double() -> Program:
    """The renderer in f64."""
    return program("f64")


def two_halves() -> Reals:
    """A target of 32 x 48 pixels: dark on the left, orange on the right."""
    target = np.full((32, 48, 3), 0.1)
    target[:, 24:] = (0.9, 0.5, 0.1)
    return target


def test_gradient_is_that_of_finite_differences(double: Program) -> None:
    """Every parameter, at three random Gaussians each."""
    scene = scattered(12, 32, 48, seed=3)
    found = compare(double, two_halves(), scene, 3 * len(PARAMETERS), seed=4)
    for c in found:
        assert c.ours == pytest.approx(c.difference, rel=1e-5, abs=1e-11), c


def test_single_precision_gives_the_same_gradient(single: Program, double: Program) -> None:
    """f32 and f64 builds of one source agree to the precision of f32."""
    scene = scattered(12, 32, 48, seed=3)
    slopes = []
    for built in (single, double):
        renderer = Renderer(built, two_halves(), scene)
        renderer.loss()
        slopes.append(renderer.gradient())
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-3, abs=1e-6)


def test_picture_is_that_of_numpy(double: Program) -> None:
    """The kernels draw what the formula says, without tiles."""
    scene = scattered(12, 32, 48, seed=5)
    renderer = Renderer(double, two_halves(), scene)
    renderer.loss()
    assert renderer.picture == pytest.approx(drawn(scene, 32, 48), abs=1e-12)


def drawn(scene: Reals, height: int, width: int) -> Reals:
    """The same picture in NumPy: every Gaussian over the whole picture, front to back."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    picture, light = np.zeros((height, width, 3)), np.ones((height, width))
    for cx, cy, log_long, log_wide, angle, red, green, blue, density in scene:
        along = np.cos(angle) * (x - cx) + np.sin(angle) * (y - cy)
        across = np.cos(angle) * (y - cy) - np.sin(angle) * (x - cx)
        power = 0.5 * ((along / np.exp(log_long)) ** 2 + (across / np.exp(log_wide)) ** 2)
        alpha = np.exp(-power) / (1 + np.exp(-density))
        alpha = np.where(alpha > 1 / 255, alpha, 0.0)
        picture += (light * alpha)[..., None] * np.array((red, green, blue))
        light = light * (1 - alpha)
    return picture


def test_loss_falls_and_progress_is_heard(single: Program) -> None:
    """Forty steps on a simple target."""
    heard: list[Step] = []
    done = optimise(single, two_halves(), scattered(12, 32, 48, seed=3), 40, heard.append)
    assert done.losses[-1] < 0.1 * done.losses[0]
    assert [s.done for s in heard] == list(range(41))
    assert len(done.losses) == 41


@pytest.mark.parametrize("target", TARGETS)
def test_the_fit_is_the_same_on_every_target(target: str) -> None:
    """Ten steps in f32, from the same start."""
    scene = scattered(12, 32, 48, seed=3)
    fits = [
        optimise(program("f32", t), two_halves(), scene, 10, lambda step: None)
        for t in ("llvm", target)
    ]
    assert fits[1].losses == pytest.approx(fits[0].losses, rel=1e-4)


def test_run_writes_a_picture(tmp_path: Path) -> None:
    """From the photograph in the wheel to a PNG."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("PIL")
    output = tmp_path / "made" / "demo.png"
    result = run(Options(output=output, size=48, gaussians=30, steps=10), lambda step: None)
    assert output.read_bytes().startswith(b"\x89PNG")
    assert result.losses[-1] < result.losses[0]
    assert (result.width, result.height) == (48, 48) or result.width % 16 == 0
    assert "relative error" in result.summary()


def test_any_image_is_read(tmp_path: Path) -> None:
    """A grey PNG of odd sides becomes whole tiles of three colours."""
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "grey.png"
    image.new("L", (201, 77), 128).save(path)
    target = photograph(path, 100)
    assert target.shape == (32, 96, 3)
    assert target == pytest.approx(128 / 255)


@pytest.mark.parametrize("options", [
    Options(image=Path("no-such-file.png")), Options(image=Path(__file__)), Options(size=8),
    Options(gaussians=0), Options(steps=0)])
def test_faults_are_named(options: Options) -> None:
    """What the user got wrong is a DemoError."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("PIL")
    with pytest.raises(DemoError):
        run(options, lambda step: None)


def test_unwritable_output_is_named(tmp_path: Path) -> None:
    """A folder that cannot be made is a DemoError."""
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    with pytest.raises(DemoError):
        save_figure({"one": two_halves()}, [1.0, 0.5], tmp_path / "file" / "demo.png")
