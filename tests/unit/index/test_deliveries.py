"""Deliveries on SQLite."""

from delivery_contract import DeliveryContract


class TestDeliveries(DeliveryContract):
    pass
