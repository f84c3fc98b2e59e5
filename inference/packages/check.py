"""Checks a package as a whole: what can be said without running it, then a run on its samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from inference.packages.static import check_package
from inference.packages.trial import try_package

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from inference.packages.finding import PackageFinding
    from inference.packages.trial import Trial
    from inference.registry import ModelRegistry


@dataclass(frozen=True, slots=True)
class PackageReport:
    """What was found out about a package.

    Attributes
    ----------
    memory_mb
        What the package says it needs.
    """

    name: str
    version: str
    findings: tuple[PackageFinding, ...]
    trials: tuple[Trial, ...]
    memory_mb: int

    @property
    def errors(self) -> tuple[PackageFinding, ...]:
        """Findings that must be mended before the package is used."""
        return tuple(finding for finding in self.findings if finding.error)

    def as_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {**asdict(self), "passed": not self.errors}


def check_model(
    registry: ModelRegistry,
    name: str,
    *,
    device: str = "auto",
    timeout_s: float = 600,
    trusted: Callable[[], Collection[str]] = tuple,
) -> PackageReport:
    """Check a package; it is run on its samples only where nothing is wrong with its files.

    Raises
    ------
    NotFound
        If no valid package is called so.
    """
    manifest = registry.get(name)
    findings = check_package(manifest, trusted())
    trials: tuple[Trial, ...] = ()
    if not any(finding.error for finding in findings if finding.part != "codes"):
        trials, more = try_package(registry, manifest, device=device, timeout_s=timeout_s, trusted=trusted)
        findings += more
    return PackageReport(name, manifest.version, findings, trials, manifest.memory_mb)
