"""Processes: the supervisor, task clusters and their heartbeats, the watchdog, the queue's brokers, the drop folder."""
