"""Date-times of work items against the clock.

References
----------
PS3.5 §6.2 (DT), PS3.3 §C.12.1 (Timezone Offset From UTC).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from dicom_node.domain.workitem import first

if TYPE_CHECKING:
    from datetime import tzinfo

    from dicom_node.domain.workitem import Model

_PARTS: Final = re.compile(
    r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,6}))?([+-](?:[01]\d|2[0-3])[0-5]\d)?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"[+-]([01]\d|2[0-3])[0-5]\d", re.ASCII)


def passed(value: object, now: datetime, local: tzinfo | None = None) -> bool:
    """Whether a DT value lies in the past; an empty or unreadable one does not.

    Parameters
    ----------
    local
        The zone of values without an offset; `None`: that of this machine.
    """
    moment = read_moment(str(value or ""), local)
    return moment is not None and moment <= now


def zone_of(model: Model) -> tzinfo | None:
    """The zone that a data set gives for its values without an offset; `None` where it gives none."""
    offset = str(first(model, "00080201") or "")
    return _zone(offset) if _OFFSET.fullmatch(offset) else None


def read_moment(text: str, local: tzinfo | None = None) -> datetime | None:
    """The first moment that a DT value stands for, or `None` where it is none."""
    parts = _PARTS.fullmatch(text.strip())
    if parts is None:
        return None
    year, month, day, hour, minute, second = (int(p) if p else None for p in parts.groups()[:6])
    try:
        moment = datetime(
            year or 1,
            month or 1,
            day or 1,
            hour or 0,
            minute or 0,
            min(second or 0, 59),
            int((parts[7] or "0").ljust(6, "0")),
            tzinfo=_zone(parts[8]) if parts[8] else local,
        )
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str) -> timezone:
    sign = -1 if offset.startswith("-") else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:])))
