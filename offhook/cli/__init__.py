"""`offhook`: one command a function; what is long is imported when its command runs."""

from offhook.cli.main import main

__all__ = ["main"]
