"""The pages of the site, made of those of the repository: `docs/`, README and what stands beside it.

A link from page to page leads to the page on the site; one to a file of the source, which the site doesn't
have, becomes the file's path. Schemas and the Python reference are made from what they describe.

    python docs/site/pages.py               # build/pages, which zensical.toml names, anew
    python docs/site/pages.py NEW_FOLDER
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path, PurePosixPath

import reference
import schema_pages

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "build" / "pages"

BESIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/peers.md": "peers.md",
}
"""Pages that are not in `docs/`, and their names on the site."""

STYLE = Path(__file__).with_name("site.css")
ICON = ROOT / "workers" / "web" / "static" / "icon.svg"
PICTURES = (".svg", ".png")
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")


class LostLink(ValueError):
    """A page names a file that is not there."""


def names() -> dict[str, str]:
    """Return the pages by path in the repository, and their names on the site."""
    return {f"docs/{path.name}": path.name for path in sorted((ROOT / "docs").glob("*.md"))} | BESIDE


def on_the_site(page: str, text: str) -> str:
    """Return a page of the repository with the links that it has on the site.

    Raises
    ------
    LostLink
        Naming the page and what it leads to.
    """
    known = names()

    def link(found: re.Match[str]) -> str:
        picture, words, target, anchor = found[1], found[2], found[3], found[4] or ""
        if not target:
            return found[0]
        path = resolved(page, target)
        if not (ROOT / path).exists():
            raise LostLink(f"{page}: [{words}]({target}) leads to no file")
        if path in known:
            return f"[{words}]({known[path]}{anchor})"
        if path.endswith(PICTURES) and path.startswith("docs/"):
            return f"{picture}[{words}]({PurePosixPath(path).name})"
        return f"`{path}`"

    return LINK.sub(link, text)


def resolved(page: str, target: str) -> str:
    """Return the path in the repository that a page's relative link leads to."""
    return (ROOT / page).parent.joinpath(target).resolve().relative_to(ROOT.resolve()).as_posix()


def write(folder: Path) -> None:
    """Write all pages and pictures into a new folder."""
    folder.mkdir(parents=True)
    for path, name in names().items():
        (folder / name).write_text(on_the_site(path, (ROOT / path).read_text()))
    pictures = [path for path in (ROOT / "docs").iterdir() if path.suffix in PICTURES]
    for file in (*pictures, ICON, STYLE):
        shutil.copy(file, folder)
    (folder / "python.md").write_text(reference.page())
    schema_pages.write(folder)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
    else:
        shutil.rmtree(PAGES, ignore_errors=True)
        write(PAGES)
