"""Which studies are worked on before others, decided when they are complete."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import NodeError

if TYPE_CHECKING:
    from dicom_node.pipeline.services import Services

log = structlog.get_logger(__name__)

#: Of the engine's queue: smaller goes first.
STAT, ROUTINE = 1, 10
#: Series that are looked at: one instance of each is opened, and its pixels are not read.
MOST_SERIES = 64


def priority(services: Services, study_id: str, version: int) -> int:
    """`STAT` where the study says so of itself or a rule does, else `ROUTINE`; never raises.

    The headers are those that were received, before de-identification: only this number is kept.
    """
    try:
        sources = services.index.sources(study_id, version)
        one_each = {source.series_instance_uid: source.spool_ref for source in reversed(sources)}
        senders = frozenset(source.source for source in sources)
        with ExitStack() as stack:
            refs = sorted(one_each.values())[:MOST_SERIES]
            headers = [stack.enter_context(services.stores.open(ref)) for ref in refs]
            urgent = services.router.is_stat(headers, senders)
    except NodeError as exc:
        log.warning("study.priority_unknown", study_id=study_id, version=version, code=exc.code)
        return ROUTINE
    if urgent:
        log.info("study.stat", study_id=study_id, version=version)
    return STAT if urgent else ROUTINE
