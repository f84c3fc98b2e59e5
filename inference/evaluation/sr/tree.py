"""The content tree of a structured report, walked with care (PS3.3 §C.17.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.uid import SegmentationStorage

from dicom_node.domain.errors import InferenceFailed
from inference.evaluation.sr.codes import code_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Code

#: Reports of people are a dozen levels deep.
_DEEPEST = 60
#: Items looked at; what refers to itself has more.
_MOST_ITEMS = 500_000
#: What may be referred to by its place in the tree: it has its facts in itself, or one level below.
_BY_REFERENCE = frozenset({"IMAGE", "SCOORD", "SCOORD3D"})


class Tree:
    """Content items below a root; references to items elsewhere in the tree are followed.

    Parameters
    ----------
    root
        The data set of a structured report.

    Raises
    ------
    InferenceFailed
        If it has no content.
    """

    def __init__(self, root: Dataset) -> None:
        if root.get("ValueType") != "CONTAINER" or not root.get("ContentSequence"):
            raise InferenceFailed("it has no content")
        self._root = root
        self._looked_at = 0

    def children(self, item: Dataset) -> Iterator[Dataset]:
        """Items directly below another."""
        for child in item.get("ContentSequence") or ():
            self._looked_at += 1
            if self._looked_at > _MOST_ITEMS:
                raise InferenceFailed("its content has no end")
            place = child.get("ReferencedContentItemIdentifier")
            if not place:
                yield child
            elif (found := self._at(place)) is not None:
                yield found

    def below(self, item: Dataset, *, into_containers: bool, depth: int = 0) -> Iterator[Dataset]:
        """All items below another, each before those below it.

        Parameters
        ----------
        into_containers
            Whether those below a container are told too, or it alone.
        """
        _check_depth(depth)
        for child in self.children(item):
            yield child
            if into_containers or child.get("ValueType") != "CONTAINER":
                yield from self.below(child, into_containers=into_containers, depth=depth + 1)

    def containers(self) -> Iterator[tuple[Dataset, tuple[Code | None, ...]]]:
        """All containers, the root first, each with its headings from the root's down to its own."""
        yield from self._containers(self._root, ())

    def _containers(
        self, item: Dataset, above: tuple[Code | None, ...]
    ) -> Iterator[tuple[Dataset, tuple[Code | None, ...]]]:
        _check_depth(len(above))
        titles = (*above, code_in(item, "ConceptNameCodeSequence"))
        yield item, titles
        for child in item.get("ContentSequence") or ():
            if child.get("ValueType") == "CONTAINER":
                yield from self._containers(child, titles)

    def _at(self, place: int | list[int]) -> Dataset | None:
        """The item at a place: numbers from 1, the first of which is the root's (PS3.3 §C.17.3.2.5)."""
        numbers = [place] if isinstance(place, int) else list(place)
        item = self._root
        for number in numbers[1:]:
            items = item.get("ContentSequence") or ()
            if not 0 < number <= len(items):
                return None
            item = items[number - 1]
        return item if item.get("ValueType") in _BY_REFERENCE else None


def image_of(item: Dataset) -> tuple[str, tuple[int, ...]] | None:
    """UID and frame numbers of the image that an item refers to; `None` for other items and Segmentations."""
    references = item.get("ReferencedSOPSequence")
    if item.get("ValueType") != "IMAGE" or not references:
        return None
    if references[0].get("ReferencedSOPClassUID") == SegmentationStorage:
        return None
    frames = references[0].get("ReferencedFrameNumber")
    numbers = () if frames is None else (frames,) if isinstance(frames, int | str) else tuple(frames)
    return str(references[0].ReferencedSOPInstanceUID), tuple(int(number) for number in numbers)


def _check_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise InferenceFailed("its content is nested deeper than any report's")
