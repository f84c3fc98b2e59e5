"""Which attributes a client asked to be returned, and taking them out of a data set.

References
----------
PS3.18 §8.3.4.3 (includefield); PS3.5 §7.8.1 (blocks of private elements).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicom_node.domain.catalog import CatalogQuery

Tree = dict[str, "Tree | None"]


@dataclass(slots=True)
class Fields:
    """Attributes by tag; for a sequence, all of it or those of its items' attributes that were named.

    Attributes
    ----------
    everything
        Whether all attributes were asked for.
    tree
        Tag to what of it: `None` for all.
    creators
        Private Creators that the request names, by tag.
    """

    everything: bool = False
    tree: Tree = field(default_factory=dict)
    creators: dict[str, str] = field(default_factory=dict)

    def add(self, path: str) -> None:
        """Ask for an attribute, or for one within a sequence."""
        tree = self.tree
        *around, last = path.split(".")
        for tag in around:
            inner = tree.setdefault(tag, {})
            if inner is None:
                return
            tree = inner
        tree[last] = None

    def names_block(self, block: str) -> bool:
        """Whether a private attribute of a block (group and first two digits of the element) is asked for."""
        return any(tag.startswith(block) for tag in self.tree)

    def asks_for(self, tag: str) -> bool:
        """Whether the attribute was named, all of it or parts."""
        return tag in self.tree

    def take(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """What was asked for by name; private attributes go with their Private Creators."""
        taken = {}
        for tag, inner in self.tree.items():
            found, creator = self._located(attributes, tag) if self.creators else (tag, None)
            if found in attributes:
                taken[found] = attributes[found] if inner is None else _pruned(attributes[found], inner)
                if creator is not None:
                    taken[creator] = attributes[creator]
        return taken

    def _located(self, attributes: dict[str, Any], tag: str) -> tuple[str, str | None]:
        """The tag that stands in this data set for one of the request, and that of its creator."""
        wanted = self.creators.get(f"{tag[:4]}00{tag[4:6]}")
        if not (int(tag[:4], 16) % 2 and tag[4:6] >= "10" and wanted):
            return tag, None
        for block in range(0x10, 0x100):
            creator = f"{tag[:4]}00{block:02X}"
            if wanted in (str(value).strip() for value in attributes.get(creator, {}).get("Value") or ()):
                return f"{tag[:4]}{block:02X}{tag[6:]}", creator
        return "", None


def _pruned(attribute: dict[str, Any], tree: Tree) -> dict[str, Any]:
    if attribute.get("vr") != "SQ":
        return attribute
    items = [
        {
            tag: item[tag] if inner is None else _pruned(item[tag], inner)
            for tag, inner in sorted(tree.items())
            if tag in item
        }
        for item in attribute.get("Value") or ()
        if isinstance(item, dict)
    ]
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}


@dataclass(frozen=True, slots=True)
class Search:
    """A search request, read."""

    query: CatalogQuery
    fields: Fields
