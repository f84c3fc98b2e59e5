"""Messages to listeners on SQLite."""

from notification_contract import NotificationContract


class TestNotifications(NotificationContract):
    pass
