"""The Django project. `__version__` is that of exoweb: of the application and of the package of the algorithms."""

__version__ = "0.2.0.dev0"
