"""API tokens: made here, shown once, ended by deleting them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from exo_registry.models import Scope, Token


class TokenForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="A token can never do more than its user may.",
    )

    class Meta:
        model = Token
        fields = ("name", "user", "scopes", "expires")


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    """Everybody who may make tokens sees and makes their own; a superuser, those of all."""

    form = TokenForm
    list_display = ("name", "user", "uses", "created", "expires", "last_used")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        tokens = super().get_queryset(request)
        return tokens if request.user.is_superuser else tokens.filter(user=request.user)

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        return () if obj is None else ("user", "created", "last_used")

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        return ("name", "user", "scopes", "expires", *(() if obj is None else ("created", "last_used")))

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            kwargs["initial"] = request.user.pk
            if not request.user.is_superuser:
                # Whoever could name another user for a token could act as that user.
                users = db_field.remote_field.model._default_manager
                kwargs["queryset"] = users.filter(pk=request.user.pk)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Token, form: forms.ModelForm, change: bool) -> None:
        if not change:
            request.new_token_key = obj.new_key()
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Token, post_url_continue: str | None = None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"API token {obj.name}",
            "token": obj,
            "key": request.new_token_key,
        }
        response = TemplateResponse(request, "admin/exo_registry/token/created.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.display(description="used for")
    def uses(self, token: Token) -> str:
        return ", ".join(str(Scope(scope).label) for scope in token.scopes)
