"""The folder of clips: bounded, least used first, whole files only."""

from __future__ import annotations

import os
from pathlib import Path

from offhook.speech.clips import Clips, key_of

SECOND = bytes(16_000)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    clips = Clips(tmp_path, 100_000)
    kept = clips.keep("a", SECOND)
    assert kept.seconds == 1
    assert Path(kept.path).read_bytes() == SECOND
    assert clips.find("a") == kept
    assert clips.find("b") is None


def test_the_least_used_goes_first(tmp_path: Path) -> None:
    clips = Clips(tmp_path, 48_000)
    for key in "abc":
        clips.keep(key, SECOND)
    clips.find("a")
    clips.keep("d", SECOND)
    assert names(tmp_path) == {"a.pcm", "c.pcm", "d.pcm"}
    assert clips.find("b") is None


def test_the_order_of_use_outlives_a_restart(tmp_path: Path) -> None:
    before = Clips(tmp_path, 48_000)
    for key in "abc":
        os.utime(before.keep(key, SECOND).path, (1000, 1000))
    before.find("a")
    before.find("c")
    after = Clips(tmp_path, 48_000)
    after.keep("d", SECOND)
    assert names(tmp_path) == {"a.pcm", "c.pcm", "d.pcm"}


def test_a_clip_that_is_used_again_and_again_is_not_touched_each_time(tmp_path: Path) -> None:
    clips = Clips(tmp_path, 48_000)
    path = clips.keep("a", SECOND).path
    clips.find("a")
    os.utime(path, (1000, 1000))
    assert clips.find("a")
    assert Path(path).stat().st_mtime == 1000


def test_a_smaller_folder_makes_room_with_the_next_clip(tmp_path: Path) -> None:
    for key in "abc":
        Clips(tmp_path, 48_000).keep(key, SECOND)
    Clips(tmp_path, 16_000).keep("d", SECOND)
    assert names(tmp_path) == {"d.pcm"}


def test_a_clip_larger_than_the_folder_may_be_is_played_all_the_same(tmp_path: Path) -> None:
    clips = Clips(tmp_path, 10_000)
    clips.keep("a", SECOND)
    big = clips.keep("b", SECOND)
    assert names(tmp_path) == {"b.pcm"}
    assert clips.find("b") == big


def test_what_was_half_written_at_a_crash_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"half")
    assert Clips(tmp_path, 10_000).find("a") is None
    assert names(tmp_path) == set()


def test_a_file_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    clips = Clips(tmp_path, 100_000)
    for used in (False, True):
        path = Path(clips.keep("a", SECOND).path)
        assert not used or clips.find("a")
        path.unlink()
        assert clips.find("a") is None
    clips.keep("a", SECOND)
    assert clips.find("a") is not None


def test_what_cannot_be_written_stays_in_memory(tmp_path: Path) -> None:
    clips = Clips(tmp_path / "clips", 100_000)
    (tmp_path / "clips").rmdir()
    clip = clips.keep("a", SECOND)
    assert (clip.path, clip.pcm, clip.seconds) == ("", SECOND, 1)


def test_keys_tell_where_one_part_ends() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("ab", "c") == key_of("ab", b"c")
