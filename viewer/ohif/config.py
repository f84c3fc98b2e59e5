"""`app-config.js`: how OHIF finds the node, and what it says about it."""

from __future__ import annotations

import json

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
    "customizationService": {"ohif.tours": {"$set": []}},
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

#: Functions cannot stand in JSON: the logo that carries the notice, and a quiet error handler.
_FUNCTIONS = """\
window.config.whiteLabeling = {
  createLogoComponentFn: function (React) {
    return React.createElement(
      'a',
      { href: '/', title: 'Back to the studies of this node',
        style: { display: 'flex', flexDirection: 'column', lineHeight: 1.15, padding: '0 8px',
                 color: '#fff', textDecoration: 'none', whiteSpace: 'nowrap' } },
      React.createElement('span', { style: { fontSize: '14px', fontWeight: 600 } }, %(site)s),
      React.createElement('span', { id: 'research-use', style: { fontSize: '12px', fontWeight: 700,
        color: '#ffd166' } }, %(notice)s)
    );
  },
};
window.config.httpErrorHandler = function (error) {
  console.warn('DICOMweb answered ' + (error && error.status));
};
document.title = %(title)s;
"""


def app_config(site: str) -> str:
    """The script that sets `window.config`.

    Parameters
    ----------
    site
        Name of the node, shown in OHIF's header beside the research-use notice.
    """
    texts = {
        "site": _script_string(site),
        "notice": _script_string(RESEARCH_USE),
        "title": _script_string(f"{site}: OHIF viewer. {RESEARCH_USE}"),
    }
    return f"window.config = {json.dumps(_SETTINGS, indent=1)};\n{_FUNCTIONS % texts}"


def _script_string(text: str) -> str:
    return json.dumps(text).replace("<", "\\u003c")
