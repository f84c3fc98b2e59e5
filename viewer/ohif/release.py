"""Which OHIF the node serves, and where it lies once installed."""

from __future__ import annotations

import json
from pathlib import Path

PACKAGE = "@ohif/app"
VERSION = "3.13.2"

#: Subresource integrity of the npm tarball, as the registry states it for this version.
INTEGRITY = "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="

#: Path of the viewer on the node, with both slashes.
MOUNT = "/viewer/"

#: Changes whenever `viewer.ohif.rewrite` writes other bytes, so that older copies are installed anew.
LAYOUT = 3

#: Written last: a folder without it is no complete installation.
MARKER = ".installed.json"


def marker_text() -> str:
    """What the marker of a good installation holds."""
    return json.dumps(
        {"package": PACKAGE, "version": VERSION, "integrity": INTEGRITY, "mount": MOUNT, "layout": LAYOUT},
        indent=1,
    )


def is_installed(folder: Path) -> bool:
    """Whether `folder` holds a complete installation of this version for this mount point."""
    try:
        return (folder / MARKER).read_text(encoding="utf-8") == marker_text()
    except OSError:
        return False


def standard_folders(data_dir: Path = Path("data")) -> tuple[Path, ...]:
    """Where OHIF is looked for and installed: the checkout's cache first, then the node's data folder."""
    checkout = Path(__file__).resolve().parents[2]
    below = Path(".cache") / "ohif" / VERSION
    own = (checkout / below,) if (checkout / "pyproject.toml").is_file() else ()
    return (*own, data_dir.resolve() / below)


def find_ohif(*folders: Path, data_dir: Path = Path("data")) -> Path | None:
    """Find a complete OHIF.

    Parameters
    ----------
    folders
        Places to look at first; the standard ones follow.
    data_dir
        The node's data folder (`node.data_dir`).

    Returns
    -------
    Path or None
        The folder, or `None` where there is none: `python -m viewer.ohif.install` adds it.
    """
    return next((f for f in (*folders, *standard_folders(data_dir)) if is_installed(f)), None)
