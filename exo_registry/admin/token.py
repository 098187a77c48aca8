"""API tokens: made here, shown once, ended by deleting them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
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
    """Everybody sees and makes tokens of their own; a superuser, those of all."""

    form = TokenForm
    list_display = ("name", "user", "uses", "created", "expires", "last_used")
    list_filter = ("user",)
    list_select_related = ("user",)
    search_fields = ("name", "user__username")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        tokens = super().get_queryset(request)
        return tokens if request.user.is_superuser else tokens.filter(user=request.user)

    def get_exclude(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        # Whoever could name the user of a token could act as that user.
        return () if obj is None and request.user.is_superuser else ("user",)

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        return () if obj is None else ("owner", "created", "last_used")

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> list[str]:
        editable = ["name", "user", "scopes", "expires"]
        excluded = self.get_exclude(request, obj)
        return [name for name in editable if name not in excluded] + list(self.get_readonly_fields(request, obj))

    def get_form(self, request: HttpRequest, obj: Token | None = None, change: bool = False, **kwargs: Any) -> type:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is None and "user" not in form.base_fields:
            # Set before validation, which looks at what the user may do.
            return type("OwnTokenForm", (form,), {"_post_clean": _as(request.user, form)})
        return form

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

    @admin.display(description="user")
    def owner(self, token: Token) -> str:
        return str(token.user)


def _as(user: Any, form: type[forms.ModelForm]) -> Any:
    def post_clean(self: forms.ModelForm) -> None:
        self.instance.user = user
        super(form, self)._post_clean()

    return post_clean
