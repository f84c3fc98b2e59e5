"""Which presentation contexts are accepted and proposed."""

import pytest
from pydicom.uid import (
    HEVCMP51,
    HTJ2K,
    JPEG2000,
    MPEG2MPML,
    MPEG4HP41,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HangingProtocolStorage,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    MediaStorageDirectoryStorage,
    RLELossless,
)
from pynetdicom import AllStoragePresentationContexts, build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from dicom_node.dimse.contexts import MAX_CONTEXTS, propose, storage_contexts
from dicom_node.pipeline.accepted import storage_sop_classes, transfer_syntaxes


def accepted(*proposed, **options):
    return {
        str(cx.abstract_syntax): [str(uid) for uid in cx.transfer_syntax]
        for cx in storage_contexts(proposed, **options)
    }


def test_every_storage_sop_class_of_the_library_is_taken():
    assert {str(cx.abstract_syntax) for cx in AllStoragePresentationContexts} <= storage_sop_classes()


@pytest.mark.parametrize("sop_class", [HangingProtocolStorage, MediaStorageDirectoryStorage, Verification])
def test_what_has_no_study_is_not_taken_for_storage(sop_class):
    assert sop_class not in storage_sop_classes()


@pytest.mark.parametrize(
    "uid",
    [
        ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian,
        JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless,
        JPEGLSNearLossless, JPEG2000, JPEG2000Lossless, RLELossless, HTJ2K, MPEG2MPML, MPEG4HP41, HEVCMP51,
    ],
    ids=lambda uid: uid.keyword,
)  # fmt: skip
def test_every_common_transfer_syntax_is_taken(uid):
    assert uid in transfer_syntaxes()
    assert accepted(build_context(CTImageStorage, uid))[CTImageStorage] == [uid]


def test_the_peer_s_order_of_transfer_syntaxes_decides():
    first = [JPEGLSLossless, ExplicitVRLittleEndian, ImplicitVRLittleEndian]

    assert accepted(build_context(CTImageStorage, first))[CTImageStorage] == first
    assert accepted(build_context(CTImageStorage, first[::-1]))[CTImageStorage] == first[::-1]


def test_contexts_of_one_sop_class_are_put_together():
    proposed = [build_context(CTImageStorage, uid) for uid in (JPEG2000, RLELossless, JPEG2000)]

    assert accepted(*proposed)[CTImageStorage] == [JPEG2000, RLELossless]


def test_unknown_sop_classes_and_transfer_syntaxes_are_not_accepted():
    assert accepted(build_context("1.2.3.4", ExplicitVRLittleEndian)) == {}
    assert "1.2.3.4" not in accepted(build_context(CTImageStorage, "1.2.3.4"))[CTImageStorage]


@pytest.mark.parametrize("private", [True, ["1.2.3.4"]])
def test_private_sop_classes_are_accepted_where_that_is_configured(private):
    proposed = build_context("1.2.3.4", ExplicitVRLittleEndian)

    assert accepted(proposed, private_sop_classes=private) == {"1.2.3.4": [ExplicitVRLittleEndian]}
    assert accepted(proposed, private_sop_classes=["1.2.3.5"]) == {}


def test_no_private_configuration_opens_a_class_of_the_standard():
    find = build_context(StudyRootQueryRetrieveInformationModelFind, ExplicitVRLittleEndian)

    assert accepted(find, private_sop_classes=True) == {}


def test_an_object_s_own_transfer_syntax_is_proposed_alone():
    (proposal,) = propose([(CTImageStorage, JPEGLSLossless)])

    assert [cx.transfer_syntax for cx in proposal.contexts] == [[JPEGLSLossless]]


def test_uncompressed_objects_also_propose_what_every_peer_knows():
    (proposal,) = propose([(CTImageStorage, ExplicitVRLittleEndian)] * 3)

    assert [cx.transfer_syntax for cx in proposal.contexts] == [
        [ExplicitVRLittleEndian],
        [ExplicitVRLittleEndian, ImplicitVRLittleEndian],
    ]


def test_more_contexts_than_an_association_has_are_spread():
    pairs = [
        (uid, syntax)
        for uid in sorted(storage_sop_classes())[:50]
        for syntax in (ImplicitVRLittleEndian, JPEG2000)
    ]

    proposals = propose(pairs)

    assert len(proposals) == 2
    assert all(len(p.contexts) <= MAX_CONTEXTS for p in proposals)
    assert set().union(*(p.pairs for p in proposals)) == set(pairs)


def test_nothing_to_send_needs_no_association():
    assert propose([]) == []
