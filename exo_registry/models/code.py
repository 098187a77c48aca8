"""The code that series were computed with, so that a change of it can be named by module."""

from django.db import models


class CodeVersion(models.Model):
    """The modules behind a hash of an algorithm's code: what `Series.algorithm_hash` is taken of."""

    hash = models.CharField(max_length=64, primary_key=True)
    modules = models.JSONField(help_text="A short hash of each module's code, by its dotted name.")
    first_used = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.hash[:12]
