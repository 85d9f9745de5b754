"""Every pass keeps every value, bit for bit, and leaves a legal function."""

from __future__ import annotations

import pytest
from opt.programs import PROGRAMS, Pass, apply, core, result, source

from loma.ir.types import F32, F64, Scalar
from loma.opt import (
    carried,
    cse,
    dce,
    fold,
    hoist,
    ifconvert,
    induction,
    inline,
    pipeline,
    promote,
    raise_accum,
    raise_loops,
    views,
)

PASSES: dict[str, Pass] = {
    "fold": fold.run,
    "carried": carried.run,
    "cse": cse.run,
    "dce": dce.run,
    "views": views.run,
    "promote": promote.run,
    "parameters": promote.promote_params,
    "loops": raise_loops.run,
    "induction": induction.run,
    "accum": raise_accum.run,
    "hoist": hoist.run,
    "ifconvert": ifconvert.run,
    "inline": inline.run,
    "simplify": pipeline.simplify,
    "before": lambda f, m: pipeline.run(pipeline.BEFORE_AD, f, m),
    "after": lambda f, m: pipeline.run(pipeline.AFTER_AD, f, m),
    "strict": lambda f, m: pipeline.run(pipeline.STRICT, f, m),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("p", PASSES)
@pytest.mark.parametrize("float_type", [F32, F64])
def test_pass_keeps_values(name: str, p: str, float_type: Scalar) -> None:
    module = core(source(name), float_type)
    done = apply(PASSES[p], module)
    for args in PROGRAMS[name][1]:
        assert result(done, "f", args) == result(module, "f", args)


@pytest.mark.parametrize("name", PROGRAMS)
def test_whole_module_keeps_values(name: str) -> None:
    module = core(source(name))
    done = pipeline.optimise(module, pipeline.STRICT)
    for args in PROGRAMS[name][1]:
        assert result(done, "f", args) == result(module, "f", args)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("p", ["before", "strict"])
def test_pipelines_settle(name: str, p: str) -> None:
    done = apply(PASSES[p], core(source(name)))
    assert pipeline.simplify(done.functions["f"], done) is done.functions["f"]
