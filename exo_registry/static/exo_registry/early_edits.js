// Fields that were edited before the page's scripts could listen: over a slow line a user is faster than they are,
// and some browsers keep what was typed over a reload. What follows a form has to catch up with such edits.

// Whether a field of the form has another value than the server gave it.
export function isEdited(form) {
  return [...form.elements].some((field) => {
    if (field.type === "select-one") {
      return field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
    }
    if (["checkbox", "radio"].includes(field.type)) return field.checked !== field.defaultChecked;
    return field.defaultValue !== undefined && field.value !== field.defaultValue;
  });
}

// htmx listens from DOMContentLoaded on; this runs after its own listener, since its script comes first in the page.
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form[hx-get]")) {
    if (isEdited(form)) globalThis.htmx?.trigger(form, "change");
  }
});
