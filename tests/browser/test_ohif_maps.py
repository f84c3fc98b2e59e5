"""OHIF on Parametric Maps: the right voxels, fused over their source; odd and even matrices."""

import io
from dataclasses import replace

import dicomweb_node
import numpy as np
import pydicom
import pytest
from predicted_series import MADE_AT, derive_uid, entries_of, make_case
from predicted_tasks import packed

from dicom_node.domain.finding import Code, ParametricMap
from dicom_node.domain.result import ResultKind
from inference.encode.choice import ResultChoice
from inference.encode.encoder import Encoder
from viewer.headers import SecurityHeaders
from viewer.ohif.serving import create_router

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: Model to the matrix of its source: rows and columns.
MATRICES = {"odd": (181, 217), "even": (256, 256)}
DISTANCE = ParametricMap(
    "distance", "Distance", Code("246132006", "SCT", "Distance"), Code("mm", "UCUM", "millimeter")
)


def _distances(mask):
    """Asymmetric in every direction, so that a flip or a tear shows."""
    z, y, x = np.indices(mask.shape).astype(np.float32)
    return np.where(mask > 0, 1 + z * 3 + y * 0.25 + x * 0.125, 0).astype(np.float32)


def _case_of(model):
    """A case whose series is the model's own, in the study that all share."""

    def renamed(ds, index):
        ds.SOPInstanceUID = derive_uid(model, str(index))
        ds.SeriesInstanceUID = derive_uid(model, "series")
        ds.FrameOfReferenceUID = derive_uid(model, "frame of reference")
        ds.SeriesDescription = f"source {model}"

    case = make_case(9, *MATRICES[model], change=renamed)
    prediction = replace(
        case.prediction,
        model=replace(case.prediction.model, name=model, version="1"),
        series_instance_uid=derive_uid(model, "series"),
        maps=(DISTANCE,),
        arrays=packed(mask=case.mask, probability=case.probability, map_distance=_distances(case.mask)),
    )
    return replace(case, prediction=prediction)


@pytest.fixture(scope="module")
def shelf(ohif):
    """A study of two series, each with two maps, as the node serves it."""
    cases = {model: _case_of(model) for model in MATRICES}
    data = {uid: part10 for case in cases.values() for uid, part10 in case.study.data.items()}
    study = replace(cases["odd"].study, data=data, instances=tuple(entries_of(data)))
    choice = ResultChoice(pdf=False, probability_map=True)
    encoder = Encoder(derive_uid, lambda: MADE_AT, lambda _model: choice)
    results = encoder.encode([case.prediction for case in cases.values()], study)
    maps = [result.data for result in results if result.kind is ResultKind.PMAP]
    assert len(maps) == 4
    node = dicomweb_node.Node()
    node.app.include_router(create_router(ohif, site="Test", render=None))
    node.app.add_middleware(SecurityHeaders)
    for part10 in [*data.values(), *maps]:
        node.publish(pydicom.dcmread(io.BytesIO(part10)))
    with dicomweb_node.Served(node.app) as server:
        node.url = server.url.removesuffix("/dicom-web")
        yield node, study, cases


def _shown(viewer):
    """The volumes of the active viewport, lowest first: size, and what cornerstone holds of the map."""
    return viewer.page.evaluate(
        """() => {
          const {viewportGridService: grid, cornerstoneViewportService: views} = window.services;
          const view = views.getCornerstoneViewport(grid.getActiveViewportId());
          const volumes = view.getActors().map(({referencedId, uid}) =>
            window.cornerstone.cache.getVolume(referencedId) ?? window.cornerstone.cache.getVolume(uid));
          return volumes.map((volume) => ({
            dimensions: [...volume.dimensions],
            origin: [...volume.origin],
            values: [...volume.voxelManager.getCompleteScalarDataArray()],
          }));
        }"""
    )


def test_maps_hold_their_values_and_lie_over_their_source(shelf, view, save, colour_share):
    node, study, cases = shelf
    viewer = view(node, f"/viewer/viewer?StudyInstanceUIDs={study.study_instance_uid}")
    viewer.wait_series(6)
    for model, case in cases.items():
        stored = {"distance": _distances(case.mask), "probability": case.probability.astype(np.float32)}
        for name, expected in stored.items():
            viewer.open(f"AI {name} ({model}")
            viewer.page.wait_for_function(
                """(text) => {
                  const {viewportGridService: grid, cornerstoneViewportService: views} = window.services;
                  const view = views.getCornerstoneViewport(grid.getActiveViewportId());
                  const actors = view?.getActors?.() ?? [];
                  const map = window.services.displaySetService.getActiveDisplaySets()
                    .find((set) => set.SeriesDescription?.startsWith(text));
                  const volume = window.cornerstone.cache.getVolume(map.displaySetInstanceUID);
                  return actors.length === 2 && volume?.loadStatus?.loaded
                    && actors[1].referencedId === map.displaySetInstanceUID;
                }""",
                arg=f"AI {name} ({model}",
                timeout=60_000,
            )
            source, drawn = _shown(viewer)
            slices, rows, columns = expected.shape
            assert source["dimensions"] == drawn["dimensions"] == [columns, rows, slices]
            assert source["origin"] == drawn["origin"]
            # OHIF holds hundredths.
            held = np.reshape(drawn["values"], expected.shape) / 100
            assert np.allclose(held, expected, atol=1e-4)
            viewer.go_to_middle()
            # A map is drawn once somebody scrolls.
            viewer.page.locator("[data-viewportid]").first.hover()
            viewer.page.mouse.wheel(0, 100)
            viewer.wait_pixels(lambda pixels: colour_share(pixels) > 0.05, f"the {name} in colour")
            save(viewer.page, f"ohif-map-{name}-{model}")
