// The line of a page that says what happened: read out when it changes, and alarming when something is wrong.
const message = document.getElementById("message");

export const sentences = message.dataset;

/** `focus`: what a person had in hand is gone, so the line is where they are now. */
export function tell(text, { alarm = false, focus = false } = {}) {
  message.setAttribute("role", alarm ? "alert" : "status");
  message.classList.toggle("alarm", alarm);
  message.textContent = text;
  if (!focus) return;
  message.tabIndex = -1;
  message.focus();
}

/** Which of the fields is wrong; it has the focus then. */
export function blame(field, fields = [field]) {
  for (const each of fields) each.toggleAttribute("aria-invalid", false);
  if (!field) return;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

/** A handler that does its work once at a time. The button stays where it is, and keeps the focus. */
export function once(button, work) {
  return async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      await work(event);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };
}

export function post(url, body, headers = {}) {
  return fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}
