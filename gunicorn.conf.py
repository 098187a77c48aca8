"""gunicorn reads this where it is started: a web process whose code has changed on disk is replaced."""


def post_request(worker, request, environ, response) -> None:
    """After an answer: end this process, politely, if it cannot exchange its code and another could start with it."""
    from exo_registry.code import loaded_code

    if worker.alive and (modules := loaded_code.outdated()) and not loaded_code.start_failure():
        worker.log.info("%s changed on disk: this process is replaced", loaded_code.listed(modules))
        worker.alive = False
