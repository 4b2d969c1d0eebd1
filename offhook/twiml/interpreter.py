"""A call's life in TwiML: fetch a document, run its verbs, follow where they lead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from offhook.line.live_call import LiveCall
from offhook.model.fetch import Fetch
from offhook.twiml.program import Document, Verb, perform

MOST_DOCUMENTS = 1000  # a call; more are a circle
RETRIEVAL_LIMIT = 14106


async def interpret(
    call: LiveCall, start: Fetch, fetch: Callable[[Fetch], Awaitable[Document[Verb]]]
) -> None:
    """Returns at the end of a document that leads nowhere; what that means is the caller's to say.

    Raises HungUp when the leg ends, and whatever `fetch` raises.
    """
    for _ in range(MOST_DOCUMENTS):
        document = await fetch(start)
        call.document_url = document.url
        for problem in document.problems:
            call.position = ("", problem.line, problem.column)
            call.note(problem.code, problem.message)
        following = await perform(document.verbs, call)
        if following is None:
            return
        start = following
    call.note(RETRIEVAL_LIMIT, f"More than {MOST_DOCUMENTS} documents in one call")
