from __future__ import annotations

from collections.abc import Iterator

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.twiml import ssml
from offhook.twiml.schema import Complaint, attribute, content, language_tag, matching, repeats

FAMILIES = matching(
    "man, woman, alice, Polly.<name> or Google.<name>",
    r"man|woman|alice|(Polly|Google)\.[\w-]+",
)
MOST_CHARACTERS = {"": 4096, "Polly": 3000, "Google": 5000}


@frozen
class Say:
    """Read text to the caller.  https://www.twilio.com/docs/voice/twiml/say

    An empty `voice` or `language` follows from the other. `markup` is the same text with its SSML,
    as XML, and "" without any; the basic voices read it without.
    """

    voice: str = attribute(FAMILIES, "", 13511)
    language: str = attribute(language_tag, "", 13512)
    loop: int = attribute(repeats, 1, 13510)  # 0 is read as 1000
    text: str = content(ssml.plain, mixed=True)
    markup: str = content(ssml.markup, mixed=True)
    fault: str = content(ssml.fault, mixed=True)  # what is wrong with the markup

    def check(self) -> Iterator[Complaint]:
        if not self.text and not self.markup:
            yield Complaint(13520, "<Say> has nothing to say", skip=True)
        family = self.family
        length = len(self.text.encode()) if family == "Google" else len(self.text)
        if length > MOST_CHARACTERS[family]:
            most = f"the most for this voice is {MOST_CHARACTERS[family]}"
            yield Complaint(13521, f"<Say> is {length} long, {most}", skip=True)
        if self.fault and family:
            yield Complaint(13520, f"<Say> cannot be read: {self.fault}", skip=True)

    @property
    def family(self) -> str:
        """Polly, Google or, for the basic voices, nothing."""
        return self.voice.partition(".")[0] if "." in self.voice else ""

    async def run(self, call: LiveCall) -> None:
        markup = self.markup if self.family else ""
        await call.say(self.text, markup, self.voice, self.language, self.loop)
