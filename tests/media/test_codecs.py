"""G.711 as ITU-T G.711 tables 1 and 2 have it."""

import numpy as np
import pytest

from offhook.media import codecs


@pytest.mark.parametrize(
    ("codec", "code", "value"),
    [
        (codecs.PCMU, 0xFF, 0),
        (codecs.PCMU, 0x00, -32124),
        (codecs.PCMU, 0x80, 32124),
        (codecs.PCMU, 0x7E, -8),
        (codecs.PCMA, 0xD5, 8),
        (codecs.PCMA, 0x55, -8),
        (codecs.PCMA, 0xAA, 32256),
        (codecs.PCMA, 0x2A, -32256),
    ],
)
def test_a_code_stands_for_the_value_of_the_table(codec, code, value):
    assert codecs.decode(codec, np.array([code], np.uint8)) == [value]


@pytest.mark.parametrize("codec", [codecs.PCMU, codecs.PCMA])
def test_every_sample_becomes_the_nearest_value_there_is(codec):
    samples = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
    values = np.unique(codecs.decode(codec, np.arange(256, dtype=np.uint8))).astype(np.int32)
    heard = codecs.decode(codec, codecs.encode(codec, samples)).astype(np.int32)
    above = np.searchsorted(values, samples).clip(1, len(values) - 1)
    near = np.minimum(np.abs(values[above] - samples), np.abs(values[above - 1] - samples))
    assert (np.abs(heard - samples) == near).all()


@pytest.mark.parametrize("codec", [codecs.PCMU, codecs.PCMA])
def test_silence_is_the_code_that_phones_send(codec):
    assert codecs.encode(codec, np.zeros(1, np.int16)) == [codecs.SILENCE[codec]]
