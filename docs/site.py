"""`python -m docs.site [FOLDER]`: the site, in `build/site`; needs `s1inspect[docs]`, no network.

Fails where a page is in no list, a link or a fragment leads nowhere, or a page loads anything from
elsewhere.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from docs.console import ROOT
from docs.contents import DOCS

_LOADED: Final = re.compile(
    r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*"
)
_IMPORTED: Final = re.compile(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^\"')]*")


def main() -> None:
    """Make the site, or say what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build/site")
    folder: Path = parser.parse_args().folder
    from sphinx.cmd.build import build_main

    sys.path.insert(0, str(ROOT))  # for conf.py
    code = build_main(["-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(folder)])
    found = loaded_from_elsewhere(folder)
    sys.stderr.writelines(f"loads from elsewhere: {line}\n" for line in found)
    if code or found:
        sys.exit(1)
    sys.stdout.write(f"wrote {folder / 'index.html'}\n")


def loaded_from_elsewhere(folder: Path) -> list[str]:
    """What pages and styles would load from a network, by file."""
    return [
        f"{path.relative_to(folder)}: {match[0]}"
        for suffix, pattern in ((".html", _LOADED), (".css", _IMPORTED))
        for path in sorted(folder.rglob(f"*{suffix}"))
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]


if __name__ == "__main__":
    main()
