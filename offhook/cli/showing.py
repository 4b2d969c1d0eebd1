"""`offhook demo`: a platform, a phone, a SIP call and a text, printed as they happen."""

from __future__ import annotations
