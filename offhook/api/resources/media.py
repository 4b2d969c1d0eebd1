"""What came with a message: its record and its bytes.  reference: messaging section 2.4."""

from __future__ import annotations

from offhook.api.files import File, forget, is_there
from offhook.api.filters import dates
from offhook.api.formats import Rendering
from offhook.api.paging import page
from offhook.api.reach import deleted, fetched
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.model.message import Media
from offhook.store import records
from offhook.store.table import Where

media = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Messages/{{message_sid}}/Media",
    element="Media",
    key="media_list",
)


@media.get(filters=dates("DateCreated", "date_created"))
async def list_media(at: At) -> Listed:
    message = await fetched(at, records.messages, at.names["message_sid"])
    return await page(at, records.media, render, Where("parent_sid", "=", message.sid))


@media.get("/{sid}", suffixes=("json", "xml"))
async def fetch(at: At) -> Rendering:
    return render(await _of_message(at))


@media.get("/{sid}", suffixes=("",), open=True)
async def download(at: At) -> File:
    """The bytes, of their own type; whoever knows the address may have them."""
    found = await _of_message(at)
    if not await is_there(found.path):
        raise ApiError(20404)
    return File(found.path, media_type=found.content_type)


@media.delete()
async def delete(at: At) -> None:
    found = await _of_message(at)
    await deleted(at, records.media)
    await forget(found.path)


async def _of_message(at: At) -> Media:
    found = await fetched(at, records.media, at.sid)
    if found.parent_sid != at.names["message_sid"]:
        raise ApiError(20404)
    return found


def render(found: Media) -> Rendering:
    message = f"{account_uri(found.account_sid)}/Messages/{found.parent_sid}"
    return {
        "account_sid": found.account_sid,
        "content_type": found.content_type,
        "date_created": date(found.date_created),
        "date_updated": date(found.date_updated),
        "parent_sid": found.parent_sid,
        "sid": found.sid,
        "uri": f"{message}/Media/{found.sid}",
    }
