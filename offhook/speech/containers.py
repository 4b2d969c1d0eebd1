"""What may be played: the container follows from the Content-Type and is never guessed.

A probed file can name other files and have them opened; a WAV demuxer given one reads noise.
"""

from __future__ import annotations

from offhook.errors import SpeechError
from offhook.frozen import frozen

BAD_MEDIA = 13420
MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 3600
MAX_CHANNELS = 8


@frozen
class Container:
    """FFmpeg's demuxer and the codecs it may find; `options` describe headerless sound."""

    demuxer: str
    codecs: frozenset[str]
    options: tuple[tuple[str, str], ...] = ()


_PCM = (
    "pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be "
    "pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_mulaw pcm_alaw"
)
_MP3 = Container("mp3", frozenset({"mp3", "mp3float"}))
_WAV = Container("wav", frozenset(f"{_PCM} adpcm_ms adpcm_ima_wav gsm_ms mp3 mp3float".split()))
_AIFF = Container("aiff", frozenset(f"{_PCM} gsm adpcm_ima_qt".split()))
_GSM = Container("gsm", frozenset({"gsm"}))
_OGG = Container("ogg", frozenset({"vorbis", "libvorbis", "opus", "libopus", "flac", "speex"}))
_AU = Container("au", frozenset(_PCM.split()))
_ULAW = Container(
    "mulaw", frozenset({"pcm_mulaw"}), (("sample_rate", "8000"), ("ch_layout", "mono"))
)

_TYPES = {
    **dict.fromkeys(("audio/mpeg", "audio/mp3", "audio/x-mpeg", "audio/x-mp3"), _MP3),
    **dict.fromkeys(("audio/wav", "audio/wave", "audio/x-wav", "audio/vnd.wave"), _WAV),
    **dict.fromkeys(("audio/aiff", "audio/x-aiff", "audio/aifc", "audio/x-aifc"), _AIFF),
    **dict.fromkeys(("audio/gsm", "audio/x-gsm"), _GSM),
    **dict.fromkeys(("audio/ogg", "application/ogg"), _OGG),
    **dict.fromkeys(("audio/ulaw", "audio/x-ulaw", "audio/mulaw", "audio/x-mulaw"), _ULAW),
    "audio/basic": _ULAW,
}


def container_of(media_type: str, body: bytes) -> Container:
    """The container of a body; SpeechError 13420 when it is none that can be played."""
    kind = media_type.partition(";")[0].strip().lower()
    found = _TYPES.get(kind)
    if found is None:
        raise SpeechError(BAD_MEDIA, f"Media of type {kind or 'unknown'!r} cannot be played")
    if not body:
        raise SpeechError(BAD_MEDIA, "The media file is empty")
    if len(body) > MAX_BYTES:
        raise SpeechError(BAD_MEDIA, f"The media file is larger than {MAX_BYTES >> 20} MB")
    if kind == "audio/basic" and body.startswith(b".snd"):
        return _AU
    return found
