"""What a piece of work has made so far, noted in the transactions in which it makes it.

After a crash the note says how far the work had come.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from offhook.frozen import frozen
from offhook.store import records
from offhook.store.store import Connection


@frozen
class Marks:
    """To be set as the store's `beside` while the work goes on.

    The fact `name` holds the SIDs as `made`, in the order in which they were; records older than
    `since` are not the work's. Once the fact has no `made` any more, nothing is noted.
    """

    name: str
    since: datetime
    expires: datetime | None = None

    def __call__(self, connection: Connection, written: Sequence[Any]) -> None:
        made = [
            record.sid
            for record in written
            if hasattr(record, "sid") and getattr(record, "date_created", self.since) >= self.since
        ]
        if not made:
            return
        known = records.facts.get(connection, self.name, self.since) or {"made": []}
        if "made" in known:
            more = known | {"made": known["made"] + made}
            records.facts.put(connection, self.name, more, self.expires)
