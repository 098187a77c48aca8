// The API's operations, to be read and tried with the log-in of the page.
const place = document.getElementById("api-docs");
const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function colourIn() {
  const dark = root.dataset.theme === "dark" || (root.dataset.theme !== "light" && systemDark.matches);
  root.classList.toggle("dark-mode", dark); // what Swagger UI goes by
}

function withCsrfToken(request) {
  if (new URL(request.url, location.href).origin === location.origin) {
    request.headers["X-CSRFToken"] = place.dataset.csrfToken;
  }
  return request;
}

if (window.SwaggerUIBundle) {
  colourIn();
  document.addEventListener("theme", colourIn);
  window.SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    deepLinking: true,
    validatorUrl: null,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    requestInterceptor: withCsrfToken,
  });
} else {
  place.firstElementChild.textContent = "Swagger UI is not installed: an administrator runs make install and restarts exoweb.";
}
