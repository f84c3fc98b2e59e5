"""OHIF, served by the node, shows what the node found."""

import io

import numpy as np
import pydicom
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def _of(study, kind):
    return next(r for r in study["results"] if r["kind"] == kind)


def _study_link(study):
    return f"/viewer/viewer?StudyInstanceUIDs={study['study_instance_uid']}"


def test_study_list_shows_the_study_and_the_notice(kept_study, open_page, expecting, save):
    node, study = kept_study
    page = open_page(node.url + "/viewer/", width=1400)

    expecting(page.locator("#research-use")).to_have_text("Research use only", timeout=60_000)
    found = node.http.get("/dicom-web/studies").json()
    assert [row["0020000D"]["Value"][0] for row in found] == [study["study_instance_uid"]]
    expecting(page.get_by_text("SEG").first).to_be_visible(timeout=60_000)
    save(page, "ohif-list")


def test_dashboard_link_opens_the_heatmap_in_colour(kept_study, open_page, view, save, colour_share):
    node, _study = kept_study
    page = open_page(node.url + "/", width=1400)
    href = page.locator("a.chip").filter(has_text="Heatmap").first.get_attribute("href")
    viewer = view(node, href)

    viewer.wait_series(5)
    viewer.page.wait_for_function("document.querySelector('canvas.cornerstone-canvas') !== null")
    assert viewer.shown()[0].startswith("AI heatmap")
    viewer.go_to_middle()
    viewer.wait_pixels(lambda pixels: colour_share(pixels) > 0.08, "a heatmap in colour")

    save(viewer.page, "ohif-heatmap")
    assert viewer.page.locator("#research-use").is_visible()


def test_segmentation_lies_on_the_source_series_exactly_as_it_was_stored(
    kept_study, view, save, colour_share
):
    node, study = kept_study
    viewer = view(node, _study_link(study))
    viewer.wait_series(5)

    viewer.open("AI intracranial volume mask")
    viewer.page.wait_for_function(
        "window.services.segmentationService.getSegmentations().length > 0", timeout=60_000
    )
    viewer.go_to_middle()
    viewer.wait_pixels(lambda pixels: colour_share(pixels, 25) > 0.15, "a coloured overlay")
    save(viewer.page, "ohif-segmentation")

    (labels,) = viewer.segmentations()
    assert len(labels) == 1
    # Every voxel: OHIF has torn masks of matrices like this one.
    drawn = _label_map(viewer)
    assert drawn == _stored_mask(node, study)


def test_measurements_are_drawn_on_their_slice(kept_study, view, save):
    node, study = kept_study
    viewer = view(node, _study_link(study))
    viewer.wait_series(5)

    viewer.open("AI measurements")

    viewer.page.wait_for_function(
        "[...document.querySelectorAll('svg text')].some((text) => text.textContent.includes('mL'))",
        timeout=60_000,
    )
    save(viewer.page, "ohif-measurements")


def test_report_is_readable(kept_study, view, expecting, save):
    node, study = kept_study
    viewer = view(node, _study_link(study))
    viewer.wait_series(5)

    viewer.open("AI report")

    label = study["runs"][0]["label"]
    expecting(viewer.page.get_by_text(label).first).to_be_visible(timeout=60_000)
    expecting(viewer.page.get_by_text("Research use only", exact=False).nth(1)).to_be_visible()
    save(viewer.page, "ohif-report")


def test_purged_study_still_shows_heatmap_and_report(purged_study, view, expecting, save, colour_share):
    node, study = purged_study
    viewer = view(node, _study_link(study))
    listed = viewer.wait_series(4)
    assert "MR" not in [modality for modality, _ in listed]

    viewer.page.wait_for_function("document.querySelector('canvas.cornerstone-canvas') !== null")
    viewer.go_to_middle()
    viewer.wait_pixels(lambda pixels: colour_share(pixels) > 0.08, "a heatmap in colour")
    save(viewer.page, "ohif-purged-heatmap")

    viewer.open("AI report")
    expecting(viewer.page.get_by_text(study["runs"][0]["label"]).first).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("series", ["AI intracranial volume mask", "AI measurements"])
def test_overlay_on_purged_images_says_why_it_shows_nothing(purged_study, view, expecting, save, series):
    node, study = purged_study
    viewer = view(node, _study_link(study))
    viewer.wait_series(4)

    viewer.page.get_by_text(series).first.dblclick()

    expecting(viewer.page.get_by_text("Source images purged")).to_be_visible(timeout=20_000)
    save(viewer.page, f"ohif-purged-{series.split()[1]}")
    viewer.page.get_by_text("AI heatmap").first.dblclick()
    viewer.page.wait_for_function("document.querySelector('canvas.cornerstone-canvas') !== null")


def _label_map(viewer):
    """By source slice as OHIF holds it: the count of drawn voxels, and a checksum of their places."""
    return viewer.page.evaluate(
        """() => {
          const [segmentation] = window.services.segmentationService.getSegmentations();
          const slices = {};
          for (const id of segmentation.representationData.Labelmap.imageIds) {
            const image = window.cornerstone.cache.getImage(id);
            const values = image.voxelManager.getScalarData();
            const source = image.referencedImageId.match(/instances\\/([0-9.]+)/)[1];
            const found = slices[source] = [0, 0];
            values.forEach((value, at) => {
              if (!value) return;
              found[0] += 1;
              found[1] = (found[1] + at * at) % 1000003;
            });
            if (!found[0]) delete slices[source];
          }
          return slices;
        }"""
    )


def _stored_mask(node, study):
    """The same of the stored SEG."""
    seg = _of(study, "SEG")
    url = (
        f"/dicom-web/studies/{study['study_instance_uid']}/series/{seg['series_instance_uid']}"
        f"/instances/{seg['sop_instance_uid']}"
    )
    answer = node.http.get(url, headers={"accept": "application/dicom"}).raise_for_status()
    ds = pydicom.dcmread(io.BytesIO(answer.content))
    frames = ds.pixel_array
    slices = {}
    for frame, group in zip(frames, ds.PerFrameFunctionalGroupsSequence, strict=True):
        if frame.any():
            source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
            at = np.flatnonzero(frame)
            slices[source] = [len(at), int((at * at).sum() % 1000003)]
    return slices
