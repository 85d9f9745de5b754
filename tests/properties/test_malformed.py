"""Malformed programs end in rendered user errors: no traceback, no hang."""

from __future__ import annotations

import os
import time

from fuzz.mutate import malformed

from loma.diagnostics import UserError
from loma.driver import core_module

COUNT = int(os.environ.get("LOMA_MALFORMED", "60"))
FIRST = int(os.environ.get("LOMA_SEED", "1")) * 100_003


def test_malformed_programs_are_user_errors() -> None:
    rejected = 0
    for seed in range(FIRST, FIRST + COUNT):
        start = time.monotonic()
        try:
            core_module(malformed(seed), "malformed.py")
        except UserError as e:
            rejected += 1
            assert e.to_string().startswith("error["), f"seed {seed}"
        assert time.monotonic() - start < 20, f"seed {seed}"
    assert rejected > COUNT // 2
