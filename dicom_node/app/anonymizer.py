"""The anonymizer with the node's key, for the node and for `dicom-node anonymize`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anonymizer.engine import Engine
from anonymizer.errors import OptionUnavailable
from anonymizer.profile import Profile
from dicom_node.domain.errors import ConfigurationError
from dicom_node.security.master import MasterKey, load_master_key

if TYPE_CHECKING:
    from dicom_node.settings import Settings


def build_anonymizer(settings: Settings, master: MasterKey | None = None) -> Engine:
    """The anonymizer with the node's key and configured profile.

    Raises
    ------
    ConfigurationError
        If the profile asks for what this version cannot do.
    """
    master = master or load_master_key(settings.node.data_dir)
    try:
        profile = Profile.from_labels(settings.deidentification.options)
    except OptionUnavailable as exc:
        raise ConfigurationError(f"deidentification.options: {exc}") from exc
    return Engine(master.derive("pseudonyms"), profile)
