"""The leak corpus through the de-identifier: nothing planted comes out, what has to stay does.

"0 leaks" is said of this corpus. The development seeds draw from one half of all pools, the held-out ones
from the other: `leak_corpus.person`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from leak_corpus.corpus import build, build_case, case_ids
from leak_corpus.model import ACTIONS, Outcome
from leak_corpus.person import HELD_OUT
from leak_corpus.reading import read, texts
from leak_corpus.runner import overheard, run
from leak_corpus.score import Score, score
from pydicom.fileset import FileSet

from anonymizer.engine import Engine
from anonymizer.files import anonymize_folder
from anonymizer.pixels.cleaner import PixelCleaner
from anonymizer.profile import Option, Profile
from dicom_node.settings_sections import DeidentificationSettings

if TYPE_CHECKING:
    from pathlib import Path

    from leak_corpus.model import Case

SEED = 1
#: Of several patients and places: a folder as people have it.
IN_A_FOLDER = ("patient/OtherPatientIDs", "text/family-name-alone", "nested/depth-3", "hard/kept-FilterType")
#: Cases that are also run one by one with the node's own options; those look at pixels, which takes time,
#: and a held-out seed has all cases.
WHERE_PIXELS_MATTER = ("beside/", "objects/", "hard/")
#: Looking at pixels takes its time, and people and wording are the same for both.
HELD_OUT_SEEDS = {"research": (HELD_OUT, HELD_OUT + 1, HELD_OUT + 2), "node": (HELD_OUT + 3,)}
RIGHT = 0.999
PROFILES = {
    "research": (
        "clean-descriptors",
        "clean-structured-content",
        "clean-graphics",
        "retain-longitudinal-modified-dates",
        "retain-patient-characteristics",
        "retain-device-identity",
        "retain-safe-private",
    ),
    "node": DeidentificationSettings().options,
}


@pytest.fixture(scope="session")
def engines() -> dict[str, Engine]:
    made = {}
    for name, options in PROFILES.items():
        profile = Profile.from_labels(options)
        cleaner = PixelCleaner() if Option.CLEAN_PIXEL_DATA in profile else None
        made[name] = Engine(bytes(range(32)), profile, pixels=cleaner)
    return made


def cases() -> list[object]:
    return [
        pytest.param(profile, case, id=f"{profile}-{case}")
        for profile in PROFILES
        for case in case_ids()
        if profile == "research" or case.startswith(WHERE_PIXELS_MATTER)
    ]


@pytest.mark.parametrize(("profile", "case_id"), cases())
def test_what_is_planted_goes_and_the_rest_stays(engines, profile, case_id):
    case = build_case(case_id, SEED)
    verdict = score(case, run(engines[profile], case), PROFILES[profile])
    assert verdict.leaks == []
    assert verdict.refused == []
    assert verdict.wrong == []


@pytest.mark.parametrize(
    ("profile", "seed"),
    [(name, seed) for name, seeds in HELD_OUT_SEEDS.items() for seed in seeds],
)
def test_held_out_seeds_leak_nothing_and_almost_all_actions_are_right(engines, profile, seed):
    options = PROFILES[profile]
    result = Score([score(case, run(engines[profile], case), options) for case in build(seed)])
    assert result.leaks == []
    assert result.refused == []
    assert result.share >= RIGHT, result.by_action()
    asked = {action for action, (_, every) in result.by_action().items() if every}
    needed = {"date_shifted"} if Option.RETAIN_LONGITUDINAL_MODIFIED_DATES.label not in options else set()
    needed |= {"pixels_hidden"} if Option.CLEAN_PIXEL_DATA.label not in options else set()
    assert asked == set(ACTIONS) - needed


def test_a_folder_with_a_directory_and_telling_names_holds_nothing_afterwards(engines, tmp_path):
    """Files named after patients, and a DICOMDIR: what comes out, its names and its reports."""
    source, target = tmp_path / "in", tmp_path / "out"
    planted = [build_case(name, SEED) for name in IN_A_FOLDER]
    with overheard() as spoken:
        fill(source, planted)
        report = anonymize_folder(source, target, engines["research"])
        spoken.write(report.as_text() + json.dumps(report.as_json()))
    written = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert "DICOMDIR" in {path.name for path in written}
    assert len(written) == sum(len(case.files) for case in planted) + 1
    names = "\n".join(str(path.relative_to(target)) for path in written)
    for case in planted:
        outcome = Outcome(tuple(written.values()), ("",) * len(written), spoken.getvalue() + names)
        assert score(replace(case, checks=()), outcome, PROFILES["research"]).leaks == []


def fill(folder: Path, planted: list[Case]) -> None:
    """A File-set with a DICOMDIR, and the same files again under the patients' names."""
    folder.mkdir()
    files = FileSet()
    for number, data in enumerate(data for case in planted for data in case.files):
        ds = read(data)
        files.add(ds)
        name = str(ds.PatientName).replace("^", "_")
        (folder / f"{name}_{ds.PatientID}_{number}.dcm").write_bytes(data)
    files.write(folder)


# ---------------------------------------------------------------- the corpus and its scorer


def untouched(case: Case) -> Outcome:
    return Outcome(case.files, ("",) * len(case.files), "")


def test_corpus_has_many_cases_and_the_same_bytes_for_a_seed():
    first, again, other = build(3), build(3), build(4)
    assert len(first) >= 120
    assert [case.files for case in first] == [case.files for case in again]
    assert [case.id for case in first if case.files in [o.files for o in other]] == []


def test_held_out_people_are_not_those_of_development():
    def said(seed: int) -> set[str]:
        return {secret.text for case in build(seed) for secret in case.secrets if secret.text.isalpha()}

    shared = said(SEED) & said(HELD_OUT)
    planted = {secret.text for case in build(SEED) for secret in case.secrets}
    assert len(shared) < len(planted) / 10


def test_scorer_finds_every_plant_in_files_that_nobody_cleaned():
    """Else a case would pass because its plant cannot be seen."""
    unseen = []
    for case in build(SEED):
        found = {leak.planted for leak in score(case, untouched(case), ()).leaks}
        unseen += [(case.id, secret.where) for secret in case.secrets if secret.where not in found]
    assert unseen == []


def test_scorer_finds_what_must_stay_in_files_that_nobody_cleaned():
    """Else a case could not be passed."""
    kept = ("tag_retained", "text_notnull", "text_retained", "pixels_retained")
    options = [option.label for option in Option]
    missing = [
        (case.id, check)
        for case in build(SEED)
        for check in score(case, untouched(case), options).wrong
        if check.action in kept
    ]
    assert missing == []


def test_scorer_hears_what_is_logged():
    case = build_case("patient/OtherPatientIDs", SEED)
    spoken = next(secret.text for secret in case.secrets)
    silent = Outcome((None,), ("no",), "")
    assert score(case, silent, ()).leaks == []
    assert score(case, Outcome((None,), ("no",), f"could not read {spoken}"), ()).leaks
    assert score(case, Outcome((None,), (f"no: {spoken}",), ""), ()).leaks


def test_scorer_counts_a_wrong_refusal_and_a_wrong_pass():
    refused = build_case("patient/OtherPatientIDs", SEED)
    assert score(refused, Outcome((None,), ("no",), ""), ()).refused == ["kept back: no"]
    passed = build_case("beside/encapsulated-pdf", SEED)
    assert score(passed, untouched(passed), ()).refused == ["let through"]


def test_outputs_are_read_to_their_last_item():
    (case,) = [build_case("nested/depth-8", SEED)]
    assert any(path.count("[") == 8 for path, _ in texts(read(case.files[0])))
