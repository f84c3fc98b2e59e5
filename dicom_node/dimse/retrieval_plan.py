"""In which requests a study is asked for: as a whole first, then only what is missing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from dicom_node.dimse.retrieval import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from dicom_node.domain.pull import ArchivedInstance

#: SOP Instance UIDs in one request.
_LIST: Final = 50
#: So many single instances one after another of which none came end the asking.
_IN_VAIN: Final = 20


def requests(
    study_instance_uid: str,
    listed: Collection[ArchivedInstance],
    wanted: Collection[ArchivedInstance],
    missing: Callable[[], Collection[ArchivedInstance]],
) -> Iterator[Wanted]:
    """What to ask for, one after another; each is made when the one before is done.

    Parameters
    ----------
    listed
        All that the archive lists of the study.
    wanted
        Empty where it lists none: then the study is asked for once.
    missing
        What of `wanted` has not come yet.
    """
    if not wanted or len(missing()) * 2 > len(listed):
        yield Wanted(study_instance_uid)
    totals = Counter(instance.series_instance_uid for instance in listed)
    of_series = dict.fromkeys(instance.series_instance_uid for instance in wanted)
    for series in of_series:
        if len(totals) > 1 and len(_of(series, missing())) * 2 > totals[series] > 1:
            yield Wanted(study_instance_uid, series)
    for series in of_series:
        left = _of(series, missing())
        for start in range(0, len(left) if len(left) > 1 else 0, _LIST):
            yield Wanted(study_instance_uid, series, tuple(left[start : start + _LIST]))
    in_vain = 0
    for series in of_series:
        for uid in _of(series, missing()):
            if in_vain >= _IN_VAIN:
                return
            before = len(missing())
            yield Wanted(study_instance_uid, series, (uid,))
            in_vain = 0 if len(missing()) < before else in_vain + 1


def _of(series_instance_uid: str, instances: Collection[ArchivedInstance]) -> list[str]:
    return [i.sop_instance_uid for i in instances if i.series_instance_uid == series_instance_uid]
