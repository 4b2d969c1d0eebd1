import asyncio

from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client


async def main() -> None:
    async with AsyncTwilioHttpClient() as http:
        client = Client(http_client=http)
        print((await client.api.v2010.accounts(client.username).fetch_async()).sid)
        application = await client.applications.create_async(friendly_name="Café & Co")
        print(application.friendly_name)
        text = {"to": "+14155550199", "from_": "+15550100100"}
        media = ["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"]
        print((await client.messages.create_async(**text, media_url=media)).num_media)
        try:
            await client.messages.create_async(**text)
        except TwilioRestException as refused:
            print(refused.status, refused.code)
        print("gone" if await application.delete_async() else "still there")


asyncio.run(main())
