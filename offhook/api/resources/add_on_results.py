"""What add-ons made of a recording: there are none here.  reference: REST voice, Recordings."""

from __future__ import annotations

from offhook.api.formats import Rendering
from offhook.api.paging import whole
from offhook.api.reach import fetched
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.store import records

add_on_results = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Recordings/{{recording_sid}}/AddOnResults",
    element="AddOnResult",
    key="add_on_results",
)


@add_on_results.get()
async def list_results(at: At) -> Listed:
    await fetched(at, records.recordings, at.names["recording_sid"])
    return whole(at, list[Rendering](), dict)


@add_on_results.get("/{sid}")
async def fetch(at: At) -> Rendering:
    raise ApiError(20404)


@add_on_results.delete()
async def delete(at: At) -> None:
    raise ApiError(20404)
