"""The plug-in, in a pytest of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


def outcomes(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    pytester.makepyfile(f"import asyncio\nimport pytest\n{test}")
    return pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-p", "no:xdist")


def test_a_coroutine_runs_in_virtual_time(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
async def test_patience(tmp_path):
    await asyncio.sleep(86400)
    assert asyncio.get_running_loop().time() == 86400 and tmp_path.exists()
""",
    )
    result.assert_outcomes(passed=1)


def test_a_marked_one_runs_in_real_time(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
@pytest.mark.real_time
async def test_now():
    assert not hasattr(asyncio.get_running_loop(), "utc")
""",
    )
    result.assert_outcomes(passed=1)


def test_what_belongs_to_other_plugins_is_theirs(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_theirs(anyio_backend):
    assert not hasattr(asyncio.get_running_loop(), "utc")
""",
    )
    result.assert_outcomes(passed=1)


def test_a_failure_names_who_waits(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
async def test_forever():
    await asyncio.Event().wait()
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Stuck: nothing can ever happen*test_forever (test_*.py:5)*"])


def test_a_platform_has_the_settings_of_its_fixture(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
@pytest.fixture
def offhook_settings():
    return {"default_region": "DE"}

async def test_region(offhook):
    offhook.number("+4930123456", voice=lambda request: "<Response><Say>Hallo.</Say></Response>")
    call = await offhook.call("030 123456")
    await call.hears("Hallo.")

def test_nothing_is_async(offhook):
    with pytest.raises(RuntimeError, match="does not run yet"):
        offhook.platform
""",
    )
    result.assert_outcomes(passed=2)
