"""The URL map: the admin, log-in, and everything else from the registry app."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from exo_registry.web.log_in import LogInForm

admin.autodiscover()
handler500 = "exo_registry.views.failures.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/login/", auth.LoginView.as_view(authentication_form=LogInForm), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/password_change/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("accounts/password_change/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("", include("exo_registry.urls")),
]
