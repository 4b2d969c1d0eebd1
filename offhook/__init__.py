"""Offhook: runs applications written for Twilio, unmodified, on your own machine."""

__version__ = "0.1.0"
