"""What an operator can choose, where it is read from, and how to write it down."""

from offhook.config.load import load, usable_folder
from offhook.config.sample import sample
from offhook.config.settings import DEFAULT_DATA, Settings
from offhook.config.sip_trunks import CallerId, Trunk
from offhook.config.values import Address, Behaviour

__all__ = [
    "DEFAULT_DATA",
    "Address",
    "Behaviour",
    "CallerId",
    "Settings",
    "Trunk",
    "load",
    "sample",
    "usable_folder",
]
