"""Clips that a media worker has read stay at hand while their files are what they were."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from offhook.media.clip import Clip
from offhook.media.studio import SHELF, Shelf, read

ONE, TWO = b"\1\0" * 160, b"\2\0" * 160


def kept(path: Path, sound: bytes) -> Clip:
    """The clip as the cache of clips leaves it: written aside, then put in its place."""
    part = path.with_suffix(".part")
    part.write_bytes(sound)
    part.replace(path)
    return Clip(0.02, path=str(path))


def test_a_clip_is_at_hand_once_it_was_read(tmp_path: Path) -> None:
    shelf, clip = Shelf(), kept(tmp_path / "a.pcm", ONE)
    assert shelf.find(clip) is None
    shelf.keep(clip, read(clip))
    found = shelf.find(clip)
    assert found is not None
    assert found.tobytes() == ONE


def test_being_used_makes_no_other_clip_of_it(tmp_path: Path) -> None:
    shelf, clip = Shelf(), kept(tmp_path / "a.pcm", ONE)
    shelf.keep(clip, read(clip))
    os.utime(clip.path, (1000, 1000))
    assert shelf.find(clip) is not None


def test_another_file_in_its_place_is_another_clip(tmp_path: Path) -> None:
    shelf, clip = Shelf(), kept(tmp_path / "a.pcm", ONE)
    shelf.keep(clip, read(clip))
    assert shelf.find(kept(Path(clip.path), TWO)) is None
    assert read(clip).tobytes() == TWO


def test_there_is_room_for_so_much_and_what_was_used_last_stays(tmp_path: Path) -> None:
    """Calls that begin together ask for a clip before any has it: it takes its room once."""
    shelf, large = Shelf(), np.ones(SHELF // 8, np.int16)  # a quarter of the room
    clips = [kept(tmp_path / f"{n}.pcm", bytes(n)) for n in range(1, 6)]
    for clip in clips[:3]:
        for _ in range(4):
            shelf.keep(clip, large)
    assert [shelf.find(clip) is not None for clip in clips] == [True] * 3 + [False] * 2
    shelf.find(clips[0])
    shelf.keep(clips[3], large)
    shelf.keep(clips[4], large)
    assert [shelf.find(clip) is not None for clip in clips] == [True, False, True, True, True]


def test_what_cannot_be_read_is_not_kept(tmp_path: Path) -> None:
    shelf, clip = Shelf(), Clip(1, path=str(tmp_path / "gone.pcm"))
    assert len(read(clip)) == 0
    shelf.keep(clip, read(clip))
    assert shelf.find(clip) is None
