"""For mkdocs: fences without the reason why a test does not paste them."""

import re
from typing import Any

_REASON = re.compile(r'^(```\w*) no-run="[^"]*"', re.M)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with each page."""
    return _REASON.sub(r"\1", markdown)
