import { once, tell } from "./telling.js";

const button = document.getElementById("sign-out");

async function signOut() {
  try {
    const answer = await fetch("/operator/session", { method: "DELETE" });
    if (!answer.ok) throw new Error(String(answer.status));
    location.assign("/operator/sign-in");
  } catch {
    tell("That did not work. Try again in a moment.", { alarm: true });
  }
}

button.addEventListener("click", once(button, signOut));
