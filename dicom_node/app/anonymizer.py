"""The anonymizer with the node's key, for the node and for `dicom-node anonymize`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anonymizer.engine import Engine
from anonymizer.errors import OptionUnavailable
from anonymizer.pixels.cleaner import PixelCleaner
from anonymizer.profile import Option, Profile
from dicom_node.domain.errors import ConfigurationError
from dicom_node.security.master import MasterKey, load_master_key

if TYPE_CHECKING:
    from dicom_node.settings import Settings
    from inference.runner.engine import ProcessEngine


def build_anonymizer(
    settings: Settings,
    master: MasterKey | None = None,
    options: tuple[str, ...] | None = None,
    models: ProcessEngine | None = None,
) -> Engine:
    """The anonymizer with the node's key.

    Parameters
    ----------
    models
        Runs the model that removing faces needs; `None`: one of its own, started with the first head.
    options
        Names of the profile's options; `None`: those that are configured.

    Raises
    ------
    ConfigurationError
        If the profile asks for what cannot be done.
    """
    master = master or load_master_key(settings.node.data_dir)
    wanted = settings.deidentification
    try:
        chosen = Profile.from_labels(wanted.options if options is None else options)
        profile = Profile(chosen.options, default_deny=wanted.unknown_attributes == "remove")
    except OptionUnavailable as exc:
        raise ConfigurationError(f"deidentification.options: {exc}") from exc
    pixels = PixelCleaner() if Option.CLEAN_PIXEL_DATA in profile else None
    faces = None
    if Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES in profile:
        from dicom_node.app.faces import build_face_cleaner

        faces = build_face_cleaner(settings, models)
    return Engine(
        master.derive("pseudonyms"),
        profile,
        pixels=pixels,
        faces=faces,
        redact=wanted.burned_in == "redact",
        validate=True,
    )
