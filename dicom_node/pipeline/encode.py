"""Encode stage: predictions become DICOM objects in the result store, not yet visible."""

from __future__ import annotations

import io
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dicom_node.domain.result import ResultEntry
from dicom_node.domain.study import Slot
from dicom_node.pipeline.deidentify import WRITERS
from dicom_node.pipeline.predictions import load_prediction
from dicom_node.pipeline.study_input import study_input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from dicom_node.domain.result import EncodedResult
    from dicom_node.pipeline.services import Services


def encode(
    services: Services, study_id: str, version: int, refs: Sequence[dict[str, str]]
) -> tuple[ResultEntry, ...]:
    """Write the result objects of all predictions, rejections too; the same run makes the same objects."""
    predictions = [load_prediction(services.stores.work, ref) for ref in refs]
    slot = Slot(study_id, version)

    def write(result: EncodedResult) -> ResultEntry:
        name = f"{result.sop_instance_uid}.dcm"
        return ResultEntry(
            kind=result.kind,
            sop_class_uid=result.sop_class_uid,
            series_instance_uid=result.series_instance_uid,
            sop_instance_uid=result.sop_instance_uid,
            version=version,
            ref=services.stores.results.write(slot, name, io.BytesIO(result.data)),
            model=result.model,
            model_version=result.model_version,
        )

    earlier = earlier_results(services, study_id, version)
    results = services.encoder.encode(predictions, study_input(services, study_id, version), earlier)
    # Writes wait for the disk: side by side their waits fall together.
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="encode") as pool:
        entries = tuple(write_each(pool, write, results))
    services.ledger.made(study_id, version, entries)
    return entries


def earlier_results(services: Services, study_id: str, version: int) -> Sequence[ResultEntry]:
    """What the latest version before this one that had results published."""
    for before in range(version - 1, 0, -1):
        found = services.index.results(study_id, before)
        if found:
            return found
    return ()


def write_each(
    pool: ThreadPoolExecutor, write: Callable[[EncodedResult], ResultEntry], results: Iterable[EncodedResult]
) -> Iterator[ResultEntry]:
    """Write all, in order; no more of them are in memory than are being written, and as many that wait."""
    waiting: deque[Future[ResultEntry]] = deque()
    for result in results:
        waiting.append(pool.submit(write, result))
        if len(waiting) > 2 * WRITERS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
