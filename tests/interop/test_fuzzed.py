"""Half a minute of fuzzing, every time; `make fuzz` takes longer and finds more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "fuzz" / "fuzz_run.py"
SECONDS = 30


@pytest.mark.interop
def test_half_a_minute_of_strange_bytes_breaks_nothing(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, str(RUN), str(SECONDS)],
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS * 8, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 13
    assert all("guided" in line and "places covered" in line for line in lines)
