"use strict";
// The token is in the fragment, which no server and no mail scanner sees; it is sent with the new password.
const form = document.getElementById("form");
const message = document.getElementById("message");
const password = document.getElementById("password");
const save = document.getElementById("save");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function finish(text) {
  message.textContent = text;
  form.hidden = true;
}

async function setPassword(event) {
  event.preventDefault();
  save.disabled = true;
  try {
    const answer = await fetch(form.dataset.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, new_password: password.value }),
    });
    if (answer.ok) finish("Your password is set. You can sign in with it now.");
    else if (answer.status === 410) finish("This link was used or has expired. Ask for a new one.");
    else if (answer.status === 422) {
      const { error } = await answer.json();
      message.textContent = `The password ${error.details[0].message}`;
      save.disabled = false;
    } else throw new Error(String(answer.status));
  } catch {
    message.textContent = "That did not work. Try again in a moment.";
    save.disabled = false;
  }
}

document.getElementById("show").addEventListener("change", (event) => {
  password.type = event.target.checked ? "text" : "password";
});
if (token) form.addEventListener("submit", setPassword);
else finish("This link is not complete. Open it from the mail again.");
