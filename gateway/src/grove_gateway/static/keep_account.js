"use strict";
// The token is in the fragment, which no server and no mail scanner sees; it is sent when a person clicks.
const button = document.getElementById("keep");
const message = document.getElementById("message");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function finish(text) {
  message.textContent = text;
  button.hidden = true;
}

async function keepAccount() {
  button.disabled = true;
  try {
    const answer = await fetch(button.dataset.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) finish("Your account is open again. You can sign in now.");
    else if (answer.status === 410) finish("This link was used, or a newer one was mailed, or the account is deleted.");
    else throw new Error(String(answer.status));
  } catch {
    message.textContent = "That did not work. Try again in a moment.";
    button.disabled = false;
  }
}

if (token) button.addEventListener("click", keepAccount);
else finish("This link is not complete. Open it from the mail again.");
