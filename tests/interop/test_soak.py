"""Two minutes of `make soak`: what half an hour of it looks at, at a load that leaves room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc"),
]


def test_two_minutes_of_calls_leave_nothing_behind(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "bench.soak", "--seconds", "120", "--calls", "30")
    ran = subprocess.run(
        [*command, "--keep", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=400
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{(tmp_path / 'log').read_text()}"
    assert "all well" in ran.stdout
