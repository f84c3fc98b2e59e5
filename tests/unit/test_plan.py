"""The plan with a stage runner that returns what a test says."""

from dicom_node.domain.errors import InferenceFailed, ModelProcessFailed
from dicom_node.domain.run import Assignment, Reason, RoutingDecision, Run, RunStatus
from dicom_node.domain.study import StudyState
from dicom_node.pipeline import plan
from dicom_node.pipeline.deidentify import DeidentifyOutcome
from dicom_node.pipeline.deliver_plan import Ending


def _assignment(model="m", series="2.25.1", needs=()):
    return Assignment(model, "1", series, "route", needs)


def _refs(assignment):
    return {"facts": f"{assignment.model} {assignment.series_instance_uid}"}


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
        "infer": lambda assignments, feeds: [_refs(one) for one in assignments],
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
    def infer(assignments, feeds):
        return ModelProcessFailed("died") if assignments[0].model == "bad" else [_refs(assignments[0])]

    def record(refs, failed):
        return (_run(RunStatus.DONE), *failed)

    both = RoutingDecision((_assignment("bad"), _assignment()), (), ("MR",), "BRAIN")
    state, reason = plan.analyse(_stages(route=both, infer=infer, record_runs=record))
    assert state is StudyState.DONE
    assert reason == "bad: model-process-failed: died"


def _decided(*assignments):
    return RoutingDecision(assignments, (), ("MR",), "BRAIN")


def _asked(stages):
    """What the infer stage was asked, call by call: series by model, and what they were fed with."""
    calls = [args for name, args in stages.called if name == "infer"]
    return [
        (given[0].model, [one.series_instance_uid for one in given], [[r["facts"] for r in f] for f in fed])
        for given, fed in calls
    ]


def test_models_get_all_their_series_together_behind_what_they_need():
    decision = _decided(
        _assignment("mask", "1"),
        _assignment("tissue", "1", ("mask",)),
        _assignment("alone", "1"),
        _assignment("mask", "2"),
        _assignment("tissue", "2", ("mask",)),
    )
    stages = _stages(route=decision)
    plan.analyse(stages)
    assert _asked(stages) == [
        ("mask", ["1", "2"], [[], []]),
        ("tissue", ["1", "2"], [["mask 1"], ["mask 2"]]),
        ("alone", ["1"], [[]]),
    ]
    (refs, _) = next(args for name, args in stages.called if name == "record_runs")
    assert refs == [_refs(one) for one in decision.assignments]


def test_series_that_a_model_did_not_take_are_asked_for_again():
    stages = _stages(
        route=_decided(*(_assignment(series=series) for series in "12345")),
        infer=lambda assignments, feeds: [_refs(one) for one in assignments[:2]],
    )
    plan.analyse(stages)
    assert [series for _, series, _ in _asked(stages)] == [["1", "2", "3", "4", "5"], ["3", "4", "5"], ["5"]]


def test_series_that_fail_together_are_run_alone_and_only_the_guilty_one_fails():
    def infer(assignments, feeds):
        if any(one.series_instance_uid == "2" for one in assignments):
            return InferenceFailed("died")
        return [_refs(one) for one in assignments]

    decision = _decided(*(_assignment(series=series) for series in "123"), _assignment("other"))
    stages = _stages(route=decision, infer=infer, record_runs=lambda refs, failed: tuple(failed))
    plan.analyse(stages)
    assert [series for _, series, _ in _asked(stages)] == [["1", "2", "3"], ["1"], ["2"], ["3"], ["2.25.1"]]
    (refs, failed) = next(args for name, args in stages.called if name == "record_runs")
    assert refs == [_refs(one) for one in decision.assignments if one.series_instance_uid != "2"]
    assert [(run.series_instance_uid, run.reason) for run in failed] == [("2", "inference-failed: died")]


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
