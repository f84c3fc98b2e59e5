"""The plan with a stage runner that returns what a test says."""

from dicom_node.domain.errors import ModelProcessFailed
from dicom_node.domain.run import Assignment, Reason, RoutingDecision, Run, RunStatus
from dicom_node.domain.study import StudyState
from dicom_node.pipeline import plan
from dicom_node.pipeline.deidentify import DeidentifyOutcome
from dicom_node.pipeline.deliver_plan import Ending


def _assignment(model="m"):
    return Assignment(model, "1", "2.25.1", "route")


def _run(status, reason=None, model="m"):
    return Run(model, "1", "2.25.1", status, reason)


class Stages:
    def __init__(self, **answers):
        self.answers = answers
        self.called = []

    def __call__(self, stage, function, *args):
        self.called.append((function.__name__, args))
        answer = self.answers.get(function.__name__)
        if callable(answer):
            answer = answer(*args)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def names(self):
        return [name for name, _ in self.called]


def _stages(**answers):
    usual = {
        "deidentify": DeidentifyOutcome(3, {}),
        "route": RoutingDecision((_assignment(),), (), ("MR",), "BRAIN"),
        "infer": {"facts": "work:1", "arrays": "work:2"},
        "record_runs": (_run(RunStatus.DONE),),
        "encode": ("sr", "seg"),
        "check": {},
    }
    return Stages(**usual | answers)


def test_good_study_goes_through_all_stages_in_order():
    stages = _stages()
    assert plan.analyse(stages) == (StudyState.DONE, None)
    assert stages.names() == ["deidentify", "route", "infer", "record_runs", "encode", "check"]


def test_study_without_route_is_rejected_with_its_reason_and_no_model_runs():
    refused = Reason("2.25.1", "modality", passed=False, text="CT is not MR")
    stages = _stages(route=RoutingDecision((), (refused,), ("CT",), None))
    assert plan.analyse(stages) == (StudyState.REJECTED, "no route: CT is not MR")
    assert "infer" not in stages.names()


def test_study_with_nothing_left_after_deidentification_is_quarantined():
    state, reason = plan.analyse(_stages(deidentify=DeidentifyOutcome(0, {"burned-in text": 2})))
    assert state is StudyState.QUARANTINED
    assert reason == "2 of 2 instances quarantined: 2x burned-in text"


def test_partly_quarantined_study_goes_on_and_says_so():
    state, reason = plan.analyse(_stages(deidentify=DeidentifyOutcome(3, {"burned-in text": 1})))
    assert state is StudyState.DONE
    assert reason == "1 of 4 instances quarantined: 1x burned-in text"


def test_rejected_run_rejects_the_study_and_is_reported():
    stages = _stages(record_runs=(_run(RunStatus.REJECTED, "volume 90 mL is not plausible"),))
    assert plan.analyse(stages) == (StudyState.REJECTED, "m: volume 90 mL is not plausible")
    assert stages.names()[-2:] == ["encode", "check"]


def test_model_that_fails_leaves_the_others_results():
    def infer(assignment, feeds):
        return ModelProcessFailed("died") if assignment.model == "bad" else {"facts": "f", "arrays": "a"}

    def record(refs, failed):
        return (_run(RunStatus.DONE), *failed)

    both = RoutingDecision((_assignment("bad"), _assignment()), (), ("MR",), "BRAIN")
    state, reason = plan.analyse(_stages(route=both, infer=infer, record_runs=record))
    assert state is StudyState.DONE
    assert reason == "bad: model-process-failed: died"


def test_gate_that_passes_nothing_fails_the_study():
    state, reason = plan.analyse(_stages(check={"sr": ["x"], "seg": ["y"]}))
    assert (state, reason) == (StudyState.FAILED, "output gate: none of 2 result objects passed")


def test_gate_that_keeps_one_back_lets_the_rest_go():
    assert plan.analyse(_stages(check={"sr": ["x"]})) == (
        StudyState.DONE,
        "output gate: 1 of 2 objects kept back",
    )


def _ending(**changes):
    usual = {"finish": True, "first": True, "purge": True}
    return Ending(StudyState.DONE, None, **usual | changes)


def test_version_that_may_end_is_purged_first():
    stages = Stages(ending=_ending())
    assert plan.close(stages) == _ending()
    assert stages.names() == ["ending", "purge", "finish"]
    assert stages.called[-1] == ("finish", (StudyState.DONE, None, True))


def test_version_whose_inputs_must_stay_is_ended_without_their_purge():
    stages = Stages(ending=_ending(purge=False))
    plan.close(stages)
    assert stages.names() == ["ending", "finish"]


def test_inputs_that_stayed_a_while_are_purged_without_another_end():
    stages = Stages(ending=_ending(finish=False, first=False))
    plan.close(stages)
    assert stages.names() == ["ending", "purge"]


def test_version_whose_analysis_never_ended_is_left_alone():
    stages = Stages(ending=None)
    assert plan.close(stages) is None
    assert stages.names() == ["ending"]
