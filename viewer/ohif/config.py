"""`app-config.js`: how OHIF finds the node, and what it says about it."""

from __future__ import annotations

import json
from importlib.resources import files

from viewer.node_info import RESEARCH_USE

_DICOMWEB = "/dicom-web"

#: Top-level settings; the reasons stand beside those that differ from OHIF's own.
_SETTINGS: dict[str, object] = {
    "name": "config/dicom-node",
    "routerBasename": "/viewer",
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "maxNumberOfWebWorkers": 3,
    "showWarningMessageForCrossOrigin": True,
    "showCPUFallbackMessage": True,
    "showLoadingIndicator": True,
    "strictZSpacingForVolumeViewport": True,
    "groupEnabledModesFirst": True,
    "showErrorDetails": "production",
    "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 25},
    # The node's own notice stands in the header of every OHIF page instead, and on the dashboard.
    "investigationalUseDialog": {"option": "never"},
    # A segmentation loads by itself, an SR hydrates by itself.
    "disableConfirmationPrompts": True,
    "measurementTrackingMode": "simplified",
    # No tour, and no film player that opens by itself over a heatmap (Modality OT).
    "customizationService": {"ohif.tours": {"$set": []}, "autoCineModalities": {"$set": []}},
    "defaultDataSourceName": "node",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "node",
            "configuration": {
                "friendlyName": "node",
                "name": "node",
                "qidoRoot": _DICOMWEB,
                "wadoRoot": _DICOMWEB,
                "wadoUriRoot": "/wado",
                "imageRendering": "wadors",
                "thumbnailRendering": "wadors",
                "enableStudyLazyLoad": True,
                "supportsFuzzyMatching": True,
                "supportsWildcard": True,
                # Encapsulated PDF opens only where bulk data is asked for as a single part.
                "singlepart": "bulkdata,video",
                "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
                "omitQuotationForMultipartRequest": True,
                # Frame by frame: OHIF's reader of whole SEG instances takes the bits of frames that begin
                # inside a byte in the wrong order (Rows x Columns no multiple of 8, such as 181 x 217), and
                # draws masks with torn edges. WADO-RS frames begin on a byte (PS3.18 §8.7.3).
                "loadMultiframeAsPart10": False,
            },
        }
    ],
}


def app_config(site: str) -> str:
    """The script that sets `window.config`.

    Parameters
    ----------
    site
        Name of the node, shown in OHIF's header beside the research-use notice.
    """
    node = {
        "site": site,
        "notice": RESEARCH_USE,
        "title": f"{site}: OHIF viewer. {RESEARCH_USE}",
    }
    page = files("viewer.ohif").joinpath("page.js").read_text(encoding="utf-8")
    # A scope of its own: nothing but window.config becomes global.
    return f"window.config = {_literal(_SETTINGS)};\n(function (node) {{\n{page}}})({_literal(node)});\n"


def _literal(value: object) -> str:
    # No "<": the text may come to stand inside an HTML script element.
    return json.dumps(value, indent=1).replace("<", "\\u003c")
