"""The check stage: results are read once, one after the other, and what passes becomes visible."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
from predicted_series import make_case

from dicom_node.domain.errors import Gone, NotFound
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.pipeline.check import check
from dicomweb.attributes import DicomJsonReader
from inference.encode.checks.program import Validator
from inference.encode.gate import Gate


class _World:
    """The services that the stage uses, and what it did with them."""

    def __init__(self, case, results):
        self.blobs = {f"results:{one.sop_instance_uid}": one.data for one in results}
        self.reads, self.said = [], {}
        self.entries = [
            ResultEntry(
                one.kind,
                one.sop_class_uid,
                one.series_instance_uid,
                one.sop_instance_uid,
                1,
                f"results:{one.sop_instance_uid}",
            )
            for one in results
        ]
        sources = [replace(entry, study_id="s") for entry in case.study.instances]
        self.services = SimpleNamespace(
            stores=SimpleNamespace(results=SimpleNamespace(read=self._read), read=self._source(case)),
            index=SimpleNamespace(
                study=lambda _: SimpleNamespace(study_instance_uid=case.study.study_instance_uid),
                results=lambda *_: (),
                set_results=lambda study, version, good: self.said.update(listed=good),
            ),
            catalog=SimpleNamespace(
                find=lambda uid: sources,
                publish=lambda entries: self.said.update(published=entries),
                withdraw_results=lambda *_, **__: None,
            ),
            ledger=SimpleNamespace(checked=lambda s, v, verdicts: self.said.update(verdicts=verdicts)),
            gate=Gate(Validator(program="no-such-program")),
            reader=DicomJsonReader(),
            audit=SimpleNamespace(record=lambda *_, **__: None),
            metrics=SimpleNamespace(count=lambda *_, **__: None),
            announcer=SimpleNamespace(announce=lambda event: None),
        )

    def _read(self, ref):
        self.reads.append(ref)
        try:
            return self.blobs[ref]
        except KeyError:
            raise NotFound("no such blob") from None

    @staticmethod
    def _source(case):
        data = {entry.ref: case.study.data[entry.sop_instance_uid] for entry in case.study.instances}
        return data.__getitem__


@pytest.fixture(scope="module")
def made():
    case = make_case(4, 33, 29)
    return case, case.encode()


def test_each_result_is_read_once_for_gate_catalogue_and_ledger(made):
    case, results = made
    world = _World(case, results)
    assert check(world.services, "s", 1, world.entries) == {}
    assert sorted(world.reads) == sorted(world.blobs)
    assert world.said["listed"] == world.entries
    for result, entry, verdict in zip(results, world.said["published"], world.said["verdicts"], strict=True):
        syntax, attributes = DicomJsonReader().read(result.data)
        assert (entry.transfer_syntax_uid, entry.attributes, entry.version) == (syntax, attributes, 1)
        assert (entry.sop_instance_uid, entry.ref) == (
            result.sop_instance_uid,
            f"results:{result.sop_instance_uid}",
        )
        assert verdict.problem is None
        assert (verdict.size, verdict.sha256) == (len(result.data), hashlib.sha256(result.data).hexdigest())


def test_what_is_no_dicom_file_is_kept_back_with_its_hash_and_the_rest_is_published(made):
    case, results = made
    picture = [one for one in results if one.kind is ResultKind.SC][-1]
    world = _World(case, results)
    world.blobs[f"results:{picture.sop_instance_uid}"] = b"no DICOM at all"
    problems = check(world.services, "s", 1, world.entries)
    assert problems == {picture.sop_instance_uid: ["the object cannot be read as DICOM"]}
    published = {entry.sop_instance_uid for entry in world.said["published"]}
    assert published == {one.sop_instance_uid for one in results} - {picture.sop_instance_uid}
    (verdict,) = (one for one in world.said["verdicts"] if one.problem)
    assert verdict.sop_instance_uid == picture.sop_instance_uid
    assert verdict.sha256 == hashlib.sha256(b"no DICOM at all").hexdigest()


def test_a_result_that_is_gone_ends_the_stage(made):
    case, results = made
    world = _World(case, results)
    del world.blobs[world.entries[0].ref]
    with pytest.raises((NotFound, Gone)):
        check(world.services, "s", 1, world.entries)
    assert "published" not in world.said
