"""The resources, one file each: every Resource that a module here defines is served."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from offhook.api.resource import Resource

_MODULES = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
EVERY = tuple(
    {
        id(found): found
        for module in _MODULES
        for found in vars(module).values()
        if isinstance(found, Resource)
    }.values()
)
