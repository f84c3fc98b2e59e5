"""Looks into the workflow engine's database from outside: whether it has a version of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dbos import DBOSClient

_SQLITE: Final = "sqlite:///"
#: What waits or runs.
_LEFT: Final = ["PENDING", "ENQUEUED", "DELAYED"]


class EngineProbe:
    """`ports.WorkflowProbe` over DBOS's system database; opened at the first question.

    Parameters
    ----------
    database_url
        As `Pipeline` has it.
    """

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._client: DBOSClient | None = None

    def __call__(self, study_id: str, version: int) -> bool:
        """See `ports.WorkflowProbe`."""
        if self._url.startswith(_SQLITE) and not Path(self._url.removeprefix(_SQLITE)).exists():
            return False  # no node was ever started here
        if self._client is None:
            self._client = DBOSClient(system_database_url=self._url)
        found = self._client.list_workflows(
            workflow_id_prefix=f"{study_id}.v{version}.",
            status=_LEFT,
            limit=1,
            load_input=False,
            load_output=False,
        )
        return bool(found)

    def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            self._client.destroy()
            self._client = None
