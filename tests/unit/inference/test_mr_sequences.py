"""MR sequences and contrast agents as makers and sites write them."""

import pytest
from written_headers import attributes

from inference.contrast_agent import contrast_agent
from inference.mr_sequence import mr_sequence


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        # Siemens
        ({"sequence": ["GR", "IR"], "variant": ["SK", "SP", "MP"], "tr": 1900, "te": 2.5, "ti": 900,
        "angle": 9,
          "description": "t1_mprage_sag_p2_iso"}, "T1"),
        ({"sequence": ["SE", "IR"], "variant": ["SK", "SP", "MP"], "tr": 9000, "te": 81, "ti": 2500,
          "description": "t2_tirm_tra_dark-fluid"}, "FLAIR"),
        ({"sequence": ["SE", "IR"], "tr": 4000, "te": 30, "ti": 160, "description": "t2_tirm_cor"}, "STIR"),
        ({"sequence": "EP", "tr": 6600, "te": 89, "b": 1000, "name": "*ep_b1000#1"}, "DWI"),
        ({"sequence": "EP", "tr": 6600, "te": 89, "name": "ep_b0", "description": "ep2d_diff_3scan"}, "DWI"),
        ({"sequence": "EP", "te": 89, "type": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"]}, "DWI"),
        ({"type": ["DERIVED", "PRIMARY", "ADC"], "description": "ep2d_diff_ADC"}, "ADC"),
        ({"sequence": "EP", "tr": 2000, "te": 30, "description": "ep2d_bold_rest"}, "FMRI"),
        ({"sequence": "GR", "tr": 28, "te": 20, "angle": 15, "variant": "SP",
        "description": "t2_swi3d_tra"}, "SWI"),
        ({"sequence": "GR", "tr": 600, "te": 20, "angle": 20, "description": "fl2d_tra_hemo"}, "T2*"),
        ({"sequence": "GR", "tr": 600, "te": 20, "angle": 20}, "T2*"),
        ({"sequence": "GR", "variant": "SP", "tr": 22, "te": 3.8, "angle": 18,
        "description": "TOF_3D_multi-slab"},
         "TOF"),
        # GE
        ({"sequence": "GR", "variant": ["SS", "SP", "SK"], "tr": 8.2, "te": 3.2, "ti": 450, "angle": 12,
          "description": "Ax 3D BRAVO"}, "T1"),
        ({"sequence": "SE", "variant": "SK", "tr": 9002, "te": 120, "description": "Ax T2 FLAIR"}, "FLAIR"),
        ({"sequence": ["SE", "IR"], "tr": 2500, "te": 24, "ti": 860, "description": "Ax T1 FLAIR"}, "T1"),
        ({"sequence": "SE", "tr": 4000, "te": 102, "description": "Ax T2 frFSE"}, "T2"),
        ({"sequence": "EP", "te": 60, "description": "Ax DSC perfusion"}, "PERFUSION"),
        # Philips, Canon
        ({"sequence": "SE", "tr": 2500, "te": 15, "description": "PDW_TSE"}, "PD"),
        ({"sequence": "RM", "description": "3D FLAIR VISTA"}, "FLAIR"),
        ({"sequence": "SE", "tr": 500, "te": 10, "description": "T1W_SE"}, "T1"),
        ({"sequence": "RM", "description": "Difusión axial"}, "DWI"),
        # enhanced images say it themselves
        ({"contrast": "FLUID_ATTENUATED"}, "FLAIR"),
        ({"type": ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]}, "DWI"),
        # physics win over a name that was copied along
        ({"sequence": ["GR", "IR"], "variant": "MP", "te": 2.5, "ti": 900,
        "description": "t2_space_flair"}, "T1"),
        ({"description": "PD+T2 axial"}, None),
        ({"description": "localizer", "sequence": "RM"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_mr_sequences_are_told_by_physics_and_then_by_words(values, kind):
    found = mr_sequence(attributes(**values))
    assert (found.kind.value if found else None) == kind


def test_t1_after_a_contrast_agent_is_its_own_kind():
    head = attributes(sequence=["GR", "IR"], variant="MP", te=2.5, ti=900)
    assert mr_sequence(head, agent=True).kind == "T1CE"
    assert mr_sequence(attributes(sequence="SE", tr=4000, te=102), agent=True).kind == "T2"


@pytest.mark.parametrize(
    ("values", "given", "phase"),
    [
        ({"agent": "Ultravist 370"}, True, None),
        ({"agent": "NONE"}, False, "native"),
        ({"agent": "ohne KM"}, False, "native"),
        ({"agent": "Telebrix", "route": "ORAL"}, False, "native"),
        ({"volume": 80}, True, None),
        ({"description": "t1_se_tra_KM"}, True, None),
        ({"description": "Ax T1 +C"}, True, None),
        ({"description": "T1 post Gd"}, True, None),
        ({"description": "T1 sin contraste"}, False, "native"),
        ({"description": "T1 senza mdc"}, False, "native"),
        ({"description": "IRM T1 gado"}, True, None),
        ({"description": "T1 w/o contrast"}, False, "native"),
        ({"description": "T1 con contraste"}, True, None),
        ({"description": "Schädel nativ"}, False, "native"),
        ({"description": "Schaedel nativ und KM"}, None, None),
        ({"modality": "CT", "description": "Abdomen portalvenös"}, True, "venous"),
        ({"modality": "CT", "description": "arterielle Phase"}, True, "arterial"),
        ({"modality": "CT", "description": "temps tardif"}, True, "delayed"),
        ({"modality": "MR", "description": "TOF arteriell"}, None, None),
        ({"description": "t2_tse_tra"}, None, None),
    ],
)
def test_contrast_agents_and_phases_are_read(values, given, phase):
    found = contrast_agent(attributes(**values))
    assert (found.given, found.phase) == (given, phase)
