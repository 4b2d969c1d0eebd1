"""Read by every Python that `offhook run` starts: aiohttp goes by the variables as requests does.

The official library's asynchronous client has no other way to a proxy. It is the program's own
aiohttp, looked at when the program imports it. A `sitecustomize` of the user's is read after this.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT = "aiohttp.client"


class Finder:
    """Stands first in `sys.meta_path` until aiohttp is imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != CLIENT:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_trust(module: ModuleType) -> None:
            load(module)
            module.ClientSession.__init__.__kwdefaults__["trust_env"] = True

        spec.loader.exec_module = load_and_trust  # type: ignore[method-assign]
        return spec


def users_own() -> None:
    others = [each for each in sys.path if os.path.abspath(each or ".") != HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec and spec.loader:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


sys.meta_path.insert(0, Finder())
users_own()
