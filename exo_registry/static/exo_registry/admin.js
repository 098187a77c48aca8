// Small parts of the admin: a part of a form that follows its fields, help that follows a choice, a guess to accept.
import { isEdited } from "./early_edits.js";

// <form data-live="plan">: when a field changes, the form is sent as its Preview button would, and the element
// with that id is replaced by the answer's. Without this script the button does the same.
for (const form of document.querySelectorAll("form[data-live]")) {
  const address = form.getAttribute("action"); // form.action is the field of that name
  let latest = 0;
  const update = async () => {
    const turn = ++latest;
    const target = document.getElementById(form.dataset.live);
    target.setAttribute("aria-busy", "true");
    const data = new FormData(form);
    data.set("preview", "1");
    try {
      const response = await fetch(address, { method: "POST", body: data });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById(form.dataset.live);
      if (turn !== latest) return;
      if (fresh) target.replaceWith(fresh);
      else location.reload(); // logged out, or no longer allowed: let the server say so
    } catch {
      target.removeAttribute("aria-busy"); // offline: the plan shown stays, Preview tries again
    }
  };
  form.addEventListener("change", update);
  if (isEdited(form)) update();
}

// <input data-help-url="…?path=" data-help-target="id">: the element shows what the address gives for the value.
for (const input of document.querySelectorAll("input[data-help-url]")) {
  let shown = input.defaultValue;
  const update = async () => {
    const value = input.value.trim();
    if (value === shown) return;
    shown = value;
    const response = await fetch(input.dataset.helpUrl + encodeURIComponent(value));
    if (response.ok && shown === value) {
      document.getElementById(input.dataset.helpTarget).innerHTML = await response.text();
    }
  };
  input.addEventListener("input", update);
  update();
}

// <button data-fill="id" data-value="…">: puts the value into the field with that id.
for (const button of document.querySelectorAll("button[data-fill]")) {
  const field = document.getElementById(button.dataset.fill);
  button.addEventListener("click", () => {
    field.value = button.dataset.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  });
}
