"""Builds a node from its settings."""

from __future__ import annotations

from importlib.metadata import version as distribution_version
from typing import TYPE_CHECKING

from anonymizer.engine import Engine
from anonymizer.profile import Profile
from anonymizer.restore import Restorer
from anonymizer.uids import UidMapper
from dicom_node.app.adapters import AnonymizerAdapter, SystemClock
from dicom_node.app.http import create_http_app
from dicom_node.app.node import Node, Parts
from dicom_node.app.retention import RetentionLoop
from dicom_node.app.senders import build_senders
from dicom_node.dimse.scp import Peer, StorageScp
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import open_database
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.index.vault import SqlVault
from dicom_node.observability.audit import AuditFile
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.complete import CompletionMonitor
from dicom_node.pipeline.receive import ReceiveStage
from dicom_node.pipeline.services import Services, Stores
from dicom_node.pipeline.workflow import Pipeline
from dicom_node.security.master import load_master_key
from dicom_node.storage.blobs import BlobRouter, EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.watermark import DiskWatermark
from dicomweb.app import create_router
from dicomweb.attributes import DicomJsonReader
from inference.encode.encoder import Encoder
from inference.encode.gate import Gate
from inference.registry import ModelRegistry
from inference.routing.router import Route, Router
from inference.runner.engine import ProcessEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from dicom_node.settings import Settings
