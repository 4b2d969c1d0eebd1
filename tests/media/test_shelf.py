"""Clips that a media worker has read stay at hand while their files are what they were."""

from __future__ import annotations

import os
from pathlib import Path

from offhook.media.clip import Clip
from offhook.media.studio import Shelf

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
    assert shelf.load(clip).tobytes() == ONE
    found = shelf.find(clip)
    assert found is not None
    assert found.tobytes() == ONE


def test_being_used_makes_no_other_clip_of_it(tmp_path: Path) -> None:
    shelf, clip = Shelf(), kept(tmp_path / "a.pcm", ONE)
    shelf.load(clip)
    os.utime(clip.path, (1000, 1000))
    assert shelf.find(clip) is not None


def test_another_file_in_its_place_is_another_clip(tmp_path: Path) -> None:
    shelf, clip = Shelf(), kept(tmp_path / "a.pcm", ONE)
    shelf.load(clip)
    assert shelf.find(kept(Path(clip.path), TWO)) is None
    assert shelf.load(clip).tobytes() == TWO
