"""What an operator looks after: status, metrics, notifications, retention, permissions, schedules."""
