"""From the blocks of a body to stored instances, each as soon as its last byte is there."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from dicom_node.domain.errors import OutOfResources
from dicomweb.errors import bad_request
from dicomweb.multipart import MultipartParser, Part
from dicomweb.part_spool import PartWriter, SharedSpool
from dicomweb.stow.metadata import MetadataRequest, claimed
from dicomweb.stow.service import Failure, Stored, another_study, failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from dicom_node.ports.stores import ScratchFile
    from dicomweb.media_types import MediaType
    from dicomweb.stow.service import StoreReport, StoreService

#: Instances of one request that are stored at the same time: their waits for the disk overlap.
CONCURRENT_STORES = 4
#: Threads for all requests together. They are no others' threads, so searches never wait behind stores.
_THREADS = 12

_Value = TypeVar("_Value")


class Intake:
    """Reads bodies and stores what they hold.

    Parameters
    ----------
    open_scratch
        Makes the files that parts go to which are too large for memory.
    """

    def __init__(self, service: StoreService, open_scratch: Callable[[], ScratchFile]) -> None:
        self._service = service
        self._open_scratch = open_scratch
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="stow")

    async def run(self, work: Callable[[], _Value]) -> _Value:
        """Call `work` in a thread of the intake's own.

        Raises
        ------
        OutOfResources
            If the disk is full that large parts wait on; else what `work` raises.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except OSError as exc:
            raise OutOfResources(
                "a part could not be kept: the disk is full or fails; free disk space, or wait for purges"
            ) from exc

    async def store_parts(
        self, body: AsyncIterator[bytes], boundary: str, study: str | None, report: StoreReport
    ) -> None:
        """Store parts as they end, a few at once while the body goes on; the report keeps their order.

        Raises
        ------
        MultipartError, Problem, ClientDisconnect, OutOfResources
            What was stored before stays stored.
        """
        parser = MultipartParser(boundary, lambda: PartWriter(self._open_scratch))
        running: deque[asyncio.Task[Stored | Failure]] = deque()

        def take(block: bytes, *, alone: bool) -> list[Part | Stored | Failure]:
            parts = list(parser.feed(block))
            # One instance, as most requests bring: stored here, without another change of threads.
            return (
                [self._service.store(parts[0], study, report.brought)]
                if alone and len(parts) == 1
                else [*parts]
            )

        try:
            async for block in body:
                for part in await self.run(lambda b=block: take(b, alone=not running)):  # type: ignore[misc]
                    if not isinstance(part, Part):
                        report.add(part)
                        continue
                    running.append(asyncio.create_task(self._store(part, study, report)))
                    if len(running) >= CONCURRENT_STORES:
                        report.add(await running.popleft())
            parser.finish()
        finally:
            parser.close()
            while running:
                report.add(await running.popleft())

    async def store_single(self, body: AsyncIterator[bytes], study: str | None, report: StoreReport) -> None:
        """Store a body that is one instance.

        Raises
        ------
        Problem, ClientDisconnect, OutOfResources
        """
        writer = PartWriter(self._open_scratch)
        try:
            empty = True
            async for block in body:
                empty = False
                await self.run(lambda b=block: writer.write(b))  # type: ignore[misc]
            if empty:
                raise bad_request("the body is empty")
            part = Part({}, writer.finish())
            report.add(await self._store(part, study, report))
        finally:
            writer.close()

    async def store_metadata(
        self, body: AsyncIterator[bytes], content_type: MediaType, study: str | None, report: StoreReport
    ) -> None:
        """Store instances that come as metadata and bulk data, once all parts are there.

        Raises
        ------
        InvalidInstance
            If the metadata cannot be read: nothing is stored then.
        MultipartError, Problem, ClientDisconnect, OutOfResources
        """
        spool = SharedSpool(self._open_scratch)
        request = MetadataRequest()

        def take(parser: MultipartParser, block: bytes) -> None:
            for part in parser.feed(block):
                request.add(part, content_type.content)

        try:
            if content_type.multipart:
                parser = MultipartParser(content_type.params["boundary"], spool.writer)
                async for block in body:
                    await self.run(lambda b=block: take(parser, b))  # type: ignore[misc]
                parser.finish()
            else:
                writer = spool.writer()
                async for block in body:
                    await self.run(lambda b=block: writer.write(b))  # type: ignore[misc]
                await self.run(lambda: request.add(Part({}, writer.finish()), content_type.name))
            await self._store_models(request, study, report)
        finally:
            spool.close()

    async def _store_models(self, request: MetadataRequest, study: str | None, report: StoreReport) -> None:
        """Put instances together one after the other, and store a few at once."""
        running: deque[asyncio.Task[Stored | Failure]] = deque()
        try:
            for model in request.models:
                part = await self.run(lambda m=model: self._assembled(request, m, study))  # type: ignore[misc]
                if isinstance(part, Part):
                    running.append(asyncio.create_task(self._store(part, None, report)))
                else:
                    while running:  # the report keeps the order
                        report.add(await running.popleft())
                    report.add(part)
                if len(running) >= CONCURRENT_STORES:
                    report.add(await running.popleft())
        finally:
            while running:
                report.add(await running.popleft())

    def _assembled(
        self, request: MetadataRequest, model: dict[str, Any], study: str | None
    ) -> Part | Failure:
        identity = claimed(model)
        if study is not None and (identity is None or identity.study_instance_uid != study):
            return another_study(identity)
        try:
            return Part({}, request.assemble(model, self._open_scratch))
        except OSError:
            raise
        except Exception as exc:  # noqa: BLE001 (protocol edge: one broken instance must not fail the others)
            return failed(exc, identity)

    async def _store(self, part: Part, study: str | None, report: StoreReport) -> Stored | Failure:
        return await self.run(lambda: self._service.store(part, study, report.brought))
