"""What identifies somebody in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Finding(NamedTuple):
    """A stretch of text that identifies somebody.

    Attributes
    ----------
    start, end
        `[start, end)` in code points.
    kind
        `identifier` (known from the study), `hint` (a part of something known), `name`, `number`, `date`,
        `age`, `phone`, `e-mail`, `url`, `host`, `path`, `address`, `uid`.
    certain
        Whether it may stop an output, not just be removed from it.
    """

    start: int
    end: int
    kind: str
    certain: bool = False


def without_overlaps(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in order, those that touch the same text joined under the kind of the first and longest."""
    joined: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end, not f.certain)):
        if joined and finding.start < joined[-1].end:
            last = joined[-1]
            end, certain = max(last.end, finding.end), last.certain or finding.certain
            joined[-1] = Finding(last.start, end, last.kind, certain)
        else:
            joined.append(finding)
    return joined
