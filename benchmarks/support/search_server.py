"""QIDO-RS over a database, served on a free port: prints its URL when it is up."""

from __future__ import annotations

import gc
import socket
import sys

import uvicorn
from fastapi import FastAPI

from dicom_node.domain.errors import NotFound
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import open_database
from dicomweb.qido.completion import Completion
from dicomweb.qido.router import create_qido_router
from dicomweb.qido.service import SearchService


class NoMetrics:
    """Counts nothing."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Do nothing."""

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Do nothing."""


def _nothing(ref: str):
    raise NotFound(ref)


def main() -> None:
    """Serve until terminated."""
    catalog = SqlCatalog(open_database(sys.argv[1]))
    app = FastAPI()
    service = SearchService(catalog, Completion(catalog, _nothing))
    app.include_router(create_qido_router(service, NoMetrics()), prefix="/dicom-web")
    server = socket.create_server(("127.0.0.1", 0))
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # As the node does when it is up.
    gc.collect()
    gc.freeze()
    print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error")).run(sockets=[server])


if __name__ == "__main__":
    main()
