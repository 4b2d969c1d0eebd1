"""`offhook backup` and `offhook restore`: a data folder, copied while in use, and put back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

from offhook import __version__
from offhook.config import DEFAULT_DATA
from offhook.errors import ConfigError

DATABASE, MANIFEST = "offhook.db", "backup.json"
KEPT = ("recordings", "media", "proxy")  # what is cached can be made again


def add_to(cli: click.Group) -> None:
    cli.add_command(backup)
    cli.add_command(restore)


data_option = click.option(
    "--data", type=click.Path(path_type=Path), default=DEFAULT_DATA, envvar="OFFHOOK_DATA",
    show_default=True, help="The data folder.",
)  # fmt: skip


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
def backup(folder: Path, data: Path) -> None:
    """Copy the database, recordings and media to the new FOLDER, also while Offhook runs.

    The copy holds auth tokens and keys: it is readable by its user alone.
    """
    from offhook.store import backup as database

    if not (data / DATABASE).is_file():
        raise ConfigError(f"{data} holds no Offhook: name its data folder with --data")
    _empty(folder)
    # The database first: what it names was there by then.
    database.copy(data / DATABASE, folder / DATABASE)
    for each in KEPT:
        if (data / each).is_dir():
            shutil.copytree(data / each, folder / each)
    told = {"version": __version__, "data": str(data.absolute())}
    (folder / MANIFEST).write_text(json.dumps(told, indent=2) + "\n")
    click.echo(f"backed up {data} to {folder}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
def restore(folder: Path, data: Path) -> None:
    """Make a data folder of the backup in FOLDER. The data folder must be new or empty."""
    from offhook.store import backup as database

    try:
        old = json.loads((folder / MANIFEST).read_text())["data"]
    except (OSError, ValueError, KeyError):
        raise ConfigError(f"{folder} is no backup: 'offhook backup' makes one") from None
    _empty(data)
    shutil.copytree(folder, data, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
    database.move_files(data / DATABASE, old, str(data.absolute()))
    click.echo(f"restored {folder} to {data}: 'offhook up --data {data}' starts it")


def _empty(folder: Path) -> None:
    """An empty folder of the user's own. Raises ConfigError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty: choose another")
        folder.chmod(0o700)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{folder} cannot be used ({reason}): choose another") from None
