"""Where a database keeps its files."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import exc, make_url


def sqlite_folder(url: str) -> Path | None:
    """The folder of a SQLite database; `None` for a server's, whose disk is its own matter."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:  # opening the database says what is wrong
        return None
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database).parent
