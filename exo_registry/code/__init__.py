"""The code of algorithms: what a process has loaded, what is on disk, and the fingerprint of either."""
