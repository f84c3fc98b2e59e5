"""The URL of an instance, wherever a service names one."""

from __future__ import annotations

from typing import Protocol


class Identified(Protocol):
    """What has the three UIDs of an instance; the pseudonymous ones, for they stand in a URL."""

    @property
    def study_instance_uid(self) -> str:
        """Of its study."""

    @property
    def series_instance_uid(self) -> str:
        """Of its series."""

    @property
    def sop_instance_uid(self) -> str:
        """Its own."""


def instance_url(root: str, instance: Identified) -> str:
    """The WADO-RS URL of an instance (PS3.18 Table 10.1-1)."""
    return (
        f"{root}/studies/{instance.study_instance_uid}/series/{instance.series_instance_uid}"
        f"/instances/{instance.sop_instance_uid}"
    )
