"""`make docs`: writes the pages of settings and of compatibility from the code itself."""

from __future__ import annotations

import os
from pathlib import Path

from docs import compatibility
from offhook.config import sample

PAGE = Path(__file__).with_name("configuration.md")
INTRODUCTION = """\
# Every setting

A setting is taken from the command line, else from a variable, else from a TOML file, else it has
the default shown here.

```console
$ offhook up --config offhook.toml
$ OFFHOOK_SIP=0.0.0.0:5060 offhook up
```

The variable of a key is `OFFHOOK_` and its name in capitals; a key of a table has two underscores
between the two: `OFFHOOK_WEBHOOKS__VERIFY_TLS=false`. A key that does not exist is
refused, with a suggestion.

This is the whole file:

"""


def page() -> str:
    return f"{INTRODUCTION}```toml\n{sample().strip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    if folder := os.environ.get("OFFHOOK_CONFORMANCE"):
        contract = compatibility.contract(Path(folder))
        compatibility.PAGE.write_text(compatibility.page(contract))
