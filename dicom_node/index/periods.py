"""A date and a time that are matched together.

References
----------
PS3.4 §C.2.2.2.5 (combined datetime matching) and §C.5.1.1 (time zone query adjustment); PS3.18 §8.3.4.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from dicom_node.index.date_times import normal_date, normal_time
from dicom_node.index.value_tests import values_in

if TYPE_CHECKING:
    from dicom_node.index.attributes import Attributes

#: How far zones lie apart at most.
MAX_SHIFT: Final = timedelta(hours=28)


@dataclass(frozen=True, slots=True)
class Period:
    """A moment, given by a date and a time, from `low` to `high`; a missing time stands for any.

    Attributes
    ----------
    tag, time_tag
        The date and the time that goes with it.
    low, high
        `YYYYMMDDHHMMSS.ffffff`, both included.
    zone_s
        Offset from UTC that the request is in, in seconds; `None`: that of each data set.
    """

    tag: str
    time_tag: str
    low: str
    high: str
    zone_s: float | None = None

    def accepts(self, attributes: Attributes, zone_s: float | None) -> bool:
        """Whether a data set's moment lies within; `zone_s` is its own offset from UTC, if known."""
        days = [normal_date(value) for value in values_in(attributes.get(self.tag))][:1]
        times = [normal_time(value) for value in values_in(attributes.get(self.time_tag))][:1]
        if not days or not days[0]:
            return False
        if not times or not times[0]:
            return self.low[:8] <= days[0] <= self.high[:8]
        return self.low <= self._shifted(days[0] + times[0], zone_s) <= self.high

    def missing(self, attributes: Attributes) -> bool:  # noqa: ARG002
        """Dates and times are never left out of the catalogue."""
        return False

    def _shifted(self, moment: str, zone_s: float | None) -> str:
        """The moment as a clock in the request's zone shows it."""
        if self.zone_s is None or zone_s is None or self.zone_s == zone_s:
            return moment
        second = "59" if moment[12:14] == "60" else moment[12:14]
        try:
            local = datetime.strptime(moment[:12] + second, "%Y%m%d%H%M%S")
            local += timedelta(seconds=self.zone_s - zone_s)
        except (ValueError, OverflowError):
            return moment
        return f"{local.year:04}{local:%m%d%H%M%S}{moment[14:]}"


@cache
def partner(tag: str) -> str | None:
    """The time that goes with a date, by their keywords; `None` where there is none."""
    keyword = keyword_for_tag(int(tag, 16))
    if not keyword.endswith("Date") or dictionary_VR(int(tag, 16)) != "DA":
        return None
    found = tag_for_keyword(f"{keyword.removesuffix('Date')}Time")
    return f"{found:08X}" if found is not None and dictionary_VR(found) == "TM" else None
