/* What the pages do beyond plain HTML. Everything works without it, a little less comfortably. */
"use strict";
(() => {
  const dialog = document.getElementById("confirm");

  // A form with data-confirm asks first.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !form.dataset.confirmed) {
      event.preventDefault();
      ask(form, event.submitter);
      return;
    }
    if (form.method === "post" && !event.defaultPrevented && !(event.submitter && "again" in event.submitter.dataset)) {
      // Sent once: a second press does nothing until the page comes.
      setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
    }
  });

  function ask(form, submitter) {
    const yes = document.getElementById("confirm-yes");
    document.getElementById("confirm-text").textContent = form.dataset.confirm;
    yes.textContent = form.dataset.confirmLabel;
    yes.className = "btn btn-" + (form.dataset.confirmTone || "primary");
    dialog.returnValue = "no";
    dialog.onclose = () => {
      if (dialog.returnValue === "yes") {
        form.dataset.confirmed = "yes";
        form.requestSubmit(submitter || undefined);
      }
    };
    dialog.showModal();
  }

  // Back in the history: the buttons work again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      document.querySelectorAll("button:disabled").forEach((button) => { button.disabled = false; });
    }
  });

  // Copy buttons.
  document.querySelectorAll("[data-copy]").forEach((button) => {
    if (!navigator.clipboard) {
      return;
    }
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).value);
      button.querySelector("span").textContent = button.dataset.copied;
    });
  });

  // The browser knows its time zone.
  document.querySelectorAll("input[data-time-zone]").forEach((field) => {
    field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || field.value;
  });

  // Escape closes the menu on a phone.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && location.hash === "#menu") {
      location.hash = "#content";
    }
  });
})();
