// Parts of a page that htmx loads after it: when one does not arrive, say so in its place, with a way to try again.
const login = (url) => new URL(url || location.href, location.href).pathname.startsWith("/accounts/login/");

function say(element, text) {
  const note = document.createElement("p");
  note.className = "note error";
  note.setAttribute("role", "alert");
  const retry = document.createElement("button");
  retry.type = "button";
  retry.textContent = "Try again";
  retry.addEventListener("click", () => (element.isConnected && globalThis.htmx
    ? globalThis.htmx.trigger(element, element.matches("form") ? "submit" : "retry") : location.reload()));
  note.append(`${text} `, retry);
  const place = element.matches("form") ? element : element.querySelector(".empty, .note") ?? element;
  if (element.matches("form")) {
    element.querySelector(".note.error")?.remove();
    place.append(note);
  } else {
    place.replaceWith(note);
  }
}

document.addEventListener("htmx:beforeSwap", (event) => {
  // A log-in that has ended answers with the log-in page, which belongs in no part of another page.
  if (login(event.detail.xhr.responseURL)) {
    event.detail.shouldSwap = false;
    say(event.detail.elt, "You are logged out. Reload the page to log in.");
  }
});
// A server that lacks something, such as its market data, answers with a sentence.
const reason = (xhr) => (xhr.status === 503 && (xhr.getResponseHeader("Content-Type") ?? "").startsWith("text/plain")
  ? xhr.responseText : `The server answered ${xhr.status}.`);
document.addEventListener("htmx:responseError", (event) => say(event.detail.elt, reason(event.detail.xhr)));
document.addEventListener("htmx:sendError", (event) => say(event.detail.elt, "The server cannot be reached."));
document.addEventListener("htmx:timeout", (event) => say(event.detail.elt, "The server took too long."));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) event.detail.elt.querySelector?.(":scope > .note.error:has(button)")?.remove();
});

// A part that is still on its way when the user leaves the page is no error to report.
const underway = new Set();
document.addEventListener("htmx:beforeSend", (event) => underway.add(event.detail.xhr));
document.addEventListener("htmx:afterRequest", (event) => underway.delete(event.detail.xhr));
addEventListener("beforeunload", () => underway.forEach((request) => { request.onabort = null; request.onerror = null; }));

if (!globalThis.htmx) {
  for (const part of document.querySelectorAll("[hx-trigger^=load]")) {
    say(part, "The page’s scripts are not installed. Run “npm ci” and “manage.py collectstatic”, then reload.");
  }
}
