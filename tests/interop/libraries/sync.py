from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

client = Client()
print(client.api.v2010.accounts(client.username).fetch().sid)
application = client.applications.create(friendly_name="Café & Co")
print(application.friendly_name)
text = {"to": "+14155550199", "from_": "+15550100100"}
media = ["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"]
print(client.messages.create(**text, media_url=media).num_media)
try:
    client.messages.create(**text)
except TwilioRestException as refused:
    print(refused.status, refused.code)
print("gone" if application.delete() else "still there")
