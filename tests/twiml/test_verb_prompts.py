"""<Say>, <Play> and <Pause>, one test for each sentence of their pages."""

from __future__ import annotations

import pytest
from scripted_call import FILE_SECONDS, ScriptedCall, now

from offhook.line.leg import HungUp


async def test_say_answers_and_blocks_until_the_words_are_over():
    """M03: text is said."""
    call = ScriptedCall()
    await call.runs("<Response><Say>one two three</Say></Response>")
    assert (call.answered_at, call.heard, now()) == (0.0, ["one two three"], 3.0)


async def test_say_repeats_as_often_as_loop_says():
    call = ScriptedCall()
    await call.runs('<Response><Say loop="3">la</Say></Response>')
    assert call.heard == ["la"] * 3


async def test_say_loop_0_repeats_until_the_caller_hangs_up():
    call = ScriptedCall()
    call.hangs_up(at=600.5)
    with pytest.raises(HungUp):
        await call.runs('<Response><Say loop="0">la</Say></Response>')
    assert len(call.heard) == 601


async def test_say_loop_0_ends_after_a_thousand_times():
    call = ScriptedCall()
    await call.runs('<Response><Say loop="0">la</Say></Response>')
    assert len(call.heard) == 1000


async def test_say_hands_on_voice_and_language_only_where_they_are_given():
    call = ScriptedCall()
    await call.runs('<Response><Say>a</Say><Say voice="alice" language="de-DE">b</Say></Response>')
    assert call.spoken == [("a", "", "", "", 1), ("b", "", "alice", "de-DE", 1)]


SSML = 'Hi <break time="1s"/> <prosody rate="slow">you  &amp; me</prosody>'


async def test_polly_and_google_voices_get_the_markup():
    call = ScriptedCall()
    await call.runs(f'<Response><Say voice="Polly.Joanna">{SSML}</Say></Response>')
    [(text, markup, *_)] = call.spoken
    assert text == "Hi you & me"
    assert markup == 'Hi <break time="1s"/> <prosody rate="slow">you &amp; me</prosody>'


async def test_words_without_tags_are_no_markup():
    call = ScriptedCall()
    await call.runs('<Response><Say voice="Polly.Joanna">fish &amp; chips</Say></Response>')
    assert call.spoken[0][:2] == ("fish & chips", "")


@pytest.mark.parametrize("voice", ["", 'voice="man"', 'voice="alice"'])
async def test_the_basic_voices_get_the_words_without_their_tags(voice):
    call = ScriptedCall()
    await call.runs(f"<Response><Say {voice}>{SSML}</Say></Response>")
    assert call.spoken[0][:2] == ("Hi you & me", "")


async def test_unknown_tags_are_taken_away_and_their_words_read():
    call = ScriptedCall()
    words = 'a <blink>b <emphasis level="strong" x="1">c</emphasis></blink>'
    await call.runs(f'<Response><Say voice="Polly.Amy">{words}</Say></Response>')
    assert call.spoken[0][:2] == ("a b c", 'a b <emphasis level="strong">c</emphasis>')
    assert call.notes == [12200, 12200]


@pytest.mark.parametrize(
    "bad",
    [
        '<prosody rate="fastish">a</prosody>',
        '<break time="long"/>',
        "<sub><s>a</s></sub>",
        "<s><p>a</p></s>",
        '<say-as interpret-as="poem">a</say-as>',
    ],
)
async def test_bad_markup_skips_the_verb_for_voices_that_read_it(bad):
    call = ScriptedCall()
    await call.runs(f'<Response><Say voice="Polly.Amy">x {bad}</Say><Say>x {bad}</Say></Response>')
    assert [voice for _, _, voice, _, _ in call.spoken] == [""]
    assert call.notes == [13520]


async def test_markup_without_words_is_not_nothing():
    call = ScriptedCall()
    await call.runs('<Response><Say voice="Polly.Amy"><break time="2s"/></Say></Response>')
    assert call.spoken[0][:2] == ("", '<break time="2s"/>')


async def test_play_answers_and_blocks_until_the_file_is_over():
    """M03: audio files are played."""
    call = ScriptedCall()
    await call.runs('<Response><Play loop="2"> /a.wav\n</Play></Response>')
    assert (call.answered_at, call.heard) == (0.0, ["/a.wav"] * 2)
    assert now() == 2 * FILE_SECONDS


async def test_play_digits_sends_touch_tones_instead():
    call = ScriptedCall()
    await call.runs('<Response><Play digits="wwww3"></Play></Response>')
    assert (call.pressed, call.heard, call.answered) == (["wwww3"], [], True)


async def test_play_with_bad_digits_is_skipped():
    call = ScriptedCall()
    await call.runs('<Response><Play digits="call me">/a.wav</Play><Say>b</Say></Response>')
    assert (call.pressed, call.heard, call.notes) == ([], ["b"], [13430])


async def test_a_pause_that_comes_first_waits_before_answering():
    call = ScriptedCall()
    await call.runs('<Response><Pause length="10"/><Say>Hello</Say></Response>')
    assert call.answered_at == 10.0


async def test_pause_is_one_second_of_silence_without_a_length():
    call = ScriptedCall()
    await call.runs("<Response><Pause/></Response>")
    assert (now(), call.heard, call.answered) == (1.0, [], False)


async def test_a_caller_who_hangs_up_ends_the_document():
    call = ScriptedCall()
    call.hangs_up(at=2.5)
    with pytest.raises(HungUp):
        await call.runs("<Response><Say>one two three</Say><Say>four</Say></Response>")
    assert (call.heard, now()) == (["one two three"], 2.5)
