"""What a built site would fetch from elsewhere: ``python docs/site/hosts.py build/site`` names it, and then fails.

Links that a person follows are none of it; scripts, styles, fonts, pictures and frames are.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

LOADED = {"object": "data", "link": "href"} | dict.fromkeys(("script", "img", "iframe", "source", "embed"), "src")
FOREIGN = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
IN_STYLES = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)


class Loads(HTMLParser):
    """Collects the addresses under other hosts that a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADED.get(tag, "")) or ""
        if FOREIGN.match(address):
            self.found.append(address)


def foreign(site: Path) -> list[str]:
    """``file: address`` of everything that the pages and styles of a site load from another host."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page = Loads()
        page.feed(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: {address}" for address in page.found]
    for path in sorted([*site.rglob("*.css"), *site.rglob("*.html")]):
        styles = IN_STYLES.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: {address}" for address in styles]
    return found


if __name__ == "__main__":
    named = foreign(Path(sys.argv[1]))
    print("\n".join(named) or "the site loads nothing from another host")
    raise SystemExit(bool(named))
