"""A small client of the node's own REST API, for commands and the demo."""

from __future__ import annotations

from typing import Any

import httpx

from dicom_node.domain.errors import NotFound, StorageFailure

_DICOM_JSON = {"Content-Type": "application/dicom+json"}


class NodeClient:
    """Calls one running node.

    Parameters
    ----------
    base_url
        Without a trailing slash.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._http = httpx.Client(base_url=base_url, timeout=30, trust_env=False)

    def ready(self) -> bool:
        """Whether the node answers that all its parts are ready."""
        try:
            return self._http.get("/health/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def studies(self, **query: str | int | None) -> list[dict[str, Any]]:
        """One page of `/api/studies`."""
        params = {key: value for key, value in query.items() if value is not None}
        page = self._get("/api/studies", params)
        return list(page["studies"])

    def study(self, study_id: str) -> dict[str, Any]:
        """One study of `/api/studies/{id}`."""
        return dict(self._get(f"/api/studies/{study_id}"))

    def ledger(self, study_id: str) -> dict[str, Any]:
        """All of a study's ledger: `summary`, `instances` and `results`."""
        path = f"/api/studies/{study_id}/ledger"
        page = dict(self._get(path))
        found = {
            "summary": page["summary"],
            "instances": list(page["instances"]),
            "results": [],
        }
        while page["next_cursor"]:
            page = self._get(path, {"cursor": page["next_cursor"]})
            found["instances"] += page["instances"]
        cursor = None
        while True:
            page = self._get(f"{path}/results", {"cursor": cursor} if cursor else None)
            found["results"] += page["results"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def ledger_summary(self, study_id: str) -> dict[str, Any]:
        """The counts of a study's ledger."""
        return dict(self._get(f"/api/studies/{study_id}/ledger", {"limit": 1})["summary"])

    def routing(self, study_id: str) -> dict[str, Any]:
        """The recorded routing decision of a study."""
        return dict(self._get(f"/api/studies/{study_id}/routing"))

    def quarantine(self, **query: str | int | None) -> list[dict[str, Any]]:
        """One page of `/api/quarantine`."""
        params = {key: value for key, value in query.items() if value is not None}
        return list(self._get("/api/quarantine", params)["quarantined"])

    def quarantined(self, item_id: str) -> dict[str, Any]:
        """One instance of `/api/quarantine/{id}`."""
        return dict(self._get(f"/api/quarantine/{item_id}"))

    def decide(self, item_id: str, action: str, reason: str) -> dict[str, Any]:
        """Release or delete an instance in quarantine; what it is then."""
        return dict(self._ask("POST", f"/api/quarantine/{item_id}/{action}", json={"reason": reason}))

    def pull(self, **wanted: str | None) -> dict[str, Any]:
        """Ask for studies of an archive; the pull as it stands then."""
        body = {key: value for key, value in wanted.items() if value is not None}
        return dict(self._ask("POST", "/api/pulls", json=body))

    def pull_state(self, pull_id: str) -> dict[str, Any]:
        """One pull of `/api/pulls/{id}`."""
        return dict(self._get(f"/api/pulls/{pull_id}"))

    def cancel_pull(self, pull_id: str) -> dict[str, Any]:
        """End a pull."""
        return dict(self._ask("POST", f"/api/pulls/{pull_id}/cancel"))

    def notifications(self, **query: str | int | None) -> list[dict[str, Any]]:
        """One page of `/api/notifications`."""
        params = {key: value for key, value in query.items() if value is not None}
        return list(self._get("/api/notifications", params)["notifications"])

    def retry_notifications(self, message_id: str | None, listener: str | None) -> int:
        """Queue dead messages again; how many."""
        if message_id is not None:
            answer = self._ask("POST", f"/api/notifications/{message_id}/retry")
        else:
            answer = self._ask("POST", "/api/notifications/retry", json={"listener": listener})
        return int(answer["queued"])

    def deliveries(self, **query: str | int | None) -> list[dict[str, Any]]:
        """One page of `/api/deliveries`."""
        params = {key: value for key, value in query.items() if value is not None}
        return list(self._get("/api/deliveries", params)["deliveries"])

    def destinations(self) -> list[dict[str, Any]]:
        """Destinations with their circuit breakers."""
        return list(self._get("/api/deliveries/destinations")["destinations"])

    def decide_deliveries(self, action: str, which: dict[str, Any]) -> int:
        """Retry or discard dead letters; how many."""
        return int(self._ask("POST", f"/api/deliveries/{action}", json=which)["count"])

    def send_results(self, study_id: str, destination: str) -> dict[str, Any]:
        """Queue a study's results for a destination; the delivery."""
        body = {"study_id": study_id, "destination": destination}
        return dict(self._ask("POST", "/api/deliveries/send", json=body))

    def workitems(self, **query: str | int | None) -> list[dict[str, Any]]:
        """Work items, each as DICOM JSON."""
        params = {key: value for key, value in query.items() if value is not None}
        answer = self._answer("GET", "/dicom-web/workitems", params=params)
        return list(answer.json()) if answer.content else []

    def workitem(self, uid: str) -> dict[str, Any]:
        """One work item as DICOM JSON."""
        (item,) = self._get(f"/dicom-web/workitems/{uid}")
        return dict(item)

    def create_workitem(self, item: dict[str, Any]) -> str:
        """Order something; the UID of the work item."""
        answer = self._answer("POST", "/dicom-web/workitems", headers=_DICOM_JSON, json=[item])
        return str(answer.headers["Location"]).rpartition("/")[2]

    def cancel_workitem(self, uid: str, request: dict[str, Any]) -> None:
        """Ask for a cancellation."""
        self._answer("POST", f"/dicom-web/workitems/{uid}/cancelrequest", headers=_DICOM_JSON, json=[request])

    def has_viewer(self) -> bool:
        """Whether OHIF is installed."""
        return self._http.get("/viewer/").status_code == httpx.codes.OK

    def _get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        return self._ask("GET", path, params=params)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        return self._answer(method, path, **options).json()

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as exc:
            raise StorageFailure(
                f"no node answers at {self._base_url}; start one (`dicom-node serve`) or name it with --url"
            ) from exc
        if answer.status_code == httpx.codes.NOT_FOUND and path.startswith("/api/studies"):
            raise NotFound("the node knows no such study; `dicom-node studies` lists them")
        if answer.is_error:
            raise StorageFailure(f"the node answered {answer.status_code} to {path}{_detail(answer)}")
        return answer


def _detail(answer: httpx.Response) -> str:
    """What the node's problem object says, if it sent one."""
    if answer.headers.get("content-type") != "application/problem+json":
        return ""
    return f": {answer.json().get('detail', '')}"
