"""Records, kept: all the SQL there is."""

from offhook.store.migrate import template
from offhook.store.store import Connection, Store, sqlite_url
from offhook.store.table import Taken, UnknownPlace, Where

__all__ = ["Connection", "Store", "Taken", "UnknownPlace", "Where", "sqlite_url", "template"]
