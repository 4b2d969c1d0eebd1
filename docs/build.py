"""`make docs`: writes the pages of settings and of compatibility, and the table of metrics."""

from __future__ import annotations

import os
import re
from pathlib import Path

from docs import compatibility
from offhook.config import sample
from offhook.metrics import FIGURES, SPREADS

PAGE = Path(__file__).with_name("configuration.md")
METRICS = Path(__file__).with_name("metrics.md")
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


def metrics_page() -> str:
    """The page of metrics with the table as it should be."""
    lines = ["| metric | kind | labels | what |", "|---|---|---|---|"]
    for each in FIGURES:
        name = f"{each.name}_total" if each.kind == "counter" else each.name
        lines.append(f"| `{name}` | {each.kind} | {', '.join(each.labels)} | {each.about} |")
    for one in SPREADS:
        lines.append(f"| `{one.name}` | histogram | {', '.join(one.labels)} | {one.about} |")
    table = "<!-- table -->\n" + "\n".join(lines) + "\n<!-- end -->"
    return re.sub(r"<!-- table -->.*<!-- end -->", table, METRICS.read_text(), flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page())
    METRICS.write_text(metrics_page())
    if folder := os.environ.get("OFFHOOK_CONFORMANCE"):
        contract = compatibility.contract(Path(folder))
        compatibility.PAGE.write_text(compatibility.page(contract))
