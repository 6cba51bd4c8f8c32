"use strict";
// The token is in the fragment, which no server and no mail scanner sees; it is sent when a person clicks.
const button = document.getElementById("stop");
const message = document.getElementById("message");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function finish(text) {
  message.textContent = text;
  button.hidden = true;
}

async function keep() {
  button.disabled = true;
  try {
    const answer = await fetch(button.dataset.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) finish("Your second factor stays. If you did not report it lost, change your password now.");
    else if (answer.status === 410) finish("There is nothing to stop any more. If you can't sign in as before, reset your password.");
    else throw new Error(String(answer.status));
  } catch {
    message.textContent = "That did not work. Try again in a moment.";
    button.disabled = false;
  }
}

if (token) button.addEventListener("click", keep);
else finish("This link is not complete. Open it from the mail again.");
