"""Settings of pynetdicom that the node relies on."""

from __future__ import annotations

import logging

from pynetdicom import _config


def keep_library_quiet() -> None:
    """Stop pynetdicom from logging identifiers, data sets and PDUs.

    Its switches are module globals: `_config` is where its documentation puts them. Called by whoever
    opens the first association; calling it again changes nothing.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
