/* Comfort for the pages of accounts, audiences, templates and campaigns; all of them work without it. */
"use strict";
(() => {
  // A merge field goes where one wrote last.
  let last = null;
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("#editor textarea, #editor input[name=subject]")) {
      last = event.target;
    }
  });
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-insert]");
    if (!chip) {
      return;
    }
    const field = last || document.querySelector("#editor textarea");
    field.setRangeText(chip.dataset.insert, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // The frame of a preview is filled by the form itself: a new frame each time, so that the history stays as it is.
  document.addEventListener("htmx:after:swap", () => {
    document.querySelectorAll("iframe[data-fill]").forEach((frame) => {
      const form = document.querySelector(frame.dataset.fill);
      const was = { action: form.getAttribute("action"), target: form.getAttribute("target") || "" };
      form.setAttribute("action", frame.dataset.action);
      form.setAttribute("target", frame.name);
      form.submit();
      form.setAttribute("action", was.action);
      form.setAttribute("target", was.target);
      delete frame.dataset.fill;
    });
  });
})();
