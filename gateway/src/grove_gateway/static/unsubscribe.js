"use strict";
// The token is in the fragment, which no server and no mail scanner sees; it is sent when a person clicks.
const button = document.getElementById("confirm");
const message = document.getElementById("message");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function finish(text) {
  message.textContent = text;
  button.hidden = true;
}

async function send() {
  button.disabled = true;
  try {
    const answer = await fetch(`${button.dataset.url}?token=${encodeURIComponent(token)}`, {
      method: "POST",
      body: new URLSearchParams({ "List-Unsubscribe": "One-Click" }),
    });
    if (answer.ok) finish("Done. You get none of them any more, until you switch them on again in your notification preferences.");
    else if (answer.status === 410) finish((await answer.json()).error.message);
    else throw new Error(String(answer.status));
  } catch {
    message.textContent = "That did not work. Try again in a moment.";
    button.disabled = false;
  }
}

if (token) button.addEventListener("click", send);
else finish("This link is not complete. Open it from the mail again.");
