import { blame, post, sentences } from "./telling.js";
import { serve } from "./mailed.js";

const form = document.getElementById("form");
const password = document.getElementById("password");
const { url, done, gone, weak } = form.dataset;

async function setPassword(token) {
  blame(null, [password]);
  const answer = await post(url, { token, new_password: password.value });
  if (answer.ok) return { text: done, done: true };
  if (answer.status === 410) return { text: gone };
  if (answer.status !== 422) throw new Error(String(answer.status));
  const [wrong] = (await answer.json()).error.details;
  if (wrong.type !== "weak_password") return { text: sentences.incomplete };
  return { text: weak.replace("{reason}", () => wrong.message), again: true, field: password };
}

document.getElementById("show").addEventListener("change", (event) => {
  password.type = event.target.checked ? "text" : "password";
});
form.addEventListener("submit", serve(form, document.getElementById("save"), setPassword));
