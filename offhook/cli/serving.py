"""`offhook up`, `demo` and `config`: the commands that start something themselves."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from offhook.cli.client import Running
from offhook.config import Settings, sample
