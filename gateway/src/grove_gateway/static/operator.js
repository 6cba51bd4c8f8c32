"use strict";
const button = document.getElementById("sign-out");
const message = document.getElementById("message");

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    const answer = await fetch("/operator/session", { method: "DELETE" });
    if (!answer.ok) throw new Error(String(answer.status));
    location.assign("/operator/sign-in");
  } catch {
    message.textContent = "That did not work. Try again in a moment.";
    button.disabled = false;
  }
});
