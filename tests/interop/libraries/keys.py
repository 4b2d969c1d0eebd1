from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

client = Client()
sid = client.username
allow = {"allow": ["/twilio/messaging/messages/create"]}
made = client.iam.v1.new_api_key.create(account_sid=sid, key_type="restricted", policy=allow)
print(made.policy == allow)
print(made.sid in [each.sid for each in client.iam.v1.get_api_keys.list(sid, page_size=1)])
limited = Client(made.sid, made.secret, sid)
print(limited.messages.create(to="+14155550199", from_="+15550100100", body="Hello").status)
try:
    limited.calls.get("CA" + "0" * 32).fetch()
except TwilioRestException as refused:
    print(refused.status, refused.code)
print("gone" if client.iam.v1.api_key(made.sid).delete() else "still there")
