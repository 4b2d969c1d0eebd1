"""The resources, one file each; what is listed here is served."""

from __future__ import annotations

from offhook.api.resources.accounts import accounts
from offhook.api.resources.applications import applications
from offhook.api.resources.call_recordings import call_recordings
from offhook.api.resources.calls import calls
from offhook.api.resources.events import events
from offhook.api.resources.media import media
from offhook.api.resources.messages import messages, sms_messages
from offhook.api.resources.notifications import call_notifications, notifications
from offhook.api.resources.numbers import numbers
from offhook.api.resources.recordings import recordings

EVERY = (
    accounts, applications, calls, call_recordings, call_notifications, events,
    messages, sms_messages, media, numbers, notifications, recordings,
)  # fmt: skip
